"""The same question for many values of some facts at once, and the ends of an interval from draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.relation.evaluate import branches, run_many
from isoflop.relation.route import find_route

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.quantity import FloatArray, Real
    from isoflop.relation.answer import Fact
    from isoflop.relation.system import System


def sweep(
    system: System, facts: Sequence[Fact], targets: tuple[str, ...], columns: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Point values of `targets` where `columns` (arrays of one length, base units) stand in for some of the facts.

    No intervals and no derivation: one route, run once on arrays. The first entry of each column is where roots are
    searched; the others continue that branch, and are NaN where they cannot. Targets out of reach are left out.
    """
    known = {**system.defaults, **{fact.quantity: fact.spread.median for fact in facts}}
    ranks = {fact.quantity: fact.rank for fact in facts} | dict.fromkeys(columns, "given")
    route = find_route(system, frozenset(ranks.items()), targets)
    values: dict[str, Real] = {key: columns.get(key, known.get(key, np.nan)) for key in route.leaves}
    near = branches(route.steps, {key: float(np.ravel(value)[0]) for key, value in values.items()})[0]
    outcome = run_many(route, values, near)
    shape = np.broadcast_shapes(*(np.shape(column) for column in columns.values()))
    return {target: np.broadcast_to(outcome[target], shape) for target in route.targets}


def ends(column: FloatArray) -> tuple[float, float]:
    """The 5 and 95 % points of a column of finite numbers, interpolated as numpy.percentile does.

    By partition: numpy.percentile loads numpy.ma, which costs a command more than the whole of its own arithmetic.

    >>> ends(np.arange(101.0))
    (5.0, 95.0)
    """
    places = np.array([0.05, 0.95]) * (column.size - 1)
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, column.size - 1)
    ordered = np.partition(column, sorted({*below.tolist(), *above.tolist()}))
    low, high = ordered[below] + (places - below) * (ordered[above] - ordered[below])
    return float(low), float(high)
