"""Where specs meet formulas: questions in the user's words, bound to facts and relations, solved and planned."""

from __future__ import annotations

from isoflop.ask.bind import CHOICES, Question, Usual, bind
from isoflop.ask.checker import CheckResult, check, check_question
from isoflop.ask.planner import DEFAULT_GRID, DEFAULT_LAW, TARGETS, Plan, plan, plan_question
from isoflop.ask.solver import solve, solve_question

__all__ = [
    "CHOICES",
    "DEFAULT_GRID",
    "DEFAULT_LAW",
    "TARGETS",
    "CheckResult",
    "Plan",
    "Question",
    "Usual",
    "bind",
    "check",
    "check_question",
    "plan",
    "plan_question",
    "solve",
    "solve_question",
]
