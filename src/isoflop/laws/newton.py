"""The one minimiser: Newton steps with Levenberg's damping inside a box, for a whole batch of starts or resamples.

Each member of the batch has its own damping and leaves when its predicted decrease is nothing beside its objective.
What it returns carries the certificate: gradient, predicted decrease, whether it converged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from isoflop.laws.objective import Objective
    from isoflop.laws.problem import Problem
    from isoflop.laws.runs import BoolArray
    from isoflop.quantity import FloatArray

SETTLED = 1e-13
"""Predicted decrease over the objective at which a minimum is found."""

NOTHING = 1e-22
"""Objective per unit of weight that counts as zero: residuals of 1e-11."""

CHUNK = 256
_FIRST_DAMPING = 1e-3
_LEAST_DAMPING = 1e-12
_MOST_DAMPING = 1e12
_HOPELESS = 1e30  # a curvature that no damping makes positive is not a number: the member stays where it is
_SWAPS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """Where each member of a batch ended: free coordinates, objective, and the certificate.

    `gradient` is the largest component that the box does not hold back, times the spread a coordinate has
    (1 / sqrt(curvature)), over sqrt(objective): no unit. `decrease` is what another Newton step would gain, over the
    objective.
    """

    free: FloatArray
    value: FloatArray
    gradient: FloatArray
    decrease: FloatArray
    converged: BoolArray
    steps: FloatArray


def minimise(
    problem: Problem,
    starts: FloatArray,
    weights: FloatArray,
    objective: Objective,
    *,
    settled: float = SETTLED,
    most: int = _SWAPS,
) -> Minimum:
    """The minimum that each start leads to, or where `most` steps end; weights are (rows), or (starts, rows)."""
    parts = []
    for begin in range(0, len(starts), CHUNK):
        own = weights if weights.ndim == 1 else weights[begin : begin + CHUNK]
        parts.append(_minimise(problem, starts[begin : begin + CHUNK], own, objective, (settled, most)))
    if len(parts) == 1:
        return parts[0]
    names = Minimum.__slots__
    return Minimum(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _minimise(
    problem: Problem, starts: FloatArray, weights: FloatArray, objective: Objective, ends: tuple[float, int]
) -> Minimum:
    settled, most = ends
    box = problem.coordinates.low, problem.coordinates.high
    free = np.clip(starts, *box)
    value, gradient, curvature = problem.evaluate(free, weights, objective)
    value = np.where(np.isfinite(value), value, np.inf)
    damping = np.full(len(free), _FIRST_DAMPING)
    gained = np.full(len(free), np.inf)
    steps = np.zeros(len(free))
    floor = NOTHING * np.broadcast_to(weights, (len(free), problem.rows)).sum(axis=1)
    live = np.flatnonzero(np.isfinite(value))
    for _ in range(most):
        if not live.size:
            break
        step, predicted, damping[live] = newton_step(free[live], gradient[live], curvature[live], damping[live], box)
        gained[live] = predicted * (1.0 + damping[live])
        trial = np.clip(free[live] + step, *box)
        own = weights if weights.ndim == 1 else weights[live]
        new = problem.evaluate(trial, own, objective)
        steps[live] += 1
        better = new[0] <= value[live]
        done = gained[live] <= settled * value[live] + floor[live]
        moved = live[better]
        free[moved], value[moved] = trial[better], new[0][better]
        gradient[moved], curvature[moved] = new[1][better], new[2][better]
        damping[live] = np.where(better, np.maximum(damping[live] / 10.0, _LEAST_DAMPING), damping[live] * 8.0)
        live = live[~(done | (damping[live] > _MOST_DAMPING))]
    return _certified(free, (value, gradient, curvature), box, settled, floor, steps)


def _certified(
    free: FloatArray,
    at: tuple[FloatArray, FloatArray, FloatArray],
    box: tuple[FloatArray, FloatArray],
    settled: float,
    floor: FloatArray,
    steps: FloatArray,
) -> Minimum:
    """The certificate, worked out anew where each member ended."""
    value, gradient, curvature = at
    fine = np.isfinite(value)
    decrease = np.full(len(free), np.inf)
    scaled = np.full(len(free), np.inf)
    if fine.any():
        _, predicted, damping = newton_step(
            free[fine], gradient[fine], curvature[fine], np.full(int(fine.sum()), _LEAST_DAMPING), box
        )
        held = _held(free[fine], gradient[fine], box)
        spread = 1.0 / np.sqrt(np.maximum(np.abs(np.diagonal(curvature[fine], axis1=1, axis2=2)), 1e-300))
        least = np.maximum(np.maximum(value[fine], floor[fine]), 1e-300)  # without any weight both are 0
        size = np.sqrt(least)
        scaled[fine] = np.max(np.where(held, 0.0, np.abs(gradient[fine]) * spread), axis=1) / size
        decrease[fine] = predicted * (1.0 + damping) / least
    # Rounding ends the descent a little before the last decrease that the curvature promises.
    converged = decrease <= max(1e3 * settled, 1e-9)
    return Minimum(free=free, value=value, gradient=scaled, decrease=decrease, converged=converged, steps=steps)


def _held(free: FloatArray, gradient: FloatArray, box: tuple[FloatArray, FloatArray]) -> BoolArray:
    """Coordinates at a wall of the box that the descent would push through."""
    low, high = box
    held: BoolArray = ((free <= low) & (gradient > 0)) | ((free >= high) & (gradient < 0))
    return held


def newton_step(
    free: FloatArray,
    gradient: FloatArray,
    curvature: FloatArray,
    damping: FloatArray,
    box: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Step, the decrease it promises, and the damping that made the curvature positive definite."""
    held = _held(free, gradient, box)
    slope = np.where(held, 0.0, gradient)
    matrix = np.where(held[:, :, None] | held[:, None, :], 0.0, curvature)
    size = free.shape[1]
    index = np.arange(size)
    diagonal = np.abs(matrix[:, index, index])
    diagonal = np.maximum(diagonal, 1e-9 * diagonal.max(axis=1, keepdims=True) + 1e-280)
    matrix[:, index, index] = np.where(held, diagonal, matrix[:, index, index])
    damping = damping.copy()
    step = np.zeros_like(free)
    open_ = np.arange(len(free))
    while open_.size:
        damped = matrix[open_].copy()
        damped[:, index, index] += damping[open_, None] * diagonal[open_]
        found, definite = _solve(damped, -slope[open_], diagonal[open_])
        step[open_[definite]] = found[definite]
        open_ = open_[~definite]
        damping[open_] = np.maximum(10.0 * damping[open_], 1e-4)
        open_ = open_[damping[open_] < _HOPELESS]
    bent = np.einsum("bpq,bq->bp", matrix, step)
    predicted = -(slope * step).sum(axis=1) - 0.5 * (step * bent).sum(axis=1)
    return step, np.maximum(predicted, 0.0), damping


def _solve(matrix: FloatArray, right: FloatArray, scale: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Solutions of a batch of small symmetric systems by Cholesky's way, and which matrices are positive definite."""
    size = matrix.shape[1]
    lower = matrix  # overwritten column by column
    definite: BoolArray = np.asarray(np.isfinite(matrix).all(axis=(1, 2)))
    solution = right.copy()
    with np.errstate(all="ignore"):
        for j in range(size):
            pivot = lower[:, j, j] - (lower[:, j, :j] ** 2).sum(axis=1)
            definite &= pivot > 1e-13 * scale[:, j]
            root = np.sqrt(np.where(definite, pivot, 1.0))
            lower[:, j, j] = root
            solution[:, j] = (solution[:, j] - (lower[:, j, :j] * solution[:, :j]).sum(axis=1)) / root
            for i in range(j + 1, size):
                lower[:, i, j] = (lower[:, i, j] - (lower[:, i, :j] * lower[:, j, :j]).sum(axis=1)) / root
        for j in reversed(range(size)):
            solution[:, j] = (solution[:, j] - (lower[:, j + 1 :, j] * solution[:, j + 1 :]).sum(axis=1)) / lower[
                :, j, j
            ]
    definite &= np.isfinite(solution).all(axis=1)
    return solution, definite
