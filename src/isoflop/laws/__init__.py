"""Scaling laws: how loss follows from parameters and tokens, and how compute is best split between them.

Forms are classes, constants are data: `published(name)` gives a law with its source, convention, fitted range and,
where known, the joint spread of its constants. `valley` and `roots` answer at fixed compute; `verdict` and `excess`
judge a run. `read_runs` and `fit` take a study of one's own to a law with intervals and checks; `envelope`,
`isoflop_line` and `fit` are the three approaches.
Losses of different laws are not comparable: each has its own data, tokenizer and floor.

    >>> optimum = published("besiroglu2024").law.allocate(1.094e21)
    >>> f"{optimum.params:.3g} {optimum.tokens:.3g} {optimum.loss:.3f}"
    '2.91e+09 6.27e+10 2.298'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from isoflop.laws.again import Profile, influence, profile
    from isoflop.laws.approach1 import Envelope, envelope
    from isoflop.laws.approach2 import IsoFlop, Line, isoflop_bias, isoflop_line, isoflop_profiles
    from isoflop.laws.chain import chained
    from isoflop.laws.checks import Check, check
    from isoflop.laws.choose.backtest import Backtest, backtest
    from isoflop.laws.decide.allocate import Decision, allocate
    from isoflop.laws.decide.belief import Belief, Estimate, believed
    from isoflop.laws.decide.budget import Aim
    from isoflop.laws.decide.compare import Comparison, Difference, Grounds, compare
    from isoflop.laws.decide.curve import Curve, curve_of, read_curve
    from isoflop.laws.decide.design import Cell, Design, Track, design
    from isoflop.laws.decide.experts import Worth, worth_of_experts
    from isoflop.laws.decide.running import Outlook, Prior, foresee, prior_from
    from isoflop.laws.decide.schedule import Schedule, schedule_of, warmup_of
    from isoflop.laws.decide.sides import Side, approaches
    from isoflop.laws.doubling import Growth, growth
    from isoflop.laws.fitting import Options, fit
    from isoflop.laws.hyper_fit import HyperFit, fit_hyper
    from isoflop.laws.objective import Objective
    from isoflop.laws.result import Fit
    from isoflop.laws.runs import Runs, read_runs
    from isoflop.laws.shape import Power, PowerSum, Shape, Term
    from isoflop.laws.shapes import SHAPES, shape_of

__all__ = [
    "FLOPS_PER_PARAM_TOKEN",
    "NEAR",
    "SERVE_FLOPS_PER_PARAM_TOKEN",
    "SHAPES",
    "WITHIN",
    "Advisor",
    "Aim",
    "Allocation",
    "Allocator",
    "Backtest",
    "Belief",
    "Cell",
    "Check",
    "Chinchilla",
    "Comparison",
    "Convention",
    "Curve",
    "Decision",
    "Design",
    "Difference",
    "Envelope",
    "Estimate",
    "Excess",
    "Fit",
    "FittedOn",
    "Grounds",
    "Growth",
    "HyperFit",
    "HyperParameters",
    "IsoFlop",
    "Kaplan",
    "Law",
    "Line",
    "Objective",
    "Options",
    "Outlook",
    "Path",
    "Power",
    "PowerSum",
    "Powers",
    "Prior",
    "Profile",
    "Published",
    "Ratio",
    "Runs",
    "Schedule",
    "Settings",
    "Shape",
    "Side",
    "Split",
    "Spread",
    "Term",
    "TiedChinchilla",
    "Track",
    "Valley",
    "Verdict",
    "Worth",
    "allocate",
    "allocate_lifetime",
    "approaches",
    "backtest",
    "believed",
    "chained",
    "check",
    "compare",
    "curve_of",
    "design",
    "envelope",
    "excess",
    "find_law",
    "fit",
    "fit_hyper",
    "foresee",
    "growth",
    "influence",
    "isoflop_bias",
    "isoflop_line",
    "isoflop_profiles",
    "prior_from",
    "profile",
    "published",
    "published_laws",
    "read_curve",
    "read_law",
    "read_runs",
    "roots",
    "schedule_of",
    "shape_of",
    "valley",
    "verdict",
    "warmup_of",
    "worth_of_experts",
]

_HOMES = {
    "again": ("Profile", "influence", "profile"),
    "approach1": ("Envelope", "envelope"),
    "approach2": ("IsoFlop", "Line", "isoflop_bias", "isoflop_line", "isoflop_profiles"),
    "chain": ("chained",),
    "choose.backtest": ("Backtest", "backtest"),
    "checks": ("Check", "check"),
    "decide.allocate": ("Decision", "allocate"),
    "decide.belief": ("Belief", "Estimate", "believed"),
    "decide.budget": ("Aim",),
    "decide.compare": ("Comparison", "Difference", "Grounds", "compare"),
    "decide.design": ("Cell", "Design", "Track", "design"),
    "decide.curve": ("Curve", "curve_of", "read_curve"),
    "decide.experts": ("Worth", "worth_of_experts"),
    "decide.running": ("Outlook", "Prior", "foresee", "prior_from"),
    "decide.schedule": ("Schedule", "schedule_of", "warmup_of"),
    "decide.sides": ("Side", "approaches"),
    "fitting": ("Options", "fit"),
    "doubling": ("Growth", "growth"),
    "hyper_fit": ("HyperFit", "fit_hyper"),
    "objective": ("Objective",),
    "result": ("Fit",),
    "runs": ("Runs", "read_runs"),
    "shape": ("Power", "PowerSum", "Shape", "Term"),
    "shapes": ("SHAPES", "shape_of"),
}
"""What fitting needs is loaded when it is used: planning with a published law does not pay for it."""


def __getattr__(name: str) -> object:
    """Load the module that a public name lives in, the first time the name is used."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"isoflop.laws.{home}"), name)
    message = f"module 'isoflop.laws' has no attribute {name!r}; the public names are: {', '.join(__all__)}"
    raise AttributeError(message)
