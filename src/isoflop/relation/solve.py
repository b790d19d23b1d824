"""One question answered: facts and a target in, an Answer with interval, derivation and second opinions out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import Contradictory, Infeasible
from isoflop.quantity import Point, quantity, write
from isoflop.relation import derivation, missing
from isoflop.relation.answer import Answer, Check, Fact
from isoflop.relation.derivation import describe
from isoflop.relation.evaluate import branches, number, run_many
from isoflop.relation.sweep import ends
from isoflop.relation.route import find_route

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.quantity import FloatArray, Real
    from isoflop.relation.answer import Rank
    from isoflop.relation.relation import Relation
    from isoflop.relation.route import Route
    from isoflop.relation.system import System

SAMPLES = 20_000
"""Draws behind an interval: its ends are known to about 1 % of its width."""

_EXACT = 1e-9
_MOST_CORNERS = 12
_SHIFT = 1e-3
_LINEAR = 0.95
_NOTICEABLE = 0.02

REST = "laws and interactions"
"""The name under which `Answer.shares` holds the variance that no single input brings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spread:
    """The route under uncertainty: each quantity's low and high, the draws behind them (inputs and targets)."""

    low: Mapping[str, float]
    high: Mapping[str, float]
    hard: bool
    inputs: Mapping[str, FloatArray]
    targets: Mapping[str, FloatArray]


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
    """Several targets from the same facts, along one derivation that all answers share; targets out of reach are left out.

    The draws are shared too, so that the answers are consistent with each other draw by draw. Errors as in `solve`.
    """
    known = {fact.quantity: fact for fact in facts}
    assert len(known) == len(facts), "one fact for each quantity: whoever binds a question decides between sources"
    for key, value in system.defaults.items():
        known.setdefault(key, Fact(quantity=key, spread=Point(value), rank="default"))
    route = find_route(system, _stated(facts), targets)
    values = {key: fact.spread.median for key, fact in known.items()}
    _refuse_contradictions(route, known, values)
    if not route.targets:
        return {}
    found = branches(route.steps, {key: values[key] for key in route.leaves})
    found.sort(key=lambda branch: branch[route.targets[0]])
    first, *others = [_answers(system, route, known, branch, samples, seed) for branch in _possible(found, route)]
    return {
        target: replace(answer, alternatives=tuple(other[target] for other in others)) for target, answer in first.items()
    }


def _stated(facts: Sequence[Fact]) -> frozenset[tuple[str, Rank]]:
    """What the caller knows, with ranks; the constants of relations are the system's own business."""
    return frozenset((fact.quantity, fact.rank) for fact in facts)


def _answers(
    system: System, route: Route, known: Mapping[str, Fact], point: Mapping[str, float], samples: int, seed: int
) -> dict[str, Answer]:
    """All targets on one branch."""
    leaves = {key: known[key] for key in route.leaves}
    elasticities = _elasticities(route, point)
    spread = _uncertain(route, leaves, point, samples, seed)
    steps = derivation.steps(route, leaves, point, spread.low, spread.high)
    checks = (*_second_opinions(route, point), *_beaten_assumptions(system, route, known, point))
    return {
        target: Answer(
            quantity=target,
            value=point[target],
            low=spread.low[target],
            high=spread.high[target],
            hard=spread.hard,
            steps=steps,
            warnings=tuple(_warnings(route, point, spread)),
            checks=checks,
            elasticities=elasticities[target],
            shares=_shares(spread.inputs, spread.targets[target], elasticities[target]) if target in spread.targets else {},
            samples=spread.targets.get(target),
        )
        for target in route.targets
    }


def _elasticities(route: Route, point: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """d ln(target) / d ln(leaf) for every target and leaf, by central differences in one call of 2k columns."""
    leaves = [key for key in route.leaves if point[key] > 0]
    size = 2 * len(leaves)
    columns: dict[str, Real] = {key: point[key] for key in route.leaves}
    for index, key in enumerate(leaves):
        shifted = np.full(size, point[key])
        shifted[2 * index : 2 * index + 2] *= np.exp((_SHIFT, -_SHIFT))
        columns[key] = shifted
    outcome = run_many(route, columns, point)
    found = {}
    for target in route.targets:
        with np.errstate(all="ignore"):
            logs = np.log(np.broadcast_to(outcome[target], (size,)))
        slopes = (logs[::2] - logs[1::2]) / (2 * _SHIFT)
        found[target] = {key: float(slope) for key, slope in zip(leaves, slopes, strict=True) if np.isfinite(slope)}
    return found


def _uncertain(route: Route, leaves: Mapping[str, Fact], point: Mapping[str, float], samples: int, seed: int) -> _Spread:
    loose = [key for key, fact in leaves.items() if not fact.spread.is_point]
    drawn = [relation for step in route.steps for relation in step.relations if relation.draw]
    if not loose and not drawn:
        return _Spread(low=point, high=point, hard=False, inputs={}, targets={})
    rng = np.random.default_rng(seed)
    hard = not drawn and len(loose) <= _MOST_CORNERS and all(leaves[key].spread.is_hard for key in loose)
    if hard:
        columns = _corners(leaves, loose)
        outcome = run_many(route, {key: columns.get(key, point[key]) for key in route.leaves}, point)
        # A corner without a solution bounds nothing: then draws, of which those that have one are counted.
        hard = all(np.all(np.isfinite(outcome[target])) for target in route.targets)
    if not hard:
        columns = {key: leaves[key].spread.sample(rng, samples) for key in loose}
        # Points stay floats: NumPy broadcasts them, and a chain of floats costs nothing per sample.
        inputs: dict[str, Real] = {key: columns.get(key, point[key]) for key in route.leaves}
        if not columns:
            inputs[route.leaves[0]] = np.full(samples, point[route.leaves[0]])
        outcome = run_many(route, inputs, point, rng)
    low, high = dict(point), dict(point)
    for key, column in outcome.items():
        kept = np.asarray(column)[np.isfinite(column)] if np.size(column) > 1 else np.empty(0)
        if kept.size:
            low[key], high[key] = (float(kept.min()), float(kept.max())) if hard else ends(kept)
    targets = {key: np.asarray(outcome[key]) for key in route.targets if np.size(outcome[key]) > 1 and not hard}
    return _Spread(low=low, high=high, hard=hard, inputs=columns, targets=targets)


def _corners(leaves: Mapping[str, Fact], loose: Sequence[str]) -> dict[str, FloatArray]:
    """All combinations of the ends of the hard ranges: the bounds of whatever is monotone in each of them."""
    index = np.arange(2 ** len(loose))
    return {
        key: np.where(index >> position & 1, leaves[key].spread.high, leaves[key].spread.low).astype(float)
        for position, key in enumerate(loose)
    }


def _shares(columns: Mapping[str, FloatArray], result: FloatArray, elasticities: Mapping[str, float]) -> dict[str, float]:
    """The part of the variance of ln(result) that each input brings.

    From elasticities where the result is close to a power law of its inputs (R2 >= 0.95), else from the variance of
    conditional means over 50 quantile bins of the same draws (first-order Sobol, biased up by about 0.002). What is
    left is what fitted laws and interactions bring.
    """
    solved = np.isfinite(result)
    if not np.any(solved) or np.any(result[solved] <= 0):
        return {}
    logs = np.log(result[solved])
    total = float(logs.var())
    inputs = {key: np.log(column[solved]) for key, column in columns.items() if np.all(column > 0)}
    if total <= _EXACT**2:
        return {}
    parts = {key: elasticities.get(key, 0.0) * (column - column.mean()) for key, column in inputs.items()}
    residual = logs - logs.mean() - sum(parts.values())
    if float(residual.var()) <= (1 - _LINEAR) * total:
        shares = {key: float(part.var()) / total for key, part in parts.items()}
    else:
        shares = {key: _conditional_variance(column, logs) / total for key, column in inputs.items()}
    rest = 1 - sum(shares.values())
    return {**shares, REST: rest} if rest > _NOTICEABLE else shares


def _conditional_variance(column: FloatArray, logs: FloatArray, bins: int = 50) -> float:
    groups = np.array_split(logs[np.argsort(column)], bins)
    return float(np.var([group.mean() for group in groups]))


def _refuse_contradictions(route: Route, known: Mapping[str, Fact], values: Mapping[str, float]) -> None:
    """Compare what the givens determine twice. Rounding of written digits and stated intervals are allowed for."""
    if not route.conflicts:
        return
    solutions = branches(route.closure, {key: values[key] for key, fact in known.items() if fact.rank != "default"})
    origins = derivation.origins(route.closure)
    for relation in route.conflicts:
        givens = sorted({leaf for key in relation.quantities for leaf in origins.get(key, {key})})
        slack = sum(known[key].slack + _half_width(known[key]) for key in givens if key in known)
        factors = [_apart(point[relation.gives], _body(relation, point)) for point in solutions]
        if min(factors) > slack + _EXACT:
            best = solutions[int(np.argmin(factors))]
            raise _contradiction(relation, best, givens, known)


def _apart(stated: float, other: float) -> float:
    """|ln| of the ratio of two values; infinite where one of them is not positive and finite."""
    ratio = stated / other if other > 0 else 0.0
    return abs(float(np.log(ratio))) if 0 < ratio < float("inf") else float("inf")


def _half_width(fact: Fact) -> float:
    spread = fact.spread
    return 0.0 if spread.is_point or spread.low <= 0 else float(np.log(spread.high / spread.low) / 2)


def _contradiction(
    relation: Relation[...], point: Mapping[str, float], givens: Sequence[str], known: Mapping[str, Fact]
) -> Contradictory:
    other = _body(relation, point)
    factor = float(np.exp(_apart(point[relation.gives], other)))
    by = f" (x{factor:.3g} apart)" if np.isfinite(factor) else ""
    entry = quantity(relation.gives)
    said = ", ".join(f"{key}={known[key].text or write(known[key].spread.median, quantity(key))}" for key in givens)
    msg = (
        f"these knowns cannot all be true: {relation.gives} is {write(point[relation.gives], entry)}, but {describe(relation)} gives "
        f"{write(other, entry)}{by}. One of {said} must go or be wrong."
    )
    return Contradictory(msg, factor=factor)


def _body(relation: Relation[...], point: Mapping[str, float]) -> float:
    return number(partial(relation.body, **{key: point[key] for key in relation.inputs}))


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
            return 0 < value <= 1 + _EXACT
        case "real":
            return bool(np.isfinite(value))
        case _:
            return 0 < value < float("inf")


def _second_opinions(route: Route, point: Mapping[str, float]) -> list[Check]:
    """Relations that the route did not need, evaluated on its result."""
    found = []
    for relation in route.checks:
        other = _body(relation, point)
        if 0 < other < float("inf"):
            ratio = point[relation.gives] / other
            found.append(Check(quantity=relation.gives, formula=describe(relation), ratio=ratio))
    return found


def _beaten_assumptions(
    system: System, route: Route, known: Mapping[str, Fact], point: Mapping[str, float]
) -> list[Check]:
    """What was worked out although the catalogue or a default has a figure for it: shown with the ratio."""
    computed = [key for step in route.steps for key in step.gives]
    found = []
    for key in computed:
        if key in known and known[key].rank in {"catalogue", "default"}:
            usual = known[key].spread.median
            rank = "assumed" if key in system.defaults or known[key].rank == "default" else "in the catalogue"
            found.append(
                Check(quantity=key, formula=f"{write(usual, quantity(key))} {rank}", ratio=point[key] / usual, note=known[key].source)
            )
    return found


def _warnings(route: Route, point: Mapping[str, float], spread: _Spread) -> list[str]:
    found = []
    for key in dict.fromkeys(key for step in route.steps for key in step.gives):
        low, high = quantity(key).plausible
        if not low * (1 - _EXACT) <= point[key] <= high * (1 + _EXACT):
            entry = quantity(key)
            found.append(f"{key} = {write(point[key], entry)} is outside what has been seen: {write(low, entry)} to {write(high, entry)}")
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
        found.append(
            f"{relation.name} was fitted on {key} from {write(low, entry)} to {write(high, entry)}; {write(value, entry)} is x{beyond:.3g} outside"
        )
    return found
