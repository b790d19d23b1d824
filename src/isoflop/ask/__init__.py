"""Where specs meet formulas: questions in the user's words, bound to facts and relations, solved, planned and checked.

What checks claims is loaded when it is first used: a plan does not pay for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from isoflop.ask.bind import CHOICES, Question, Usual, bind
from isoflop.ask.planner import DEFAULT_GRID, DEFAULT_LAW, TARGETS, Plan, plan, plan_question
from isoflop.ask.solver import solve, solve_question

if TYPE_CHECKING:
    from isoflop.ask.checker import MAIN, CheckResult, check, check_question
    from isoflop.ask.reasons import USUAL_MFU
    from isoflop.ask.rows import OFF, RowResult, check_rows, check_runs, read_columns
    from isoflop.ask.vary import Beside, Varied, plans, plans_of

__all__ = [
    "CHOICES",
    "DEFAULT_GRID",
    "DEFAULT_LAW",
    "MAIN",
    "OFF",
    "TARGETS",
    "USUAL_MFU",
    "Beside",
    "CheckResult",
    "Plan",
    "Question",
    "RowResult",
    "Usual",
    "Varied",
    "bind",
    "check",
    "check_question",
    "check_rows",
    "check_runs",
    "plan",
    "plan_question",
    "plans",
    "plans_of",
    "read_columns",
    "solve",
    "solve_question",
]

_HOMES = {
    "checker": ("MAIN", "CheckResult", "check", "check_question"),
    "reasons": ("USUAL_MFU",),
    "vary": ("Beside", "Varied", "plans", "plans_of"),
    "rows": ("OFF", "RowResult", "check_rows", "check_runs", "read_columns"),
}


def __getattr__(name: str) -> object:
    """Load the module that a public name lives in, the first time the name is used."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"isoflop.ask.{home}"), name)
    message = f"module 'isoflop.ask' has no attribute {name!r}; the public names are: {', '.join(__all__)}"
    raise AttributeError(message)
