"""A route written down: numbered steps from leaves to answer, each with the steps it rests on."""

from __future__ import annotations

import pytest
from tests.relation import small
from tests.relation.small import DAY, fact, facts

from isoflop.quantity import Point, Range, quantity
from isoflop.relation import Answer, Fact, describe, find_route, solve
from isoflop.relation.derivation import origins


def seed_004() -> Answer:
    known = [
        fact("peak_rate", 275e12, "catalogue"),
        fact("mfu", 0.4, "default"),
        *facts(train_cost=1e8, tokens=4e12, price=small.TPU_V4_PRICE),
    ]
    return solve(small.BASE, known, "params")


def test_leaves_come_first_by_rank_and_each_step_points_back() -> None:
    steps = seed_004().steps
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert [step.kind for step in steps] == ["given"] * 3 + ["catalogue"] + ["default"] * 2 + ["identity"] * 3
    by_number = {step.number: step for step in steps}
    for step in steps:
        for key, number in step.inputs:
            assert number < step.number
            assert by_number[number].gives == key
    assert steps[-1].gives == "params"


def test_formulas_are_written_the_way_they_were_used() -> None:
    shown = [(step.gives, step.formula) for step in seed_004().steps if step.inputs]
    assert shown == [
        ("chip_time", "train_cost / price"),
        ("train_flops", "mfu · peak_rate · chip_time"),
        ("params", "train_flops / (flops_per_param_token · tokens)"),
    ]
    assert seed_004().steps[-1].latex == r"\frac{C}{k \, D}"
    assert seed_004().steps[0].latex == r"K"


def test_sources_and_notes_come_from_the_relation_and_the_fact() -> None:
    answer = solve(
        small.BASE,
        [
            Fact(quantity="params", spread=Point(1e9), text="1B", note="read as a count", source="mine"),
            fact("tokens", 2e10),
        ],
        "train_flops",
    )
    leaf, forward = answer.steps[0], answer.steps[-1]
    assert (leaf.text, leaf.note, leaf.sources) == ("1B", "read as a count", ("mine",))
    assert forward.sources == ("kaplan2020",)
    assert forward.note == "Work of a training run."
    assert answer.sources == ("mine", "kaplan2020")


def test_every_step_has_its_own_interval() -> None:
    answer = solve(
        small.BASE,
        [fact("train_time", Range(90 * DAY, 100 * DAY)), *facts(chips=25000.0, price=1 / 3600)],
        "train_cost",
    )
    by_name = {step.gives: step for step in answer.steps}
    assert (by_name["chips"].low, by_name["chips"].high) == (25000.0, 25000.0)
    assert (by_name["train_time"].low, by_name["train_time"].high) == (90 * DAY, 100 * DAY)
    assert by_name["chip_time"].low == pytest.approx(25000 * 90 * DAY)
    assert by_name["train_cost"].high == answer.high


def test_a_search_shows_its_equations_and_only_what_is_wanted() -> None:
    answer = solve(small.WITH_LAW, facts(loss=2.2, train_flops=1e22), "params")
    assert [step.gives for step in answer.steps if step.inputs] == ["params"]
    root = answer.steps[-1]
    assert root.kind == "solve"
    assert root.formula == (
        "root of train_flops = flops_per_param_token · params · tokens; loss = hoffmann(params, tokens)"
    )
    assert root.latex == (
        r"\text{root of } C = k \, N \, D,\; " + _latex_of("loss") + r" = " + _latex_of("loss") + r"\left(N, D\right)"
    )
    assert root.sources == ("kaplan2020", "hoffmann2022")
    both = solve(
        small.WITH_LAW, [*facts(loss=2.2, train_flops=1e22, price=1e-3, peak_rate=3e14), fact("mfu", 0.4)], "tokens"
    )
    assert [step.gives for step in both.steps if step.inputs] == ["tokens"]


def _latex_of(key: str) -> str:
    return quantity(key).latex


def test_opaque_laws_are_described_by_name_and_inputs() -> None:
    assert describe(small.law()) == "hoffmann(params, tokens)"
    assert describe(small.train_flops) == "flops_per_param_token · params · tokens"


def test_origins_are_the_leaves_behind_each_quantity() -> None:
    known = ("train_cost", "price", "peak_rate", "mfu", "tokens", "flops_per_param_token")
    route = find_route(small.BASE, frozenset((key, "given") for key in known), ("params",))
    found = origins(route.steps)
    assert found["chip_time"] == {"train_cost", "price"}
    assert found["train_flops"] == {"train_cost", "price", "peak_rate", "mfu"}
    assert found["params"] == set(known)
