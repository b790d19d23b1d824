"""Profiles moved by a few rows of one's own: `isoflop calibrate training ROWS --out p.toml`.

A few rows cannot tell constants apart, so all stay near the shipped ones: the pace of the whole first, then what
products, attention, element-wise work, launches and communication take. The fewer the rows, the less they move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from isoflop.accuracy.profiles import Constant, fitted, residuals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.accuracy.profiles import Item
    from isoflop.kernel import Profile

NOISE = 0.025
"""Spread of a row about a calibrated profile, in logarithms: one site's own runs differ by so little."""

LEAST_SPREAD = 1.08
"""Factor that the spread of a calibrated profile does not fall below."""

MOVED = (
    Constant("pace", 0.15, 0.4, 3, shared=False),
    Constant("matmul.16.efficiency", 0.08, 0.2, 0.98, shared=False),
    Constant("matmul.8.efficiency", 0.08, 0.2, 0.98, shared=False),
    Constant("matmul.4.efficiency", 0.08, 0.1, 0.98, shared=False),
    Constant("attention.first", 0.1, 0.02, 0.9, shared=False),
    Constant("attention.second", 0.1, 0.02, 0.9, shared=False),
    Constant("attention.third", 0.1, 0.02, 0.9, shared=False),
    Constant("elementwise.fused", 0.15, 0.3, 9, shared=False),
    Constant("elementwise.compiled", 0.15, 0.3, 9, shared=False),
    Constant("elementwise.eager", 0.15, 0.3, 12, shared=False),
    Constant("launch.fused", 0.2, 1e-5, 1e-2, shared=False),
    Constant("launch.eager", 0.2, 1e-5, 1e-2, shared=False),
    Constant("launch.experts", 0.2, 1e-6, 1e-2, shared=False),
    Constant("link.efficiency", 0.1, 0.1, 1, shared=False),
    Constant("network.efficiency", 0.15, 0.05, 1, shared=False),
    Constant("overlap.sharded", 0.3, 0.005, 1, shared=False),
    Constant("overlap.experts", 0.2, 0.1, 4, shared=False),
    Constant("overlap.experts_once", 0.2, 0.1, 4, shared=False),
)
"""What a calibration moves, each with how far (a spread in logarithms)."""


def calibrated(items: Sequence[Item], base: Mapping[str, Profile]) -> dict[str, Profile]:
    """`base` with the profiles of these items moved, and their spread narrowed to what the rows leave over."""
    moved = fitted(items, base, MOVED, noise=NOISE, weights=np.ones(len(items)), rounds=12)
    left = residuals(items, moved)
    for name in {one.profile for one in items}:
        own = [abs(value) for value, one in zip(left, items, strict=True) if one.profile == name]
        shrunk = base[name].spread ** (1 / np.sqrt(1 + len(own)))
        spread = max(LEAST_SPREAD, float(shrunk), float(np.exp(2 * np.mean(own))))
        said = f"calibrated on {len(own)} row{'' if len(own) == 1 else 's'}, from: {base[name].fitted}"
        moved[name] = msgspec.structs.replace(moved[name], spread=min(spread, base[name].spread), fitted=said)
    return moved


def changes(base: Profile, moved: Profile) -> dict[str, object]:
    """The fields in which a profile differs from another, as nested tables: what a file for `--profile` has to say."""
    return _differences(msgspec.to_builtins(base), msgspec.to_builtins(moved))


def _differences(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            inner = _differences(before, value)
            if inner:
                found[name] = inner
        elif value != before and not _same(value, before):
            found[name] = value
    return found


def _same(one: object, other: object) -> bool:
    """Whether two numbers differ by rounding only."""
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return False
    return bool(np.isclose(one, other, rtol=1e-6, atol=0))
