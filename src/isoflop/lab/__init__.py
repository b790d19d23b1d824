"""The laboratory: real training runs, many and small, that feed the laws.

A study (TOML) becomes run specs with a content hash; each is trained, resumed where it was cut short, and kept with
what it was run on. `runs_of_study` hands them to `isoflop.laws`; `line_of_study` says how the best size grows, or why
nothing can be said. Training needs torch (the extra `lab`).
"""

from __future__ import annotations

from isoflop.lab.bracket import Bracket, bracket
from isoflop.lab.data import Corpus, DataSpec, build_corpus
from isoflop.lab.export import line_of_study, rows, run_of, runs_csv, runs_of_study, write_export, write_model
from isoflop.lab.extend import extend_study
from isoflop.lab.forecast import Forecast, Means, forecast
from isoflop.lab.operate import StudyFolder, make_study, run_study
from isoflop.lab.progress import Progress, progress
from isoflop.lab.query import query
from isoflop.lab.spec import Optimizer, RunSpec, Schedule
from isoflop.lab.state import status_object
from isoflop.lab.store import Result, RunFolder
from isoflop.lab.study import Family, Study, read_study

__all__ = [
    "Bracket",
    "Corpus",
    "DataSpec",
    "Family",
    "Forecast",
    "Means",
    "Optimizer",
    "Progress",
    "Result",
    "RunFolder",
    "RunSpec",
    "Schedule",
    "Study",
    "StudyFolder",
    "bracket",
    "build_corpus",
    "extend_study",
    "forecast",
    "line_of_study",
    "make_study",
    "progress",
    "query",
    "read_study",
    "rows",
    "run_of",
    "run_study",
    "runs_csv",
    "runs_of_study",
    "status_object",
    "write_export",
    "write_model",
]
