"""Training runs: what fits, how fast, for how much; from a model, a layout and a recipe to a ledger.

>>> from isoflop.model import model
>>> from isoflop.training import Layout, Run, peak
>>> run = Run(model=model("llama-3.1-8b"), sequence=8192, batch=64)
>>> float(peak(run, Layout(dp=8, zero=1)).allocated.item()) / 2**30 > 80
True
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Unpack

from isoflop.training.engine import Engine, engine, engines
from isoflop.training.legal import faults, legal
from isoflop.training.memory import TERMS, Peak, ledger, peak
from isoflop.training.space import AXES
from isoflop.training.spec import (
    FORMAT_BYTES,
    POLICIES,
    RECIPES,
    SCHEDULES,
    Adapter,
    Layout,
    Layouts,
    Policy,
    Recipe,
    Run,
    Schedule,
    format_bytes,
)

if TYPE_CHECKING:
    from isoflop.model import ModelSpec
    from isoflop.training.account import Account, account_of
    from isoflop.training.activations import activation_ledger
    from isoflop.training.advice import Advice, Most, Place, Timing, advise, advise_run, place_of
    from isoflop.training.asked import RunWords
    from isoflop.training.cost import Bill, Order, Tariff, bill_of, tariff_of
    from isoflop.training.inverse import (
        Change,
        Need,
        changes,
        fewest_chips,
        fits_at_all,
        largest_micro_batch,
        largest_model,
        largest_sequence,
        need,
    )
    from isoflop.training.many import Each, Many, Wanted, account_of_many
    from isoflop.training.offers import Offer, offers_of
    from isoflop.training.pace import Machine, Pace, Rates, flops_per_token, machine_of, pace_of, rates_of
    from isoflop.training.practice import Asked, Practised, practice_of
    from isoflop.training.scaling import Scaled, at_scales
    from isoflop.training.search import Found, search_layouts
    from isoflop.training.step import step_ledger, step_time
    from isoflop.training.terms import Line, Terms
    from isoflop.training.ways import Way, ways_of
    from isoflop.training.why import Effect, Why, reasons

__all__ = [
    "AXES",
    "FORMAT_BYTES",
    "POLICIES",
    "RECIPES",
    "SCHEDULES",
    "TERMS",
    "Account",
    "Adapter",
    "Advice",
    "Asked",
    "Bill",
    "Change",
    "Each",
    "Effect",
    "Engine",
    "Found",
    "Layout",
    "Layouts",
    "Line",
    "Machine",
    "Many",
    "Most",
    "Need",
    "Offer",
    "Order",
    "Pace",
    "Peak",
    "Place",
    "Policy",
    "Practised",
    "Rates",
    "Recipe",
    "Run",
    "Scaled",
    "Schedule",
    "Tariff",
    "Terms",
    "Timing",
    "Wanted",
    "Way",
    "Why",
    "account_of",
    "account_of_many",
    "activation_ledger",
    "advise",
    "advise_run",
    "at_scales",
    "bill_of",
    "changes",
    "engine",
    "engines",
    "faults",
    "fewest_chips",
    "fits_at_all",
    "flops_per_token",
    "format_bytes",
    "largest_micro_batch",
    "largest_model",
    "largest_sequence",
    "ledger",
    "legal",
    "machine_of",
    "need",
    "offers_of",
    "pace_of",
    "peak",
    "place_of",
    "practice_of",
    "rates_of",
    "reasons",
    "search_layouts",
    "step_ledger",
    "step_time",
    "tariff_of",
    "ways_of",
]

_HOMES = {
    "account": ("Account", "account_of"),
    "activations": ("activation_ledger",),
    "advice": ("Advice", "Most", "Place", "Timing", "advise", "advise_run", "place_of"),
    "cost": ("Bill", "Order", "Tariff", "bill_of", "tariff_of"),
    "inverse": (
        "Change",
        "Need",
        "changes",
        "fewest_chips",
        "fits_at_all",
        "largest_micro_batch",
        "largest_model",
        "largest_sequence",
        "need",
    ),
    "many": ("Each", "Many", "Wanted", "account_of_many"),
    "offers": ("Offer", "offers_of"),
    "pace": ("Machine", "Pace", "Rates", "flops_per_token", "machine_of", "pace_of", "rates_of"),
    "practice": ("Asked", "Practised", "practice_of"),
    "scaling": ("Scaled", "at_scales"),
    "search": ("Found", "search_layouts"),
    "step": ("step_ledger", "step_time"),
    "terms": ("Line", "Terms"),
    "ways": ("Way", "ways_of"),
    "why": ("Effect", "Why", "reasons"),
}
"""Where names are that load when they are first used: a plan needs few of them. None of them is a module's name."""


def __getattr__(name: str) -> object:
    """Load the module that a public name lives in."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"isoflop.training.{home}"), name)
    message = f"module 'isoflop.training' has no attribute {name!r}; the public names are: {', '.join(__all__)}"
    raise AttributeError(message)


class _Room(ModuleType):
    """The room as a function: `isoflop.training(model, on, ...)` is `isoflop.training.asked.training(...)`."""

    def __call__(self, model: str | float | ModelSpec, on: str, **asked: Unpack[RunWords]) -> Advice:
        """Advice on a training run: see `isoflop.training.asked`."""
        from isoflop.training.asked import training

        return training(model, on, **asked)


sys.modules[__name__].__class__ = _Room
