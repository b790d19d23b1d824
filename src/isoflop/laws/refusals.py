"""Refusals of a fit that say which constants the runs do not tell apart, and what the rows are instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import UntrustworthyFit

if TYPE_CHECKING:
    from isoflop.laws.objective import Objective
    from isoflop.laws.problem import Problem
    from isoflop.laws.result import Certificate
    from isoflop.laws.runs import Runs
    from isoflop.laws.shape import Shape
    from isoflop.quantity import FloatArray


def flattest(problem: Problem, free: FloatArray, weights: FloatArray, objective: Objective) -> tuple[str, ...]:
    """The free coordinates that trade against one another where the objective bends least, the first moves most."""
    curvature = problem.evaluate(free[None], weights, objective)[2][0]
    length = np.sqrt(np.maximum(np.abs(np.diagonal(curvature)), 1e-300))
    direction = np.abs(np.linalg.eigh(curvature / np.outer(length, length))[1][:, 0])
    order = np.argsort(direction)[::-1]
    return tuple(problem.coordinates.free[place] for place in order[:3] if direction[place] > 0.3)


def refuse_unsettled(certificate: Certificate, flat: tuple[str, ...], runs: Runs, shape: Shape) -> None:
    """Refuse a point that is no minimum, and say which constants the runs do not tell apart."""
    names = [name.removeprefix("ln_") for name in flat]
    one = f"--fix {names[0]}=VALUE" if names else "--fix"
    raise UntrustworthyFit(
        f"no start reached a minimum of {shape.name}: another step still promises {certificate.decrease:.1g} of the"
        f" objective. These runs do not tell {' and '.join(names) or 'its constants'} apart: hold one ({one}), tie two"
        f" (--tie), or take --loss soft-l1 or squared, which have no corners.{said_of_grids(runs, shape)}",
        missing=("runs that vary each input apart from the others",),
    )


def said_of_grids(runs: Runs, shape: Shape) -> str:
    """What to do where most rows share all that the law follows: they vary something else, a learning rate."""
    values = np.stack([runs.columns[name] for name in shape.inputs])
    settings = len(np.unique(values, axis=1).T)
    if runs.rows < 3 * settings or len(np.unique(runs.groups)) < runs.rows:
        return ""
    return (
        f" The {runs.rows:,} rows share {settings:,} settings of {' and '.join(shape.inputs)}: grids of something else."
        " --best keeps the best row of each; --law hyper follows learning rate and batch."
    )
