"""One form fitted to many parts of the same runs at once: parts are weights of 0 and 1, so all go down in one batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import UntrustworthyFit
from isoflop.laws.fitting import refuse_thin, weights_of
from isoflop.laws.newton import minimise
from isoflop.laws.objective import Objective
from isoflop.laws.problem import CurveProblem, problem_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.laws.fitting import Options
    from isoflop.laws.problem import Problem
    from isoflop.laws.runs import BoolArray, Runs
    from isoflop.laws.shape import Shape
    from isoflop.quantity import FloatArray

STARTS, CURVED_STARTS = 24, 10
"""How many starts each part gets, of the form's own: sums of powers, and other forms."""

FINAL = 2
"""How many of them go on with the objective's own corner."""

_ROUGH, _FINE = 1e-4, 1e-7
_WIDER = 10.0
_STEPS = 40


def fit_parts(shape: Shape, runs: Runs, parts: Sequence[BoolArray], options: Options) -> list[FloatArray | None]:
    """Coordinates for each part; None where it cannot carry the form."""
    able = []
    for index, part in enumerate(parts):
        try:
            refuse_thin(shape, runs.where(part), options)
            able.append(index)
        except UntrustworthyFit:
            continue
    found: list[FloatArray | None] = [None] * len(parts)
    if able:
        for index, at in zip(able, _descend(shape, runs, [parts[index] for index in able], options), strict=True):
            found[index] = at
    return found


def _descend(shape: Shape, runs: Runs, parts: Sequence[BoolArray], options: Options) -> list[FloatArray]:
    inputs = {name: runs.columns[name] for name in shape.inputs}
    objective = Objective.of(options.loss, options.delta)
    problem = problem_of(shape, inputs, runs.loss, fixed={}, ties={}, bounds={})
    curved = isinstance(problem, CurveProblem)
    starts = problem.coordinates.reduced(shape.starts(inputs, runs.loss))
    most = CURVED_STARTS if curved else STARTS
    starts = starts[:: -(-len(starts) // most)]
    weights = np.stack([part.astype(np.float64) for part in parts]) * weights_of(runs, options.weights)
    at, light = np.tile(starts, (len(parts), 1)), np.repeat(weights, len(starts), axis=0)
    finite = np.isfinite(objective.delta)
    rough = replace(problem, far=True) if isinstance(problem, CurveProblem) else problem
    for corner in (_WIDER**2, _WIDER) if finite else (1.0,):
        found = minimise(
            rough, at, light, objective.wider(corner) if finite else objective, settled=_ROUGH, most=_STEPS
        )
        at = found.free
    values = np.where(np.isfinite(found.value), found.value, np.inf).reshape(len(parts), len(starts))
    best = np.argsort(values, axis=1, kind="stable")[:, :FINAL]
    chosen = at.reshape(len(parts), len(starts), -1)[np.arange(len(parts))[:, None], best]
    return _finish(problem, chosen, weights, objective)


def _finish(problem: Problem, chosen: FloatArray, weights: FloatArray, objective: Objective) -> list[FloatArray]:
    """The best of each part's last few (parts x few x free) at the objective asked for."""
    few = chosen.shape[1]
    if isinstance(problem, CurveProblem):
        problem = problem.near(chosen[0, 0])
    last = minimise(
        problem,
        chosen.reshape(-1, chosen.shape[2]),
        np.repeat(weights, few, axis=0),
        objective,
        settled=_FINE,
        most=_STEPS,
    )
    values = np.where(np.isfinite(last.value), last.value, np.inf).reshape(-1, few)
    ends = last.free.reshape(chosen.shape)
    return [problem.coordinates.full(ends[k, int(np.argmin(values[k]))]) for k in range(len(ends))]
