"""The spread of fitted constants: refits of resampled runs, and the sandwich of gradients and curvature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput
from isoflop.laws.newton import CHUNK, minimise
from isoflop.laws.problem import CurveProblem, SumProblem

if TYPE_CHECKING:
    import numpy.typing as npt

    from isoflop.laws.fitting import Options
    from isoflop.laws.objective import Objective
    from isoflop.laws.problem import Problem
    from isoflop.quantity import FloatArray

NORMAL = 20_000
"""Rows beyond which resampling tells nothing that the normal limit does not."""

ENGINES = ("auto", "numpy", "numba")
_LOOSE = 1e-7  # of the objective: a resample moves it by some per cent, and long valleys take many steps to their end
_MOST = 100  # steps; the few resamples that go on creep along a valley
_WORTH = 20_000_000  # rows times refits for which loading numba pays


def group_count(groups: npt.NDArray[np.int64]) -> int:
    """How many runs there are; rows in order, each its own run, are counted without sorting."""
    if len(groups) and (np.diff(groups) > 0).all():
        return len(groups)
    return len(np.unique(groups))


def sums_by_group(values: FloatArray, groups: npt.NDArray[np.int64]) -> FloatArray:
    """Rows of values added up within each run."""
    if group_count(groups) == len(groups):
        return values
    _, member = np.unique(groups, return_inverse=True)
    return np.stack([np.bincount(member.reshape(-1), column) for column in values.T], axis=1)


def group_weights(groups: npt.NDArray[np.int64], n: int, rng: np.random.Generator) -> FloatArray:
    """Weights of n resamples (n x rows): whole runs are drawn with replacement, so their checkpoints stay together."""
    _, member = np.unique(groups, return_inverse=True)
    count = int(member.max()) + 1
    drawn = rng.multinomial(count, np.full(count, 1.0 / count), size=n)
    return drawn[:, member.reshape(-1)].astype(np.float64)


def bootstrap(
    problem: Problem,
    free: FloatArray,
    data: tuple[FloatArray, npt.NDArray[np.int64]],
    objective: Objective,
    options: Options,
) -> FloatArray:
    """Free coordinates of refits to resampled runs, each started from the fit to all (refits x free).

    A refit that does not converge is kept where it ended: leaving it out would narrow the spread.
    """
    weights, groups = data
    rng = np.random.default_rng(options.seed)
    parts = []
    fast = _fast(problem, options)
    if isinstance(problem, CurveProblem):
        problem = problem.near(free)
    size = CHUNK * 16 if fast else CHUNK
    size = max(1, min(size, 50_000_000 // problem.rows))
    for begin in range(0, options.bootstrap, size):
        count = min(size, options.bootstrap - begin)
        drawn = group_weights(groups, count, rng) * weights
        starts = np.repeat(free[None], count, axis=0)
        if fast:
            from isoflop.laws.newton_fast import minimise_fast

            assert isinstance(problem, SumProblem)
            parts.append(minimise_fast(problem, starts, drawn, objective))
        else:
            if isinstance(problem, CurveProblem):
                found = minimise(problem, starts, drawn, objective, settled=_LOOSE, most=_MOST)
            else:  # sums of powers go to the end of their valleys: an end too soon would make intervals too narrow
                found = minimise(problem, starts, drawn, objective, settled=1e-10)
            parts.append(found.free)
    return np.concatenate(parts)


def _fast(problem: Problem, options: Options) -> bool:
    """Whether the compiled core serves this problem, and is there."""
    if options.engine not in ENGINES:
        raise BadInput(f"no engine '{options.engine}'; known are {', '.join(ENGINES)}")
    if options.engine == "numpy" or not isinstance(problem, SumProblem):
        return False
    from importlib.util import find_spec

    there = find_spec("numba") is not None
    if options.engine == "numba" and not there:
        raise BadInput("engine numba needs the extra 'fast': pip install 'isoflop[fast]'; numpy gives the same numbers")
    return there and (options.engine == "numba" or problem.rows * options.bootstrap > _WORTH)


def covariance_of(
    problem: Problem,
    free: FloatArray,
    weights: FloatArray,
    groups: npt.NDArray[np.int64],
    objective: Objective,
) -> FloatArray:
    """The sandwich H^-1 S H^-1, with the scores S summed within each run: what resampling tends to.

    Huber's corners have no curvature outside, so H takes the density of residuals near zero for it, smoothed over
    their own spread.
    """
    residuals = problem.residuals(free)[0]
    spread = 1.4826 * float(np.median(np.abs(residuals))) + 1e-300
    wide = objective.wider(max(1.0, spread / objective.delta)) if objective.sharp else objective
    slopes = problem.gradients(free)
    # The slope of the smoothed corner is that of the sharp one, so its curvature is taken in the sharp one's scale.
    scale = objective.delta / wide.delta if objective.sharp else 1.0
    bend = problem.evaluate(free[None], weights, wide)[2][0] * scale
    score = (objective.terms(residuals)[1] * weights)[:, None] * slopes
    summed = sums_by_group(score, groups)
    inverse = np.linalg.pinv(bend, rcond=1e-14, hermitian=True)
    found: FloatArray = inverse @ (summed.T @ summed) @ inverse
    return found


def normal_draws(free: FloatArray, covariance: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """Draws from the normal of this covariance; a direction without spread stays where it is."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    found: FloatArray = free + rng.standard_normal((n, len(free))) @ root.T
    return found
