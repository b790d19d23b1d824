"""One question answered: facts and a target in, an Answer with interval, derivation and second opinions out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import Infeasible
from isoflop.quantity import Point, quantity, write
from isoflop.relation import derivation, missing
from isoflop.relation.answer import Answer, Check, Fact
from isoflop.relation.conflicts import body_value, disagreements
from isoflop.relation.derivation import describe
from isoflop.relation.evaluate import branches
from isoflop.relation.route import find_route
from isoflop.relation.uncertainty import EXACT, Uncertainty, elasticities, shares, uncertain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.relation.answer import Rank
    from isoflop.relation.relation import Relation
    from isoflop.relation.route import Route
    from isoflop.relation.system import System

SAMPLES = 20_000
"""Draws behind an interval: its ends are known to about 1 % of its width."""


def solve(system: System, facts: Sequence[Fact], target: str, *, samples: int = SAMPLES, seed: int = 0) -> Answer:
    """Work `target` out from `facts`.

    The value is the route at the facts' medians; low and high are hard bounds where all that is uncertain are hard
    ranges, else the 5 and 95 % points of `samples` draws (`seed` makes them repeatable). Values in base units.
    Raises: Undetermined (with what would complete it), Contradictory (with the factor), Infeasible (with the nearest
    reachable).
    """
    answers = solve_all(system, facts, (target,), samples=samples, seed=seed)
    if target not in answers:
        raise missing.undetermined(system, _stated(facts), target)
    return answers[target]


def solve_all(
    system: System, facts: Sequence[Fact], targets: tuple[str, ...], *, samples: int = SAMPLES, seed: int = 0
) -> dict[str, Answer]:
    """Several targets from the same facts, along one derivation that all answers share.

    Targets out of reach are left out. The draws are shared too, so that the answers are consistent with each other
    draw by draw. Errors as in `solve`.
    """
    known = _known(system, facts)
    route = find_route(system, _stated(facts), targets)
    said = disagreements(route, known)
    if not route.targets:
        return {}
    first, *others = [_answers(route, known, branch, samples, seed) for branch in _points(route, known)]
    return {
        target: replace(
            answer,
            warnings=tuple(dict.fromkeys((*said, *answer.warnings))),
            alternatives=tuple(other[target] for other in others),
        )
        for target, answer in first.items()
    }


def solve_point(
    system: System, facts: Sequence[Fact], targets: tuple[str, ...]
) -> tuple[dict[str, float], frozenset[str]]:
    """The values of `solve_all` alone, and the knowns that they rest on: for who goes round many times."""
    known = _known(system, facts)
    route = find_route(system, _stated(facts), targets)
    disagreements(route, known)
    if not route.targets:
        return {}, frozenset()
    point = _points(route, known)[0]
    return {target: point[target] for target in route.targets}, frozenset(route.leaves)


def _known(system: System, facts: Sequence[Fact]) -> dict[str, Fact]:
    """Facts by quantity, the constants of relations among them."""
    known = {fact.quantity: fact for fact in facts}
    assert len(known) == len(facts), "one fact for each quantity: whoever binds a question decides between sources"
    for key, value in system.defaults.items():
        known.setdefault(key, Fact(quantity=key, spread=Point(value), rank="default"))
    return known


def _points(route: Route, known: Mapping[str, Fact]) -> list[dict[str, float]]:
    """The branches of a route at the medians, in order of its first target."""
    found = branches(route.steps, {key: known[key].spread.median for key in route.leaves})
    found.sort(key=lambda branch: branch[route.targets[0]])
    return _possible(found, route)


def _stated(facts: Sequence[Fact]) -> frozenset[tuple[str, Rank]]:
    """What the caller knows, with ranks; the constants of relations are the system's own business."""
    return frozenset((fact.quantity, fact.rank) for fact in facts)


def _answers(
    route: Route, known: Mapping[str, Fact], point: Mapping[str, float], samples: int, seed: int
) -> dict[str, Answer]:
    """All targets on one branch."""
    leaves = {key: known[key] for key in route.leaves}
    slopes = elasticities(route, point)
    spread = uncertain(route, leaves, point, samples, seed)
    steps = derivation.steps(route, leaves, point, spread.low, spread.high)
    checks = (*_second_opinions(route, point), *_beaten_assumptions(route, known, point))
    warnings = tuple(_warnings(route, point, spread))
    return {
        target: Answer(
            quantity=target,
            value=point[target],
            low=spread.low[target],
            high=spread.high[target],
            hard=spread.hard,
            steps=steps,
            warnings=warnings,
            checks=checks,
            elasticities=slopes[target],
            shares=shares(spread.inputs, spread.targets[target], slopes[target]) if target in spread.targets else {},
            samples=spread.targets.get(target),
        )
        for target in route.targets
    }


def _possible(found: list[dict[str, float]], route: Route) -> list[dict[str, float]]:
    """Solutions within the domains of what they compute; Infeasible where none is."""
    computed = [key for step in route.steps for key in step.gives]
    outside = [[key for key in computed if not _allowed(key, point[key])] for point in found]
    possible = [point for point, wrong in zip(found, outside, strict=True) if not wrong]
    if possible:
        return possible
    key, point = outside[0][0], found[0]
    entry = quantity(key)
    limit = "between 0 and 100 %" if entry.domain == "fraction" else "positive and finite"
    shown = f"{point[key]:.3g}" if entry.domain == "fraction" else write(point[key], entry)
    givens = ", ".join(f"{leaf} = {write(point[leaf], quantity(leaf))}" for leaf in route.leaves)
    value = f"no {key} fits" if np.isnan(point[key]) else f"{key} would have to be {shown}"
    msg = f"{value}, but it must be {limit}; from {givens}"
    raise Infeasible(msg)


def _allowed(key: str, value: float) -> bool:
    match quantity(key).domain:
        case "fraction":
            return 0 < value <= 1 + EXACT
        case "real":
            return bool(np.isfinite(value))
        case _:
            return 0 < value < float("inf")


def _second_opinions(route: Route, point: Mapping[str, float]) -> list[Check]:
    """Relations that the route did not need, evaluated on its result."""
    found = []
    for relation in route.checks:
        other = body_value(relation, point)
        if 0 < other < float("inf"):
            ratio = point[relation.gives] / other
            found.append(Check(quantity=relation.gives, formula=describe(relation), ratio=ratio))
    return found


def _beaten_assumptions(route: Route, known: Mapping[str, Fact], point: Mapping[str, float]) -> list[Check]:
    """What was worked out although the catalogue or a default has a figure for it: shown with the ratio."""
    computed = [key for step in route.steps for key in step.gives]
    found = []
    for key in computed:
        if key in known and known[key].rank in {"catalogue", "default"}:
            usual, source = known[key].spread.median, known[key].source
            says = "assumed" if known[key].rank == "default" else "in the catalogue"
            formula = f"{write(usual, quantity(key))} {says}"
            found.append(Check(quantity=key, formula=formula, ratio=point[key] / usual, note=source))
    return found


def _warnings(route: Route, point: Mapping[str, float], spread: Uncertainty) -> list[str]:
    found = []
    for key in dict.fromkeys(key for step in route.steps for key in step.gives):
        low, high = quantity(key).plausible
        if not low * (1 - EXACT) <= point[key] <= high * (1 + EXACT):
            entry = quantity(key)
            seen = f"{write(low, entry)} to {write(high, entry)}"
            found.append(f"{key} = {write(point[key], entry)} is outside what has been seen: {seen}")
    for step in route.steps:
        for relation in step.relations:
            found += _outside_limits(relation, point)
    unsolved = max((float(np.mean(~np.isfinite(column))) for column in spread.targets.values()), default=0.0)
    if unsolved > 1e-3:
        found.append(f"{unsolved:.1%} of the draws have no solution and are left out of the interval")
    return list(dict.fromkeys(found))


def _outside_limits(relation: Relation[...], point: Mapping[str, float]) -> list[str]:
    """Say by how much a fitted law is used outside the range of its data."""
    found = []
    for key, (low, high) in relation.limits.items():
        value = point.get(key)
        if value is None or low <= value <= high:
            continue
        beyond = value / high if value > high else low / value
        entry = quantity(key)
        fitted = f"{relation.name} was fitted on {key} from {write(low, entry)} to {write(high, entry)}"
        times = f"{beyond:,.0f}" if beyond >= 10 else f"{beyond:.2g}"
        side = f"{times} times the largest" if value > high else f"{times} times below the smallest"
        found.append(f"{fitted}; {write(value, entry)} is {side}")
    return found
