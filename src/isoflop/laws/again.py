"""A fit taken up again: its problem rebuilt from the runs, for what looks at the minimum's surroundings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, UnknownName
from isoflop.laws.choose.blend import Blend
from isoflop.laws.fitting import usable
from isoflop.laws.newton import minimise
from isoflop.laws.problem import problem_of
from isoflop.laws.resample import covariance_of, sums_by_group
from isoflop.laws.result import target_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from isoflop.laws.problem import Problem
    from isoflop.laws.result import Fit
    from isoflop.laws.runs import Runs
    from isoflop.quantity import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The best objective at each fixed value of a constant, above the minimum, and the interval it gives.

    `low` and `high` are where the objective rises by what chance allows at this level; infinite where it never does.
    `minima` counts the valleys of the curve: more than one is a constant that the runs do not settle.
    """

    name: str
    values: FloatArray
    above: FloatArray
    threshold: float
    level: float
    low: float
    high: float
    minima: int


def problem_again(fit: Fit, runs: Runs, fixed: Mapping[str, float] | None = None) -> tuple[Problem, Runs]:
    """The problem of a fit, perhaps with further constants fixed, and the rows it takes."""
    if isinstance(fit.shape, Blend):
        raise BadInput("several forms averaged have no one constant to look at; fit one of them by its name")
    kept = usable(runs, fit.shape)
    inputs = {name: kept.columns[name] for name in fit.shape.inputs}
    held = MappingProxyType({**fit.fixed, **(fixed or {})})
    problem = problem_of(fit.shape, inputs, kept.columns[target_of(fit.shape)], fixed=held, ties=fit.ties, bounds={})
    return problem, kept


def profile(
    fit: Fit, runs: Runs, name: str, values: FloatArray | None = None, *, points: int = 25, level: float = 0.8
) -> Profile:
    """The profile of one coordinate: everything else fitted anew at each of its values.

    Without `values`, four standard errors to either side.
    """
    names = fit.shape.coordinates
    name = name if name in names else f"ln_{name}"
    if name not in names or name in fit.fixed or name in fit.ties:
        raise UnknownName("free constant", name.removeprefix("ln_"), names)
    if not 0 < level < 1:
        raise BadInput(f"a level lies between 0 and 1; {level:g} was given")
    place = names.index(name)
    middle, error = float(fit.at[place]), fit.errors[name]
    grid = np.linspace(middle - 4 * error, middle + 4 * error, points) if values is None else np.sort(values)
    at = np.full(len(grid), np.inf)
    first = int(np.argmin(np.abs(grid - middle)))
    for order in (range(first, len(grid)), range(first - 1, -1, -1)):
        start = fit.at.copy()
        for index in order:
            start, at[index] = _refit(fit, runs, {name: float(grid[index])}, start)
    threshold = _threshold(fit, runs, level)
    above = at - fit.certificate.objective
    low, high = _crossings(grid, above, threshold, middle)
    valleys = int(((above[1:-1] < above[:-2]) & (above[1:-1] <= above[2:])).sum())
    return Profile(
        name=name,
        values=grid,
        above=above,
        threshold=threshold,
        level=level,
        low=low,
        high=high,
        minima=max(valleys, 1),
    )


def _refit(fit: Fit, runs: Runs, fixed: Mapping[str, float], start: FloatArray) -> tuple[FloatArray, float]:
    problem, kept = problem_again(fit, runs, fixed)
    free = problem.coordinates.reduced(start)[None]
    found = minimise(problem, free, np.ones(kept.rows), fit.objective, settled=1e-11)
    return problem.coordinates.full(found.free[0]), float(found.value[0])


def _threshold(fit: Fit, runs: Runs, level: float) -> float:
    """The rise that chance allows: half the quantile of chi squared, times scores over curvature."""
    problem, kept = problem_again(fit, runs)
    free = problem.coordinates.reduced(fit.at)
    weights = np.ones(kept.rows)
    spread = covariance_of(problem, free, weights, kept.groups, fit.objective)
    slopes = problem.gradients(free)
    score = fit.objective.terms(problem.residuals(free)[0])[1][:, None] * slopes
    summed = sums_by_group(score, kept.groups)
    # trace(S C) = trace(S H^-1 S H^-1); for one matrix twice this is p (S/H)^2.
    ratio = np.sqrt(max(float(np.trace(summed.T @ summed @ spread)) / len(free), 0.0))
    quantile = NormalDist().inv_cdf(0.5 + level / 2) ** 2
    return 0.5 * quantile * float(ratio)


def _crossings(grid: FloatArray, above: FloatArray, threshold: float, middle: float) -> tuple[float, float]:
    inside = above <= threshold
    if not inside.any():
        return middle, middle
    first, last = np.flatnonzero(inside)[[0, -1]]

    def cross(one: int, other: int) -> float:
        share = (threshold - above[one]) / (above[other] - above[one])
        return float(grid[one] + share * (grid[other] - grid[one]))

    low = -np.inf if first == 0 else cross(int(first), int(first) - 1)
    high = np.inf if last == len(grid) - 1 else cross(int(last), int(last) + 1)
    return low, high


def influence(fit: Fit, runs: Runs) -> FloatArray:
    """How far leaving out each used row would move each coordinate, to first order (rows x coordinates)."""
    problem, kept = problem_again(fit, runs)
    free = problem.coordinates.reduced(fit.at)
    residuals = problem.residuals(free)[0]
    spread = 1.4826 * float(np.median(np.abs(residuals))) + 1e-300
    sharp = fit.objective.sharp
    wide = fit.objective.wider(max(1.0, spread / fit.objective.delta)) if sharp else fit.objective
    scale = fit.objective.delta / wide.delta if sharp else 1.0
    bend = problem.evaluate(free[None], np.ones(kept.rows), wide)[2][0] * scale
    score = fit.objective.terms(residuals)[1][:, None] * problem.gradients(free)
    moved = score @ np.linalg.pinv(bend, rcond=1e-14, hermitian=True)
    found: FloatArray = moved @ problem.coordinates.matrix.T
    return found


def without(fit: Fit, runs: Runs, rows: npt.NDArray[np.int64]) -> FloatArray:
    """The coordinates fitted anew without these rows (numbers among the used rows)."""
    problem, kept = problem_again(fit, runs)
    weights = np.ones(kept.rows)
    weights[rows] = 0.0
    start = problem.coordinates.reduced(fit.at)[None]
    return problem.coordinates.full(minimise(problem, start, weights, fit.objective, settled=1e-11).free[0])


def refit(fit: Fit, runs: Runs, objective: str) -> FloatArray:
    """The coordinates under another loss, from this fit's minimum."""
    from isoflop.laws.objective import Objective

    other = replace(fit, objective=Objective.of(objective))
    problem, kept = problem_again(other, runs)
    start = problem.coordinates.reduced(fit.at)[None]
    return problem.coordinates.full(minimise(problem, start, np.ones(kept.rows), other.objective).free[0])
