"""Where residuals vanish: all roots along one line, and Newton's method from many starts in several directions.

Everything happens in logarithms and on arrays: `residual(z)` takes z of shape (directions, n) and gives (directions,
n).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.quantity import FloatArray

    Residual = Callable[[FloatArray], FloatArray]

_GRID = 2048
_HALVINGS = 80
_TOUCH = 1e-13  # a residual this small at an extremum is a double root
_JUMP = 1e-6  # a residual larger than this where the sign changes is a jump (a ceil, a branch) and no root
_STEP = 1e-5  # of the central difference, in logarithms
_CONVERGED = 1e-11


@dataclass(frozen=True, slots=True)
class Nearest:
    """Where the residual comes closest to zero without reaching it, and by how much it misses."""

    position: float
    residual: float


def scan(residual: Residual, low: float, high: float) -> tuple[FloatArray, Nearest | None]:
    """All roots of a one-dimensional residual in [low, high], ascending; with none, the place that comes nearest.

    A pair of roots closer together than (high - low) / 2048 is found too: every local extremum between grid points
    that points to zero is refined first.
    """
    grid = np.linspace(low, high, _GRID)
    values = residual(grid[None, :])[0]
    grid, values = _with_extrema(residual, grid, values)
    touching = np.abs(values) < _TOUCH
    crossing = (np.sign(values[:-1]) * np.sign(values[1:]) < 0) & ~touching[:-1] & ~touching[1:]
    crossed = _bisect(residual, grid[:-1][crossing], grid[1:][crossing])
    if crossed.size:
        crossed = crossed[np.abs(residual(crossed[None, :])[0]) < _JUMP]
    roots = np.sort(np.concatenate([crossed, _merge(grid[touching])]))
    if roots.size or not np.any(np.isfinite(values)):
        return roots, None
    best = int(np.nanargmin(np.abs(values)))
    return roots, Nearest(float(grid[best]), float(values[best]))


def _with_extrema(residual: Residual, grid: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The grid, and between its points the minima of |residual| that do not change sign there."""
    size = np.abs(values)
    inner = (size[1:-1] <= size[:-2]) & (size[1:-1] <= size[2:]) & (values[:-2] * values[2:] > 0)
    left, right = grid[:-2][inner], grid[2:][inner]
    if not left.size:
        return grid, values
    ratio = (np.sqrt(5) - 1) / 2
    sign = np.sign(values[1:-1][inner])
    for _ in range(_HALVINGS):
        first, second = right - ratio * (right - left), left + ratio * (right - left)
        # The signed residual, so that a dip below zero goes on as a minimum instead of turning into a cusp.
        lower = sign * residual(first[None, :])[0] < sign * residual(second[None, :])[0]
        left, right = np.where(lower, left, first), np.where(lower, second, right)
    middle = (left + right) / 2
    at = residual(middle[None, :])[0]
    order = np.argsort(np.concatenate([grid, middle]), kind="stable")
    return np.concatenate([grid, middle])[order], np.concatenate([values, at])[order]


def _bisect(residual: Residual, left: FloatArray, right: FloatArray) -> FloatArray:
    """Roots between `left` and `right`, where the residual has opposite signs; all brackets at once."""
    if not left.size:
        return left
    sign = np.sign(residual(left[None, :])[0])
    for _ in range(_HALVINGS):
        middle = (left + right) / 2
        same = np.sign(residual(middle[None, :])[0]) == sign
        left, right = np.where(same, middle, left), np.where(same, right, middle)
    return (left + right) / 2


def _merge(points: FloatArray) -> FloatArray:
    """One of each cluster of points that the grid cannot tell apart."""
    if points.size < 2:
        return points
    first: FloatArray = points[np.concatenate([[True], np.diff(points) > _STEP])]
    return first


def newton(residual: Residual, start: FloatArray, *, rounds: int = 60) -> FloatArray:
    """Damped Newton steps from every column of `start`, shape (directions, n); what does not converge becomes NaN."""
    position = start.copy()
    directions = position.shape[0]
    for _ in range(rounds):
        at = residual(position)
        if np.nanmax(np.abs(at), initial=0.0) < _CONVERGED / 10:
            break
        jacobian = np.empty((position.shape[1], directions, directions))
        for axis in range(directions):
            shift = np.zeros((directions, 1))
            shift[axis] = _STEP
            jacobian[:, :, axis] = ((residual(position + shift) - residual(position - shift)) / (2 * _STEP)).T
        position = position - np.clip(_solve(jacobian, at), -1.0, 1.0)
    left_over = np.max(np.abs(residual(position)), axis=0)
    return np.where(left_over < _CONVERGED * 100, position, np.nan)


def _solve(jacobian: FloatArray, at: FloatArray) -> FloatArray:
    """Newton's step for each column; nothing where the Jacobian is singular."""
    finite = np.all(np.isfinite(jacobian), axis=(1, 2)) & np.all(np.isfinite(at), axis=0)
    determinant = np.zeros(len(jacobian))
    determinant[finite] = np.linalg.det(jacobian[finite])
    usable = np.isfinite(determinant) & (np.abs(determinant) > 1e-14)
    step = np.zeros_like(at)
    if np.any(usable):
        step[:, usable] = np.linalg.solve(jacobian[usable], at.T[usable][:, :, None])[:, :, 0].T
    return step


def distinct(roots: FloatArray) -> FloatArray:
    """The different finite columns of `roots`, shape (directions, n), in ascending order of the first row."""
    finite = roots[:, np.all(np.isfinite(roots), axis=0)]
    _, keep = np.unique(np.round(finite, 6), axis=1, return_index=True)
    return finite[:, np.sort(keep)][:, np.argsort(finite[0, np.sort(keep)])]
