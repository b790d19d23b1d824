"""Solve is the inverse of forward: every relation of the book in every direction, and the chain from money to loss.

A point is a value for every quantity of the book such that all relations hold. From some of its values the others must
come back to 1e-9, as one of the roots where there are several.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relation import small

from isoflop.book import BOOK
from isoflop.errors import Infeasible
from isoflop.quantity import Point, quantity
from isoflop.relation import Answer, Fact, Relation, System, solve, solve_all
from isoflop.relation.readings import check_units

RELATIONS = tuple(relation for relation in BOOK if not relation.policy)  # a choice need not hold at a point
LAW = small.law()
SYSTEM = System((*RELATIONS, LAW))
CLOSE = 1e-9
POINTS = 3

TYPICAL: dict[str, float] = {
    "params": 7e9,
    "tokens": 1.4e11,
    "embedding_params": 4e8,
    "unique_tokens": 1e11,
    "vocabulary": 5e4,
    "layers": 32.0,
    "width": 4096.0,
    "sequence_length": 2048.0,
    "heads": 32.0,
    "head_width": 128.0,
    "kv_heads": 8.0,
    "batch_tokens": 4e6,
    "micro_batch_sequences": 2.0,
    "layer_inputs": 40.0,
    "layer_outputs": 30.0,
    "peak_rate": 3e14,
    "mfu": 0.4,
    "chips": 512.0,
    "price": 1.5 / 3600,
    "memory": 8e10,
    "memory_bandwidth": 2e12,
    "chip_capital": 3e4,
    "lifetime": 1.2e8,
    "utilisation": 0.7,
    "electricity_price": 2.2e-8,
    "tdp": 400.0,
    "grid_intensity": 1e-7,
    "irreducible_loss": 1.7,
    "tokens_per_byte": 0.3,
    "context": 4096.0,
    "sequences": 16.0,
    "serve_tokens": 3e11,
    "bandwidth_efficiency": 0.7,
    "prompt_tokens": 900.0,
    "output_tokens": 300.0,
}
"""Seven billion parameters, their training and use; everything else follows or lies in the middle of its range."""


def facts(values: Mapping[str, float], keys: Iterable[str]) -> list[Fact]:
    return [Fact(quantity=key, spread=Point(values[key])) for key in keys]


def complete(order: Iterable[str], values: Mapping[str, float]) -> dict[str, float]:
    """A point: each quantity in turn follows from those before it, or is free and takes its value from `values`."""
    chosen: dict[str, float] = {}
    point: dict[str, float] = {}
    for key in order:
        found = solve_all(SYSTEM, facts(chosen, chosen), (key,))
        if not found:
            chosen[key] = values[key]
        point[key] = found[key].value if found else values[key]
    return point


@cache
def typical() -> dict[str, float]:
    """The point that `TYPICAL` and the constants of the relations span."""
    middle = {key: float(np.sqrt(np.prod(quantity(key).plausible))) for key in SYSTEM.touching}
    return complete([*SYSTEM.defaults, *TYPICAL, *sorted(middle)], {**middle, **TYPICAL, **SYSTEM.defaults})


@cache
def points() -> tuple[dict[str, float], ...]:
    """Points near the typical one, each spanned by another random choice of free quantities."""
    rng = np.random.default_rng(20)
    base = typical()
    found: list[dict[str, float]] = []
    while len(found) < POINTS:
        values = {key: float(value * rng.uniform(0.8, 1.25)) for key, value in base.items()}
        shares = {key: min(values[key], 0.97) for key in base if quantity(key).domain == "fraction"}
        others = [key for key in base if key not in shares and key not in SYSTEM.defaults]
        order = [*SYSTEM.defaults, *rng.permutation(list(shares)).tolist(), *rng.permutation(others).tolist()]
        try:
            found.append(complete(dict.fromkeys(order), {**values, **shares}))
        except Infeasible:
            continue  # a difference or a share fell out of its domain
    return tuple(found)


def roots(answer: Answer) -> list[float]:
    """The answer and its alternatives."""
    return [answer.value, *(other.value for other in answer.alternatives)]


def came_back(answer: Answer, value: float) -> bool:
    """Whether one of the roots is `value`."""
    return any(abs(root - value) <= CLOSE * value for root in roots(answer))


@pytest.mark.parametrize("relation", SYSTEM.relations, ids=lambda relation: relation.name)
def test_every_relation_gives_back_each_of_its_quantities(relation: Relation[...]) -> None:
    for point in (typical(), *points()):
        stated = float(relation.body(**{key: point[key] for key in relation.inputs}))
        assert stated == pytest.approx(point[relation.gives], rel=CLOSE)
        for target in relation.quantities:
            answer = solve(SYSTEM, facts(point, (key for key in relation.quantities if key != target)), target)
            assert came_back(answer, point[target]), f"{target}: {point[target]} came back as {roots(answer)}"


@pytest.mark.parametrize("relation", BOOK, ids=lambda relation: relation.name)
def test_every_relation_passes_the_unit_check(relation: Relation[...]) -> None:
    check_units(relation)


CHAIN = (
    *("train_cost", "price", "chip_time", "chips", "train_time", "mfu", "peak_rate", "achieved_rate", "fleet_rate"),
    *("train_flops", "flops_per_param_token", "active_params", "params", "tokens", "tokens_per_param", "loss"),
)


@settings(max_examples=150)
@given(st.integers(0, POINTS - 1), st.sets(st.sampled_from(CHAIN), min_size=2, max_size=7))
def test_whatever_a_set_of_knowns_determines_is_right(index: int, known: set[str]) -> None:
    point = {**points()[index], **SYSTEM.defaults}
    point = _along_the_chain(point)
    targets = tuple(key for key in CHAIN if key not in known and key not in SYSTEM.defaults)
    answers = solve_all(SYSTEM, facts(point, sorted(known)), targets)
    if not answers:
        return
    count = len(next(iter(answers.values())).alternatives) + 1
    branches = [{key: roots(answer)[branch] for key, answer in answers.items()} for branch in range(count)]
    assert any(
        all(abs(value - point[key]) <= CLOSE * point[key] for key, value in branch.items()) for branch in branches
    ), {key: (point[key], roots(answer)) for key, answer in answers.items()}


def _along_the_chain(point: Mapping[str, float]) -> dict[str, float]:
    """The point with the chain worked out anew, by hand, at the relations' own constants."""
    at = dict(point)
    at["active_params"] = at["params"] * at["active_share"]
    at["train_flops"] = at["flops_per_param_token"] * at["active_params"] * at["tokens"]
    at["achieved_rate"] = at["mfu"] * at["peak_rate"]
    at["chip_time"] = at["train_flops"] / at["achieved_rate"]
    at["train_time"] = at["chip_time"] / at["chips"]
    at["fleet_rate"] = at["chips"] * at["achieved_rate"]
    at["train_cost"] = at["chip_time"] * at["price"]
    at["tokens_per_param"] = at["tokens"] / at["params"]
    at["loss"] = small.hoffmann(at["params"], at["tokens"])
    return at


@settings(max_examples=150)
@given(st.integers(0, POINTS - 1), st.sets(st.sampled_from(CHAIN), min_size=3, max_size=7), st.data())
def test_an_answer_gives_back_what_it_rests_on(index: int, known: set[str], data: st.DataObject) -> None:
    point = _along_the_chain({**points()[index], **SYSTEM.defaults})
    free = sorted(set(CHAIN) - known - set(SYSTEM.defaults))
    target = data.draw(st.sampled_from(free))
    answer = solve_all(SYSTEM, facts(point, sorted(known)), (target,)).get(target)
    if answer is None:
        return
    leaves = [step.gives for step in answer.steps if step.kind == "given"]
    for one in (answer, *answer.alternatives):
        solved = {**point, target: one.value}
        for leaf in leaves:
            if abs(one.elasticities.get(leaf, 0.0)) > 1e-3:
                others = [key for key in (*leaves, target) if key != leaf]
                back = solve(SYSTEM, facts(solved, others), leaf)
                assert came_back(back, point[leaf]), f"{leaf} from {others}: {point[leaf]} came back as {roots(back)}"


ON_THE_PATH = SYSTEM.with_relations((small.OPTIMAL_SPLIT,))


@pytest.mark.parametrize(
    "key", ["train_cost", "train_flops", "params", "tokens", "tokens_per_param", "loss", "train_time"]
)
def test_one_quantity_on_the_optimal_path_gives_all_others(key: str) -> None:
    for point in points():
        best = small.OPTIMAL * point["params"] ** (small.ALPHA / small.BETA)
        at = _along_the_chain({**point, **SYSTEM.defaults, "tokens": best})
        known = facts(at, (key, "price", "mfu", "peak_rate", "chips"))
        for target in set(CHAIN) - {fact.quantity for fact in known} - set(SYSTEM.defaults):
            answer = solve(ON_THE_PATH, known, target)
            assert came_back(answer, at[target]), f"{target}: {at[target]} came back as {roots(answer)}"


SEED_004 = {"train_cost": 1e8, "tokens": 4e12, "peak_rate": 275e12, "price": small.TPU_V4_PRICE, "mfu": 0.4}


@pytest.mark.parametrize("key", SEED_004)
def test_the_fifth_seed_gives_its_inputs_back(key: str) -> None:
    params = solve(SYSTEM, facts(SEED_004, SEED_004), "params").value
    assert params == pytest.approx(1.14e12, rel=0.01)
    known = {other: value for other, value in SEED_004.items() if other != key} | {"params": params}
    assert came_back(solve(SYSTEM, facts(known, known), key), SEED_004[key])
