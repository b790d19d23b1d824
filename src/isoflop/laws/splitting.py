"""The one search for a best split: where a loss or a cost over ln(params) is lowest, for many laws or budgets at once.

For laws without a closed form and for questions without one: serving demand, repeated data, draws of constants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.quantity import FloatArray

SMALLEST, LARGEST = float(np.log(1e4)), float(np.log(1e16))
"""ln of the params that are looked at, and of the fewest tokens."""

_GRID = 129
_STEPS = 48  # of golden section: a bracket of two grid steps shrinks to 1e-10 of itself
_GOLDEN = (5.0**0.5 - 1.0) / 2.0


class Lowest(NamedTuple):
    """Where the lowest value lies, and whether it lies inside what was searched: else the end is no optimum."""

    at: FloatArray
    inside: FloatArray


def lowest(value: Callable[[FloatArray], FloatArray], low: FloatArray, high: FloatArray) -> Lowest:
    """Where `value(x)` is lowest between `low` and `high`, element by element.

    `value` takes x of the shape of `low` with an axis before it and gives as many values; what is not finite counts as
    infinitely high. A grid finds the valley (there may be several), golden section its bottom to about 1e-8 of x: no
    method that compares values sees more.
    """
    low, high = np.broadcast_arrays(np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64))

    def asked(x: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            found = np.asarray(value(x))
        return np.where(np.isfinite(found), found, np.inf)

    shares = np.linspace(0.0, 1.0, _GRID).reshape((-1, *(1,) * low.ndim))
    best = np.argmin(asked(low + shares * (high - low)), axis=0)
    step = (high - low) / (_GRID - 1)
    left, right = low + step * np.maximum(best - 1, 0), low + step * np.minimum(best + 1, _GRID - 1)
    for _ in range(_STEPS):
        first, second = right - _GOLDEN * (right - left), left + _GOLDEN * (right - left)
        values = asked(np.stack([first, second]))
        lower = values[0] < values[1]
        left, right = np.where(lower, left, first), np.where(lower, second, right)
    at = np.asarray(0.5 * (left + right))
    edge = 1e-6 * (high - low)
    return Lowest(at, np.asarray((at > low + edge) & (at < high - edge)))
