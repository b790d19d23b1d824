"""A route run on numbers: at a point (every root is a branch), at many points at once (samples, corners, shifts)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import Infeasible
from isoflop.quantity import quantity, write
from isoflop.relation import roots
from isoflop.relation.block import Search
from isoflop.relation.route import Direct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from isoflop.quantity import FloatArray, Real
    from isoflop.relation.block import Drawn
    from isoflop.relation.route import Route, RouteStep

_REACH = 1e6  # a root is looked for this far beyond what is plausible for a quantity
_STARTS = 200


def run(route: Route, values: Mapping[str, float]) -> dict[str, float]:
    """The route at one point, in base units: the values of every quantity on it.

    Where a step has several roots the one with the smallest searched quantity is taken; `branches` gives them all.
    """
    known = dict(values)
    for step in route.steps:
        if isinstance(step, Search):
            return branches(route.steps, values)[0]
        known[step.target] = step.run(known)  # type: ignore[assignment]
    return known


def branches(steps: Iterable[RouteStep], values: Mapping[str, float]) -> list[dict[str, float]]:
    """Every solution of the steps at one point, in order of the searched quantity. Raises Infeasible if none."""
    found: list[dict[str, float]] = [dict(values)]
    for step in steps:
        if isinstance(step, Search):
            found = _forked(step, found)
            if len(found) > 1:
                found = [branch for branch in found if _in_domain(branch, step.gives)] or found
        else:
            for branch in found:
                branch[step.target] = number(partial(step.run, branch))
    return found


def _forked(step: Search, found: Iterable[dict[str, float]]) -> list[dict[str, float]]:
    """Each branch with each of its roots; a branch without one ends there, and only where all do is there no answer."""
    forked: list[dict[str, float]] = []
    reasons = []
    for branch in found:
        try:
            forked += [{**branch, **root} for root in _search(step, branch)]
        except Infeasible as reason:
            reasons.append(reason)
    if not forked:
        raise reasons[0]
    return forked


def number(compute: Callable[[], Real]) -> float:
    """What `compute` gives at a point; infinite or NaN, as in NumPy, where Python would raise or turn complex."""
    try:
        with np.errstate(all="ignore"):
            value = compute()
    except ArithmeticError:
        return float("inf")
    return float("nan") if isinstance(value, complex) else float(value)


def run_many(
    route: Route, values: Mapping[str, Real], near: Mapping[str, float], rng: np.random.Generator | None = None
) -> dict[str, Real]:
    """The route on arrays of one length, following the branch `near`. Columns without a solution are NaN.

    With `rng`, fitted laws on the route draw their constants jointly, one draw a column.
    """
    known: dict[str, Real] = dict(values)
    size = max([np.size(value) for value in known.values()] + [1])
    relations = dict.fromkeys(relation for step in route.steps for relation in step.relations)
    drawn = {} if rng is None else {one: one.draw(rng, size) for one in relations if one.draw}
    with np.errstate(all="ignore"):
        for step in route.steps:
            if isinstance(step, Search):
                known.update(_follow(step, known, near, drawn))
            elif isinstance(step, Direct) and step.relation in drawn and step.target == step.relation.gives:
                known[step.target] = drawn[step.relation](**{key: known[key] for key in step.inputs})
            else:
                known[step.target] = step.run(known)
    return known


def _follow(step: Search, known: Mapping[str, Real], near: Mapping[str, float], drawn: Drawn) -> dict[str, FloatArray]:
    """The root of each column that continues the one at the point; laws in `drawn` with that column's constants."""
    offsets = step.offsets(known)
    start = np.log([[near[key]] for key in step.free]) + np.zeros_like(offsets[:1])
    if drawn:
        start = start + np.zeros(max(np.size(value) for value in known.values()))
    position = roots.newton(lambda z: step.residuals(known, offsets, z, drawn), start)
    return step.unknowns(offsets, position)


def _search(step: Search, values: Mapping[str, float]) -> list[dict[str, float]]:
    """All roots at a point, as values of what the step gives."""
    offsets = step.offsets(values)

    def residual(position: FloatArray) -> FloatArray:
        return step.residuals(values, offsets, position)

    ranges = [_log_range(key) for key in step.free]
    if len(step.free) == 1:
        found, nearest = roots.scan(residual, *ranges[0])
        if nearest is not None:
            raise Infeasible(_missed(step, values, offsets, nearest))
        positions = found[None, :]
    else:
        low, high = np.array(ranges).T
        starts = low[:, None] + (high - low)[:, None] * np.random.default_rng(0).random((len(ranges), _STARTS))
        positions = roots.distinct(roots.newton(residual, starts))
    if not positions.size:
        together = _listed([relation.name for relation in step.relations])
        msg = f"no {_listed(step.free)} satisfies {together} with these knowns"
        raise Infeasible(msg)
    solved = step.unknowns(offsets, positions)
    return [{key: float(value[index]) for key, value in solved.items()} for index in range(positions.shape[1])]


def _log_range(key: str) -> tuple[float, float]:
    """Where a root is looked for: what is plausible, and far beyond."""
    entry = quantity(key)
    low, high = entry.plausible
    low, high = max(low, 1e-300) / _REACH, high * _REACH
    return float(np.log(low)), 0.0 if entry.domain == "fraction" else float(np.log(high))


def _in_domain(branch: Mapping[str, float], keys: Iterable[str]) -> bool:
    return all(branch[key] <= 1 for key in keys if quantity(key).domain == "fraction")


def _missed(step: Search, values: Mapping[str, float], offsets: FloatArray, nearest: roots.Nearest) -> str:
    """What cannot be reached, and the nearest that can."""
    relation = step.residual_relations[0]
    at = {key: float(value[0]) for key, value in step.unknowns(offsets, np.array([[nearest.position]])).items()}
    if relation.gives not in values:
        return f"no {_listed(step.free)} satisfies {relation.name} with these knowns"
    stated = values[relation.gives]
    reachable = stated * float(np.exp(nearest.residual))
    side = "least" if reachable > stated else "most"
    where = ", ".join(f"{key} = {write(at[key], quantity(key))}" for key in at if key in relation.inputs)
    return (
        f"{relation.gives} = {write(stated, quantity(relation.gives))} cannot be reached: "
        f"the {side} that these knowns allow is "
        f"{write(reachable, quantity(relation.gives), 4)}, at {where}"
    )


def _listed(items: Iterable[str]) -> str:
    return ", ".join(items)
