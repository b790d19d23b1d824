"""A model in use: what fits on which chips, how fast it answers, for how much.

`Deployment` is a model on devices under a runtime, `Traffic` what is asked of it. `budget` says what it holds,
`pace_of` how fast it is, `search_placements` tries all placements, `serve` answers everything at once.

>>> from isoflop.model import describe
>>> from isoflop.serving import Wish, deployment_for, serve
>>> deployment, chips = deployment_for(describe("llama-3.1-8b"), "1xh100-sxm")
>>> found = serve(deployment, chips, Wish(concurrency=16, input_tokens=2048, output_tokens=256))
>>> found.room.verdict
'fits'
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Unpack

from isoflop.serving.spec import (
    RUNTIMES,
    Deployment,
    Formats,
    Offload,
    Placement,
    Placements,
    Runtime,
    RuntimeName,
    Settings,
    Speculation,
    Traffic,
    kv_bits,
)

if TYPE_CHECKING:
    from isoflop.serving.advice import Service, Wish, serve, traffic_of
    from isoflop.serving.asked import ServiceWords
    from isoflop.serving.caches import Cache, caches_of, ideal_bytes
    from isoflop.serving.cost import Bill, Comparison, Offer, bill_of, compared
    from isoflop.serving.disaggregate import Slow, Split, slow, split
    from isoflop.serving.given import deployment_for, formats_for
    from isoflop.serving.inverse import (
        Change,
        Hardware,
        Room,
        changes,
        devices_that_fit,
        fewest_chips,
        instances,
        largest_context,
        room,
    )
    from isoflop.serving.legal import faults, legal_placements
    from isoflop.serving.life import Lifetime, lifetime
    from isoflop.serving.memory import Budget, budget, memory_ledger
    from isoflop.serving.pace import Band, Pace, step_ledger
    from isoflop.serving.pace import pace as pace_of
    from isoflop.serving.runtime import Era, era_of, eras
    from isoflop.serving.search import Candidate, Goal, Searched, search_placements

_HOMES = {
    "advice": ("Service", "Wish", "serve", "traffic_of"),
    "caches": ("Cache", "caches_of", "ideal_bytes"),
    "cost": ("Bill", "Comparison", "Offer", "bill_of", "compared"),
    "given": ("deployment_for", "formats_for"),
    "disaggregate": ("Slow", "Split", "slow", "split"),
    "life": ("Lifetime", "lifetime"),
    "inverse": (
        "Change",
        "Hardware",
        "Room",
        "changes",
        "devices_that_fit",
        "fewest_chips",
        "instances",
        "largest_context",
        "room",
    ),
    "legal": ("faults", "legal_placements"),
    "memory": ("Budget", "budget", "memory_ledger"),
    "pace": ("Band", "Pace", "pace_of", "step_ledger"),
    "runtime": ("Era", "era_of", "eras"),
    "search": ("Candidate", "Goal", "Searched", "search_placements"),
}
"""Where names are that load when they are first used; none of them is a module's name."""

_RENAMED = {"pace_of": "pace"}

__all__ = [
    "RUNTIMES",
    "Band",
    "Bill",
    "Budget",
    "Cache",
    "Candidate",
    "Change",
    "Comparison",
    "Deployment",
    "Era",
    "Formats",
    "Goal",
    "Hardware",
    "Lifetime",
    "Offer",
    "Offload",
    "Pace",
    "Placement",
    "Placements",
    "Room",
    "Runtime",
    "RuntimeName",
    "Searched",
    "Service",
    "Settings",
    "Slow",
    "Speculation",
    "Split",
    "Traffic",
    "Wish",
    "bill_of",
    "budget",
    "caches_of",
    "changes",
    "compared",
    "deployment_for",
    "devices_that_fit",
    "era_of",
    "eras",
    "faults",
    "fewest_chips",
    "formats_for",
    "ideal_bytes",
    "instances",
    "kv_bits",
    "largest_context",
    "legal_placements",
    "lifetime",
    "memory_ledger",
    "pace_of",
    "room",
    "search_placements",
    "serve",
    "slow",
    "split",
    "step_ledger",
    "traffic_of",
]


def __getattr__(name: str) -> object:
    """Load the module that a public name lives in."""
    for home, names in _HOMES.items():
        if name in names:
            own = _RENAMED.get(name, name)
            value = globals()[name] = getattr(import_module(f"isoflop.serving.{home}"), own)
            return value
    message = f"module 'isoflop.serving' has no attribute {name!r}; the public names are: {', '.join(__all__)}"
    raise AttributeError(message)


class _Room(ModuleType):
    """The room as a function: `isoflop.serving(model, on, ...)` is `isoflop.serving.asked.serving(...)`."""

    def __call__(self, model: str | float, on: str, **asked: Unpack[ServiceWords]) -> Service:
        """What a deployment does: see `isoflop.serving.asked`."""
        from isoflop.serving.asked import serving

        return serving(model, on, **asked)


sys.modules[__name__].__class__ = _Room
