"""Predictions held against measured runs: rows, their predictions, errors by source.

>>> from isoflop.accuracy import committed_rows, read_configs, validate_training
>>> report = validate_training(committed_rows(), read_configs(None))
>>> report.macro is not None and report.macro.median < 0.05
True
"""

from __future__ import annotations

from isoflop.accuracy.predict import Constants, Prediction, predict, read_profile
from isoflop.accuracy.rows import Measured, Row, Rows, Settings, committed_rows, parse_rows, read_rows
from isoflop.accuracy.shapes import Known, read_configs
from isoflop.accuracy.times import Times
from isoflop.accuracy.validate import Fits, Report, Score, validate_training

__all__ = [
    "Constants",
    "Fits",
    "Known",
    "Measured",
    "Prediction",
    "Report",
    "Row",
    "Rows",
    "Score",
    "Settings",
    "Times",
    "committed_rows",
    "parse_rows",
    "predict",
    "read_configs",
    "read_profile",
    "read_rows",
    "validate_training",
]
