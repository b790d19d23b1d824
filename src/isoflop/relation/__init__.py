"""The grammar: relations read in many ways, solved in any direction, answered with a derivation; no physics here.

>>> from isoflop import book, relation
>>> from isoflop.relation.notation import text
>>> text(relation.tree(book.work.train_flops))
'flops_per_param_token · active_params · tokens'
"""

from __future__ import annotations

from isoflop.relation.answer import Answer, Check, Fact, Ledger, Step, Term
from isoflop.relation.derivation import describe
from isoflop.relation.relation import Relation, relation, tree
from isoflop.relation.route import Route, find_route
from isoflop.relation.solve import SAMPLES, solve, solve_all, solve_point
from isoflop.relation.sweep import sweep
from isoflop.relation.system import System

__all__ = [
    "SAMPLES",
    "Answer",
    "Check",
    "Fact",
    "Ledger",
    "Relation",
    "Route",
    "Step",
    "System",
    "Term",
    "describe",
    "find_route",
    "relation",
    "solve",
    "solve_all",
    "solve_point",
    "sweep",
    "tree",
]
