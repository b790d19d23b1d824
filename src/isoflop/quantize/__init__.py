"""Real checkpoints in fewer bits, with a report of what was lost; number formats, one value at a time."""

from __future__ import annotations

from isoflop.quantize.convert import quantize
from isoflop.quantize.formats import FORMATS, NumberFormat, Stored, number_format, store
from isoflop.quantize.options import Options
from isoflop.quantize.report import Report, TensorReport
from isoflop.quantize.scheme import Scheme, scheme, schemes

__all__ = [
    "FORMATS",
    "NumberFormat",
    "Options",
    "Report",
    "Scheme",
    "Stored",
    "TensorReport",
    "number_format",
    "quantize",
    "scheme",
    "schemes",
    "store",
]
