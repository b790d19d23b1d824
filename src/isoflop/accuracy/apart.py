"""Predictions of rows that were kept aside from a fit, and how wide intervals have to be for them."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np

from isoflop.accuracy.calibrate import calibrated
from isoflop.accuracy.profiles import fitted, residuals
from isoflop.accuracy.times import ESTIMATED, TO_80

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.accuracy.profiles import Item
    from isoflop.kernel import Profile
    from isoflop.quantity.types import FloatArray

FOLDS = 5
"""Parts that are kept aside in turn."""

NARROWEST = 1.05
"""Factor that the spread of no profile falls below."""

FEW = 3
"""Rows that a calibration is tried with."""


def family_of(source: str) -> str:
    """Who published a source: versions of a page, and tables of one project, are kept aside together."""
    return source.partition(":")[0].partition(" ")[0]


def folds_of(names: Sequence[str]) -> list[set[str]]:
    """Names in `FOLDS` parts of about as many rows, the commonest first; the same for the same names."""
    counted: dict[str, int] = {}
    for name in names:
        counted[name] = counted.get(name, 0) + 1
    parts: list[set[str]] = [set() for _ in range(FOLDS)]
    sizes = [0] * FOLDS
    for name in sorted(counted, key=lambda one: (-counted[one], one)):
        place = sizes.index(min(sizes))
        parts[place].add(name)
        sizes[place] += counted[name]
    return [part for part in parts if part]


def apart(
    items: Sequence[Item], base: Mapping[str, Profile], names: Sequence[str]
) -> tuple[FloatArray, dict[str, dict[str, Profile]]]:
    """(residual of each item under profiles fitted without its fold, those profiles by name).

    `names` says which items are kept aside together.
    """
    found = np.zeros(len(items))
    by_name: dict[str, dict[str, Profile]] = {}
    for part in folds_of(names):
        inside = [one for one, name in zip(items, names, strict=True) if name not in part]
        outside = [place for place, name in enumerate(names) if name in part]
        made = fitted(inside, base)
        found[outside] = residuals([items[place] for place in outside], made)
        by_name |= dict.fromkeys(part, made)
    return found, by_name


def after_three(
    items: Sequence[Item], names: Sequence[str], by_name: Mapping[str, Mapping[str, Profile]]
) -> dict[str, FloatArray]:
    """Residuals by source after a calibration on `FEW` of its rows, from profiles that were fitted without it.

    The rows are the first, the middle and the last in order of measured time; they are not scored. Sources with fewer
    than three times as many rows are left out.
    """
    found: dict[str, FloatArray] = {}
    for source in sorted({one.source for one in items}):
        own = sorted(
            (place for place, one in enumerate(items) if one.source == source), key=lambda x: items[x].measured
        )
        if len(own) < 3 * FEW:
            continue
        chosen = [own[len(own) // 6], own[len(own) // 2], own[-1 - len(own) // 6]]
        moved = calibrated([items[place] for place in chosen], by_name[names[own[0]]])
        rest = [items[place] for place in own if place not in chosen]
        found[source] = residuals(rest, moved)
    return found


def spread_of(found: FloatArray, items: Sequence[Item], level: float = 0.8) -> float:
    """The spread of a profile that holds `level` of these residuals in 80 % intervals, every source counting alike.

    What other readings of a row and estimated figures add to its interval is taken off first.
    """
    extra = np.array([np.hypot(one.open, TO_80 * log(ESTIMATED) if one.chip.notes else 0.0) for one in items])
    needed = np.sqrt(np.maximum(0.0, found**2 - extra**2))
    names = np.array([one.source for one in items])
    counted = np.array([1.0 / (names == name).sum() for name in names])
    order = np.argsort(needed)
    share = np.cumsum(counted[order]) / counted.sum()
    half = float(needed[order][min(np.searchsorted(share, level), len(order) - 1)])
    return max(NARROWEST, float(np.exp(half / TO_80)))
