"""How fast a quantity grew over the years: its doubling time, with an interval from resampled points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import UntrustworthyFit

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """value = level * 2 ** ((year - origin) / doubling); `low` and `high` bound the doubling time (years).

    A growth that the points do not tell from none has `high` = infinity.
    """

    doubling: float
    low: float
    high: float
    level: float
    origin: float
    points: int

    def at(self, year: float) -> float:
        """The value that the line gives."""
        return float(self.level * 2.0 ** ((year - self.origin) / self.doubling))


def growth(
    years: Sequence[float], values: Sequence[float], *, interval: float = 0.9, resamples: int = 2000, seed: int = 0
) -> Growth:
    """The doubling time of positive values over decimal years, by least squares of log2(value).

    >>> found = growth([2018.0, 2019.0, 2020.0, 2021.0], [1.0, 2.0, 4.0, 8.0])
    >>> round(found.doubling, 6)
    1.0
    """
    x, y = np.asarray(years, dtype=np.float64), np.log2(np.asarray(values, dtype=np.float64))
    if len(x) < 4 or np.ptp(x) <= 0:
        raise UntrustworthyFit(f"{len(x)} points give no growth.", missing=("figures of at least four dates",))
    origin = float(x.mean())
    rate, level = np.polyfit(x - origin, y, 1)
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(x), (resamples, len(x)))
    a, b = x[rows] - origin, y[rows]
    a_mean, b_mean = a.mean(axis=1, keepdims=True), b.mean(axis=1, keepdims=True)
    spread = ((a - a_mean) ** 2).sum(axis=1)
    rates = ((a - a_mean) * (b - b_mean)).sum(axis=1)[spread > 0] / spread[spread > 0]
    slow, fast = np.quantile(rates, (0.5 - interval / 2, 0.5 + interval / 2))
    return Growth(
        doubling=float(1.0 / rate) if rate != 0 else float("inf"),
        low=float(1.0 / fast) if fast > 0 else float("inf"),
        high=float(1.0 / slow) if slow > 0 else float("inf"),
        level=float(2.0**level),
        origin=origin,
        points=len(x),
    )
