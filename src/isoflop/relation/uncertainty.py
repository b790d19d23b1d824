"""A route under uncertainty: bounds or draws, what moves the result, which input brings how much of the variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.quantity import quantity
from isoflop.relation.evaluate import run_many
from isoflop.relation.sweep import ends

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from isoflop.quantity import FloatArray, Real
    from isoflop.relation.answer import Fact
    from isoflop.relation.route import Route

REST = "laws and interactions"
"""The name under which `shares` holds the variance that no single input brings."""

LAW = "the law's own spread"
"""The same where nothing but the constants of a fitted law varies."""

EXACT = 1e-9
"""Relative rounding that is no difference."""

_MOST_CORNERS = 12
_SHIFT = 1e-3
_LINEAR = 0.95
_NOTICEABLE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """The route under uncertainty: each quantity's low and high, the draws behind them (inputs and targets)."""

    low: Mapping[str, float]
    high: Mapping[str, float]
    hard: bool
    inputs: Mapping[str, FloatArray]
    targets: Mapping[str, FloatArray]


def elasticities(route: Route, point: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Slopes d ln(target) / d ln(leaf) for every target and leaf, by central differences in one call of 2k columns."""
    leaves = [key for key in route.leaves if point[key] > 0]
    size = 2 * len(leaves)
    columns: dict[str, Real] = {key: point[key] for key in route.leaves}
    for index, key in enumerate(leaves):
        shifted = np.full(size, point[key])
        shifted[2 * index : 2 * index + 2] *= np.exp((_SHIFT, -_SHIFT))
        columns[key] = shifted
    outcome = run_many(route, columns, point)
    found = {}
    for target in route.targets:
        with np.errstate(all="ignore"):
            logs = np.log(np.broadcast_to(outcome[target], (size,)))
        slopes = (logs[::2] - logs[1::2]) / (2 * _SHIFT)
        found[target] = {key: float(slope) for key, slope in zip(leaves, slopes, strict=True) if np.isfinite(slope)}
    return found


def uncertain(
    route: Route, leaves: Mapping[str, Fact], point: Mapping[str, float], samples: int, seed: int
) -> Uncertainty:
    """Low and high of everything on the route: hard bounds where only hard ranges are uncertain, else from draws."""
    loose = [key for key, fact in leaves.items() if not fact.spread.is_point]
    drawn = [relation for step in route.steps for relation in step.relations if relation.draw]
    if not loose and not drawn:
        return Uncertainty(low=point, high=point, hard=False, inputs={}, targets={})
    rng = np.random.default_rng(seed)
    hard = not drawn and len(loose) <= _MOST_CORNERS and all(leaves[key].spread.is_hard for key in loose)
    if hard:
        columns = _corners(leaves, loose)
        outcome = _draws(route, {key: columns.get(key, point[key]) for key in route.leaves}, point)
        # A corner without a solution bounds nothing: then draws, of which those that have one are counted.
        hard = all(np.all(np.isfinite(outcome[target])) for target in route.targets)
    if not hard:
        columns = {key: leaves[key].spread.sample(rng, samples) for key in loose}
        # Points stay floats: NumPy broadcasts them, and a chain of floats costs nothing per sample.
        inputs: dict[str, Real] = {key: columns.get(key, point[key]) for key in route.leaves}
        if not columns:
            inputs[route.leaves[0]] = np.full(samples, point[route.leaves[0]])
        outcome = _draws(route, inputs, point, rng)
    low, high = dict(point), dict(point)
    for key, column in outcome.items():
        kept = np.asarray(column)[np.isfinite(column)] if np.size(column) > 1 else np.empty(0)
        if kept.size:
            low[key], high[key] = (float(kept.min()), float(kept.max())) if hard else ends(kept)
    for key in loose:  # what went in is known exactly; its draws only come near
        low[key], high[key] = leaves[key].spread.low, leaves[key].spread.high
    targets = {key: np.asarray(outcome[key]) for key in route.targets if np.size(outcome[key]) > 1 and not hard}
    return Uncertainty(low=low, high=high, hard=hard, inputs=columns, targets=targets)


def _draws(
    route: Route, inputs: Mapping[str, Real], point: Mapping[str, float], rng: np.random.Generator | None = None
) -> dict[str, Real]:
    """The route on many points; where something computed leaves its domain (a share above 1) all is NaN."""
    outcome = run_many(route, inputs, point, rng)
    computed = [key for step in route.steps for key in step.gives if np.size(outcome[key]) > 1]
    wrong: list[npt.NDArray[np.bool_]] = []
    for key in computed:
        column, domain = np.asarray(outcome[key]), quantity(key).domain
        low, high = -np.inf if domain == "real" else 0.0, 1 + EXACT if domain == "fraction" else np.inf
        if not (column.min() > low and column.max() < high):
            wrong.append(~((column > low) & (column < high)))
    if wrong:
        nowhere = np.logical_or.reduce(np.broadcast_arrays(*wrong))
        outcome.update({key: np.where(nowhere, np.nan, outcome[key]) for key in computed})
    return outcome


def _corners(leaves: Mapping[str, Fact], loose: Sequence[str]) -> dict[str, FloatArray]:
    """All combinations of the ends of the hard ranges: the bounds of whatever is monotone in each of them."""
    index = np.arange(2 ** len(loose))
    return {
        key: np.where(index >> position & 1, leaves[key].spread.high, leaves[key].spread.low).astype(float)
        for position, key in enumerate(loose)
    }


def shares(columns: Mapping[str, FloatArray], result: FloatArray, slopes: Mapping[str, float]) -> dict[str, float]:
    """The part of the variance of ln(result) that each input brings.

    From elasticities (`slopes`) where the result is close to a power law of its inputs (R2 >= 0.95), else from the
    variance of conditional means over 50 quantile bins of the same draws (first-order Sobol, biased up by about
    0.002). What is left is what fitted laws and interactions bring.
    """
    solved = np.isfinite(result)
    if not np.any(solved) or np.any(result[solved] <= 0):
        return {}
    logs = np.log(result[solved])
    total = float(logs.var())
    inputs = {key: np.log(column[solved]) for key, column in columns.items() if np.all(column > 0)}
    if total <= EXACT**2:
        return {}
    parts = {key: slopes.get(key, 0.0) * (column - column.mean()) for key, column in inputs.items()}
    residual = logs - logs.mean() - sum(parts.values())
    if float(residual.var()) <= (1 - _LINEAR) * total:
        found = {key: float(part.var()) / total for key, part in parts.items()}
    else:
        found = {key: _conditional_variance(column, logs) / total for key, column in inputs.items()}
    rest = 1 - sum(found.values())
    if not inputs:
        return {LAW: 1.0}
    return {**found, REST: rest} if rest > _NOTICEABLE else found


def _conditional_variance(column: FloatArray, logs: FloatArray, bins: int = 50) -> float:
    groups = np.array_split(logs[np.argsort(column)], bins)
    return float(np.var([group.mean() for group in groups]))
