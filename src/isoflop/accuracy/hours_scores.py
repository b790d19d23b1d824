"""Errors of chip-hours beside baselines: a constant utilisation, the best one, the best for each kind of device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.accuracy.published_hours import Hours
    from isoflop.quantity.types import FloatArray

CONSTANTS = (0.3, 0.35, 0.375, 0.4)
"""Constant utilisations that napkins take, as baselines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursScore:
    """|predicted - stated| / stated over rows; `coverage` of the 80 % interval, None where there is none."""

    name: str
    median: float
    mean: float
    p90: float
    worst: float
    coverage: float | None = None

    def written(self) -> tuple[str, str, str, str, str]:
        """In per cent."""
        inside = "" if self.coverage is None else f"{100 * self.coverage:.0f} %"
        median, mean, p90, worst = (f"{100 * one:.1f} %" for one in (self.median, self.mean, self.p90, self.worst))
        return median, mean, p90, worst, inside


def scores(rows: Sequence[Hours]) -> tuple[HoursScore, ...]:
    """The prediction first, then the baselines; rows have both a prediction and stated hours."""
    inside = float(np.mean([(one.low or 0) <= stated(one) <= (one.high or 0) for one in rows]))
    found = [_score("this prediction", errors(rows), inside)]
    found += [
        _score(f"6 N D at a constant MFU of {share:.1%}", constant_errors(rows, share), None) for share in CONSTANTS
    ]
    best = best_constant(rows)
    said = f"6 N D at the best constant for these rows, {best:.1%}, fitted on them"
    found.append(_score(said, constant_errors(rows, best), None))
    each = np.concatenate([constant_errors(own, best_constant(own)) for own in by_device(rows).values()])
    found.append(_score("6 N D at the best constant for each kind of device, fitted on these rows", each, None))
    return tuple(found)


def _score(name: str, off: FloatArray, inside: float | None) -> HoursScore:
    median, p90 = (float(np.quantile(off, level)) for level in (0.5, 0.9))
    return HoursScore(
        name=name, median=median, mean=float(off.mean()), p90=p90, worst=float(off.max()), coverage=inside
    )


def by_device(rows: Sequence[Hours]) -> dict[str, list[Hours]]:
    """Rows by kind of device: "a100", "tpu-v3"."""
    found: dict[str, list[Hours]] = {}
    for one in rows:
        first, _, rest = one.device.partition("-")
        found.setdefault(f"{first}-{rest}" if first == "tpu" else first, []).append(one)
    return found


def errors(rows: Sequence[Hours]) -> FloatArray:
    """|predicted - stated| / stated of each row."""
    return np.array([abs((one.point or 0) / stated(one) - 1) for one in rows])


def best_constant(rows: Sequence[Hours]) -> float:
    """The constant utilisation whose median error is least."""
    shares: list[float] = np.linspace(0.1, 0.7, 121).tolist()
    return min(shares, key=lambda share: float(np.median(constant_errors(rows, share))))


def constant_errors(rows: Sequence[Hours], share: float) -> FloatArray:
    """The same at a constant utilisation."""
    return np.array([abs((one.flops or 0) / ((one.peak or 1) * share) / stated(one) - 1) for one in rows])


def stated(one: Hours) -> float:
    """Stated chip-seconds."""
    assert one.stated is not None
    return one.stated
