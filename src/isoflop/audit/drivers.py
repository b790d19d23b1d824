"""What drives an answer: elasticities, tornado, shares of variance, and how well an input would have to be known."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

from isoflop.audit.corrected import AMENDS
from isoflop.errors import BadInput
from isoflop.relation.sweep import ends
from isoflop.relation.uncertainty import shares

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from isoflop.audit.corrected import Chain
    from isoflop.quantity import FloatArray, Real

MOST = 200
"""Inputs of one answer that are looked at, the uncertain ones first."""

_SHIFT = 1e-3
_ROUNDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One input of an answer.

    `elasticity` is d ln(answer) / d ln(input); None where the input or the answer is not positive. `low` and `high` are
    the answer with this input alone at its 5 and 95 % points (the bounds of a hard range). `share` is the part of the
    variance of ln(answer) that it brings; `left` what is left if it were known exactly.
    """

    key: str
    label: str
    elasticity: float | None
    low: float
    high: float
    share: float

    @property
    def left(self) -> float:
        """The part of the variance that is left if this input were known."""
        return max(0.0, 1 - self.share)

    @property
    def swing(self) -> float:
        """How far the answer moves between both ends, as |ln|."""
        return abs(log(self.high) - log(self.low)) if 0 < self.low < inf and 0 < self.high < inf else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """The answer at one step of the chain put right and its drivers, the strongest first."""

    step: str
    value: float
    low: float
    high: float
    drivers: tuple[Driver, ...]

    @property
    def factor(self) -> float:
        """The answer is known to x/÷ this at 90 %."""
        return sqrt(self.high / self.low) if self.low > 0 else inf


def sensitivity(chain: Chain, step: str, draws: Mapping[str, Real]) -> Sensitivity:
    """What the answer at `step` depends on; `draws` are the chain's."""
    point = chain.medians()
    behind = chain.behind(step)
    keys = sorted((key for key in chain.roots if key in behind), key=lambda key: chain.roots[key].is_point)[:MOST]
    with np.errstate(all="ignore"):
        value = float(chain.run(point)[step])
        slopes = _elasticities(chain, step, point, keys)
        swings = _tornado(chain, step, point, keys)
        column = np.asarray(chain.run(draws)[step], dtype=np.float64)
    low, high, parts = value, value, dict[str, float]()
    if column.ndim:
        kept = column[np.isfinite(column)]
        low, high = ends(kept) if kept.size > 1 else (value, value)
        loose = {key: np.asarray(draws[key]) for key in chain.loose() if key in slopes}
        parts = shares(loose, column, {key: slope for key, slope in slopes.items() if slope is not None})
    drivers = [
        Driver(
            key=key,
            label=chain.names[key],
            elasticity=slopes[key],
            low=swings.get(key, (value, value))[0],
            high=swings.get(key, (value, value))[1],
            share=parts.get(key, 0.0),
        )
        for key in keys
        if key in swings or (slopes[key] and not key.startswith(AMENDS))
    ]
    drivers.sort(key=lambda one: (-one.share, -one.swing, -abs(one.elasticity or 0.0), one.label))
    return Sensitivity(step=step, value=value, low=low, high=high, drivers=tuple(drivers))


def _elasticities(chain: Chain, step: str, point: Mapping[str, float], keys: Sequence[str]) -> dict[str, float | None]:
    """Central differences for all of `keys` in one call of 2k columns."""
    columns: dict[str, Real] = dict(point)
    for place, key in enumerate(keys):
        column = np.full(2 * len(keys), point[key])
        column[2 * place : 2 * place + 2] *= np.exp((_SHIFT, -_SHIFT))
        columns[key] = column
    logs = np.log(np.broadcast_to(chain.run(columns)[step], (2 * len(keys),)))
    slopes = (logs[::2] - logs[1::2]) / (2 * _SHIFT)
    return {
        key: round(float(slope), 6) if np.isfinite(slope) else None for key, slope in zip(keys, slopes, strict=True)
    }


def _tornado(
    chain: Chain, step: str, point: Mapping[str, float], among: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """The answer with one uncertain input at a time at its ends."""
    keys = [key for key in among if not chain.roots[key].is_point]
    if not keys:
        return {}
    columns: dict[str, Real] = dict(point)
    for place, key in enumerate(keys):
        column = np.full(2 * len(keys), point[key])
        column[2 * place : 2 * place + 2] = chain.roots[key].low, chain.roots[key].high
        columns[key] = column
    outcome = np.broadcast_to(chain.run(columns)[step], (2 * len(keys),)).tolist()
    found = {key: (outcome[2 * place], outcome[2 * place + 1]) for place, key in enumerate(keys)}
    return {key: pair for key, pair in found.items() if pair[0] != pair[1]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """How well one input has to be known for the answer to be within the factor asked: x/÷ `factor` at 90 %.

    `now` is how well it is known. `factor` is None where even knowing it exactly is not enough; `reached` then is what
    the answer would be known to.
    """

    key: str
    label: str
    now: float
    factor: float | None
    reached: float


def needed(chain: Chain, step: str, within: float, draws: Mapping[str, Real]) -> tuple[Needed, ...]:
    """For each uncertain input: how well it must be known, the others as they are, for the answer to be x/÷ `within`.

    Draws of the input are drawn towards its median, in logarithms, until 90 % of the answers lie within the factor.
    Raises: BadInput for a factor that is not above 1.
    """
    if not 1 < within < inf:
        raise BadInput(f"within={within:g}: give the factor that the answer may be off by, above 1: 1.1 is 10 %.")
    found = []
    behind = chain.behind(step)
    for key in [key for key in chain.loose() if key in behind][:MOST]:
        column, middle = np.asarray(draws[key]), chain.roots[key].median
        if middle <= 0 or np.any(column <= 0):
            continue

        def width(shrink: float, key: str = key, column: FloatArray = column, middle: float = middle) -> float:
            moved = {**draws, key: middle * (column / middle) ** shrink}
            with np.errstate(all="ignore"):
                answers = np.asarray(chain.run(moved)[step], dtype=np.float64)
            return _factor(answers)

        shrink = _largest(width, within)
        low, high = ends(column)
        now = sqrt(high / low)
        factor = None if shrink is None else now**shrink
        found.append(
            Needed(
                key=key,
                label=chain.names[key],
                now=now,
                factor=factor,
                reached=width(0.0 if shrink is None else shrink),
            )
        )
    return tuple(found)


def _factor(answers: FloatArray) -> float:
    if not answers.ndim:
        return 1.0
    low, high = ends(answers[np.isfinite(answers)])
    return sqrt(high / low) if low > 0 else inf


def _largest(width: Callable[[float], float], within: float) -> float | None:
    """The largest part of an input's spread with which the answer is within the factor; None where there is none."""
    if width(1.0) <= within:
        return 1.0
    if width(0.0) > within:
        return None
    low, high = 0.0, 1.0
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        low, high = (middle, high) if width(middle) <= within else (low, middle)
        if high - low < 1e-4:
            break
    return low
