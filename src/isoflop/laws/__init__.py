"""Scaling laws: how loss follows from parameters and tokens, and how compute is best split between them.

Forms are classes, constants are data: `published(name)` gives a law with its source, convention, fitted range and,
where known, the joint spread of its constants. `valley` and `roots` answer at fixed compute; `verdict` and `excess`
judge a run.
Losses of different laws are not comparable: each has its own data, tokenizer and floor.

    >>> optimum = published("besiroglu2024").law.allocate(1.094e21)
    >>> f"{optimum.params:.3g} {optimum.tokens:.3g} {optimum.loss:.3f}"
    '2.91e+09 6.27e+10 2.298'
"""

from __future__ import annotations

from isoflop.laws.entry import Published, Spread
from isoflop.laws.forms import Chinchilla, Kaplan, Ratio, TiedChinchilla
from isoflop.laws.hyper import HyperParameters, Powers
from isoflop.laws.interface import (
    FLOPS_PER_PARAM_TOKEN,
    Advisor,
    Allocation,
    Allocator,
    Convention,
    Law,
    Path,
    Settings,
    Split,
)
from isoflop.laws.law_file import read_law
from isoflop.laws.lifetime import SERVE_FLOPS_PER_PARAM_TOKEN, allocate_lifetime
from isoflop.laws.limits import FittedOn
from isoflop.laws.published import find_law, published, published_laws
from isoflop.laws.valley import WITHIN, Valley, roots, valley
from isoflop.laws.verdict import NEAR, Excess, Verdict, excess, verdict

__all__ = [
    "FLOPS_PER_PARAM_TOKEN",
    "NEAR",
    "SERVE_FLOPS_PER_PARAM_TOKEN",
    "WITHIN",
    "Advisor",
    "Allocation",
    "Allocator",
    "Chinchilla",
    "Convention",
    "Excess",
    "FittedOn",
    "HyperParameters",
    "Kaplan",
    "Law",
    "Path",
    "Powers",
    "Published",
    "Ratio",
    "Settings",
    "Split",
    "Spread",
    "TiedChinchilla",
    "Valley",
    "Verdict",
    "allocate_lifetime",
    "excess",
    "find_law",
    "published",
    "published_laws",
    "read_law",
    "roots",
    "valley",
    "verdict",
]
