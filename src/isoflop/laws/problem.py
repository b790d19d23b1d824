"""A fit as the core sees it: free coordinates, rows, and an objective with gradient and curvature.

Coordinates of the law are a linear map of the free ones, `at = offset + free @ matrix.T`: the map holds fixed and tied
constants, and centres the logarithms of each term, which takes away the correlation of 0.999 between ln A and alpha.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from isoflop.laws.shape import PowerSum, Shape, centring, gradient_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws.objective import Objective
    from isoflop.quantity import FloatArray

BLOCK = 60_000
"""Numbers an array may have inside a step: what the caches of a core hold."""

FAR = 300.0
"""ln of a term over the loss beyond which it counts as this far: floats end at 709."""

_STEP = 1e-6
"""Relative step of second derivatives."""

Evaluated = tuple["FloatArray", "FloatArray", "FloatArray"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinates:
    """The map from free coordinates to those of a law, with the box that the free ones stay in."""

    names: tuple[str, ...]
    free: tuple[str, ...]
    offset: FloatArray
    matrix: FloatArray
    low: FloatArray
    high: FloatArray

    def full(self, free: FloatArray) -> FloatArray:
        """The law's coordinates."""
        return self.offset + free @ self.matrix.T

    def reduced(self, full: FloatArray) -> FloatArray:
        """The free coordinates nearest to the law's, moved into the box."""
        found = (full - self.offset) @ np.linalg.pinv(self.matrix).T
        return np.clip(found, self.low, self.high)


class Problem(Protocol):
    """Rows and a law: what the core minimises over free coordinates."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    @property
    def coordinates(self) -> Coordinates:
        """The free coordinates."""

    def evaluate(self, free: FloatArray, weights: FloatArray, objective: Objective) -> Evaluated:
        """Objective, gradient and curvature at each of a batch of points; weights are (rows) or (batch, rows)."""

    def residuals(self, free: FloatArray) -> FloatArray:
        """ln(law) - ln(measured), (batch, rows)."""

    def gradients(self, free: FloatArray) -> FloatArray:
        """Derivatives of ln(law) by the free coordinates at one point, (rows, free)."""


@dataclass(frozen=True)
class SumProblem:
    """A sum of powers: ln(term) = base + design @ free, less ln(measured)."""

    coordinates: Coordinates
    base: FloatArray  # terms x rows
    design: FloatArray  # terms x free x rows

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.base.shape[1])

    @cached_property
    def places(self) -> tuple[tuple[int, int], ...]:
        """Terms and free coordinates that meet."""
        return tuple((int(k), int(p)) for k, p in np.argwhere(np.abs(self.design).max(axis=2) > 0))

    @cached_property
    def pairs(self) -> tuple[tuple[int, int, int, FloatArray], ...]:
        """Terms, pairs of free coordinates in them, and the product of their columns."""
        return tuple(
            (k, p, q, self.design[k, p] * self.design[k, q])
            for k, p in self.places
            for other, q in self.places
            if other == k and p <= q
        )

    def _shares(self, free: FloatArray, rows: slice) -> tuple[FloatArray, FloatArray]:
        """Residuals (batch, rows) and shares of the terms in the loss (terms, batch, rows)."""
        terms = np.stack([free @ self.design[k, :, rows] + self.base[k, rows] for k in range(len(self.base))])
        np.clip(terms, -FAR, FAR, out=terms)
        np.exp(terms, out=terms)
        total = terms.sum(axis=0)
        terms /= total
        return np.log(total), terms

    def evaluate(self, free: FloatArray, weights: FloatArray, objective: Objective) -> Evaluated:
        """Objective, gradient and curvature at each point."""
        batch, size = free.shape
        value, gradient, curvature = np.zeros(batch), np.zeros((batch, size)), np.zeros((batch, size, size))
        step = max(1, BLOCK // batch)
        for start in range(0, self.rows, step):
            rows = slice(start, start + step)
            self._add(free, np.atleast_2d(weights)[:, rows], objective, rows, (value, gradient, curvature))
        lower = np.tril_indices(size, -1)
        curvature[:, lower[0], lower[1]] = curvature[:, lower[1], lower[0]]
        return value, gradient, curvature

    def _add(self, free: FloatArray, weights: FloatArray, objective: Objective, rows: slice, to: Evaluated) -> None:
        """Add what some rows bring. With p the shares and u the design: slopes sum p u, curvature of ln(loss)
        sum p u u' - slopes slopes'.
        """  # noqa: D205
        residual, shares = self._shares(free, rows)
        loss, slope, bend = objective.terms(residual)
        value, gradient, curvature = to
        value += np.einsum("br,br->b", *np.broadcast_arrays(loss, weights))
        slope = slope * weights
        bend = bend * weights - slope
        slopes: list[FloatArray] = [np.zeros(()) for _ in range(free.shape[1])]
        for k, p in self.places:
            slopes[p] = slopes[p] + shares[k] * self.design[k, p, rows]
        shares *= slope
        for p, by_p in enumerate(slopes):
            by_p = np.broadcast_to(by_p, residual.shape)  # noqa: PLW2901 - a coordinate that no term has
            gradient[:, p] += np.einsum("br,br->b", slope, by_p)
            bent = bend * by_p
            for q in range(p, len(slopes)):
                curvature[:, p, q] += np.einsum("br,br->b", bent, np.broadcast_to(slopes[q], residual.shape))
        for k, p, q, product in self.pairs:
            curvature[:, p, q] += shares[k] @ product[rows]

    def residuals(self, free: FloatArray) -> FloatArray:
        """ln(law) - ln(measured), (batch, rows)."""
        return self._shares(np.atleast_2d(free), slice(None))[0]

    def gradients(self, free: FloatArray) -> FloatArray:
        """Derivatives of ln(law) by the free coordinates at one point, (rows, free)."""
        shares = self._shares(np.atleast_2d(free), slice(None))[1][:, 0]
        found: FloatArray = np.einsum("kr,kpr->rp", shares, self.design)
        return found


@dataclass(frozen=True)
class CurveProblem:
    """Any other law: curvature is that of the residuals' squares, plus the law's own, which costs a gradient for each
    constant. `far` leaves it out and takes the parabola that lies above the objective (weights slope / residual), which
    never leads uphill; `bends` are the law's second derivatives of each row near one point, for refits that stay there.
    """  # noqa: D205

    coordinates: Coordinates
    shape: Shape
    columns: Mapping[str, FloatArray]
    log_loss: FloatArray
    far: bool = False
    bends: FloatArray | None = None  # rows x free * free

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.log_loss)

    def near(self, free: FloatArray) -> CurveProblem:
        """The same with the second derivatives of ln(law) taken at this point."""
        base, parts = self._slopes(free[None])[0], []
        for p in range(len(free)):
            moved = free.copy()
            moved[p] += _STEP * max(1.0, abs(free[p]))
            parts.append((self._slopes(moved[None])[0] - base) / (moved[p] - free[p]))
        found = np.stack(parts, axis=1)
        found = 0.5 * (found + np.swapaxes(found, 1, 2))
        return replace(self, bends=np.nan_to_num(found, posinf=0.0, neginf=0.0).reshape(self.rows, -1))

    def evaluate(self, free: FloatArray, weights: FloatArray, objective: Objective) -> Evaluated:
        """Objective, gradient and curvature at each point."""
        weights = np.atleast_2d(weights)
        with np.errstate(all="ignore"):  # a trial point far out is rejected because its objective is not finite
            residual = self.residuals(free)
            loss, slope, bend = objective.terms(residual)
            if self.far:
                bend = np.where(residual == 0.0, bend, slope / residual)
            slope, bend = slope * weights, bend * weights
            slopes = self._slopes(free)
            gradient = np.einsum("br,brp->bp", slope, slopes)
            curvature = np.swapaxes(bend[..., None] * slopes, 1, 2) @ slopes
            if self.bends is not None:
                curvature += (slope @ self.bends).reshape(curvature.shape)
            elif not self.far:
                curvature += self._own(free, slope, gradient)
        return (loss * weights).sum(axis=1), gradient, curvature

    def _own(self, free: FloatArray, slope: FloatArray, gradient: FloatArray) -> FloatArray:
        """What the law's own curvature adds, by differences of gradients."""
        found = np.zeros((*free.shape, free.shape[1]))
        for p in range(free.shape[1]):
            step = _STEP * np.maximum(1.0, np.abs(free[:, p]))
            moved = free.copy()
            moved[:, p] += step
            change = np.einsum("br,brp->bp", slope, self._slopes(moved)) - gradient
            found[:, p] += 0.5 * change / step[:, None]
            found[:, :, p] += 0.5 * change / step[:, None]
        return found

    def _slopes(self, free: FloatArray) -> FloatArray:
        return gradient_of(self.shape, self.coordinates.full(free), self.columns) @ self.coordinates.matrix

    def residuals(self, free: FloatArray) -> FloatArray:
        """ln(law) - ln(measured), (batch, rows)."""
        with np.errstate(all="ignore"):
            return self.shape.log_loss(self.coordinates.full(np.atleast_2d(free)), self.columns) - self.log_loss

    def gradients(self, free: FloatArray) -> FloatArray:
        """Derivatives of ln(law) by the free coordinates at one point, (rows, free)."""
        found: FloatArray = self._slopes(np.atleast_2d(free))[0]
        return found


def problem_of(
    shape: Shape,
    columns: Mapping[str, FloatArray],
    loss: FloatArray,
    *,
    fixed: Mapping[str, float],
    ties: Mapping[str, str],
    bounds: Mapping[str, tuple[float, float]],
) -> Problem:
    """The problem of fitting a shape; `ties` sends a coordinate to the one it equals."""
    logs = {name: np.log(columns[name]) for name in shape.inputs}
    centre = {name: float(values.mean()) for name, values in logs.items()}
    held = _coordinates(shape, centre, float(np.log(loss).mean()), (fixed, ties, bounds))
    if not isinstance(shape, PowerSum):
        return CurveProblem(held, shape, {name: columns[name] for name in shape.inputs}, np.log(loss))
    design = shape.log_design(logs)
    base = (design @ held.offset - np.log(loss)[:, None]).T
    return SumProblem(held, np.ascontiguousarray(base), np.ascontiguousarray((design @ held.matrix).transpose(1, 2, 0)))


Asked = tuple["Mapping[str, float]", "Mapping[str, str]", "Mapping[str, tuple[float, float]]"]


def _coordinates(shape: Shape, centre: Mapping[str, float], level: float, asked: Asked) -> Coordinates:
    """Fixed, tied and bounded coordinates as a map; scales of a sum are centred unless something is asked of them."""
    fixed, ties, bounds = asked
    names = shape.coordinates
    place = {name: index for index, name in enumerate(names)}
    free = tuple(name for name in names if name not in fixed and name not in ties)
    offset = np.array([fixed.get(name, 0.0) for name in names])
    matrix = np.zeros((len(names), len(free)))
    for name in names:
        leader = ties.get(name, name)
        if leader in fixed:
            offset[place[name]] = fixed[leader]
        else:
            matrix[place[name], free.index(leader)] = 1.0
    box = {**shape.bounds, **bounds}
    for term in centring(shape):
        if term.scale in {*fixed, *bounds, *ties, *ties.values()}:
            continue
        for power in term.powers:
            by = -power.sign * centre[power.column]
            offset[place[term.scale]] += by * offset[place[power.exponent]]
            matrix[place[term.scale]] += by * matrix[place[power.exponent]]
        if isinstance(shape, PowerSum):
            box.setdefault(term.scale, (level - 14.0, level + 14.0))
    low = np.array([box.get(name, (-np.inf, np.inf))[0] for name in free])
    high = np.array([box.get(name, (-np.inf, np.inf))[1] for name in free])
    return Coordinates(names=names, free=free, offset=offset, matrix=matrix, low=low, high=high)
