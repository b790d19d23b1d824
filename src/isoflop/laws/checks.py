"""The sixteen pitfalls of fitting scaling laws, each held against the runs and the fit: pass, warn or fail.

Each check gives its number, what it means, and what to do. Checks of the runs need no fit; `check(runs)` gives
those and says of the others that there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.laws.result import Fit
    from isoflop.laws.runs import Runs

Status = Literal["pass", "warn", "fail", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One pitfall: its name, verdict, the number behind it, what it says, and what to do about it."""

    name: str
    status: Status
    number: float | None
    says: str
    remedy: str = ""


def check(runs: Runs, fit: Fit | None = None) -> tuple[Check, ...]:
    """All of them, in the order of the list."""
    from isoflop.laws import checks_fit, checks_runs

    found = []
    for name, judge in _ORDER:
        home = checks_runs if hasattr(checks_runs, judge) else checks_fit
        call: Callable[..., Check] = getattr(home, judge)
        if home is checks_fit and fit is None:
            found.append(Check(name=name, status="none", number=None, says="no fit to judge"))
        else:
            found.append(call(name, fit, runs))
    return tuple(found)


def judged(value: float, warn: float, fail: float) -> Status:
    """Pass below `warn`, fail from `fail` on."""
    return "fail" if not np.isfinite(value) or value >= fail else "warn" if value >= warn else "pass"


_ORDER = (
    ("rows", "rows"),
    ("1 optimiser", "optimiser"),
    ("2 local minima", "minima"),
    ("3 rounding", "rounding"),
    ("4 overflow", "overflow"),
    ("5 conventions", "conventions"),
    ("6 schedule", "schedule"),
    ("7 loss", "loss"),
    ("8 isoflop", "isoflop"),
    ("9 leverage", "leverage"),
    ("10 identifiability", "identifiability"),
    ("11 replicates", "replicates"),
    ("12 misfit", "misfit"),
    ("13 extrapolation", "extrapolation"),
    ("14 estimand", "estimand"),
    ("15 best of grid", "best_of_grid"),
    ("16 untrusted files", "untrusted"),
)
