"""Several relations at once: what rank determines, with the fewest relations; what is left to search for."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.relation import small
from tests.relation.small import TPU_V4_PRICE, facts

from isoflop.book import BOOK
from isoflop.errors import Infeasible, Undetermined
from isoflop.quantity import Real
from isoflop.relation import Relation, System, find_route, relation, solve
from isoflop.relation.block import Joint, Search, _core


@relation
def train_cost(chips: Real, train_time: Real, price: Real) -> Real:
    return chips * train_time * price


@relation(gives="train_flops")
def train_flops_by_mfu(chips: Real, train_time: Real, peak_rate: Real, mfu: Real) -> Real:
    return chips * train_time * peak_rate * mfu


@relation
def train_flops(params: Real, tokens: Real, flops_per_param_token: Real = 6.0) -> Real:
    return flops_per_param_token * params * tokens


WITHOUT_CHIP_TIME = System((train_cost, train_flops_by_mfu, train_flops))
SEED_004 = {"train_cost": 1e8, "price": TPU_V4_PRICE, "peak_rate": 275e12, "mfu": 0.4, "tokens": 4e12}


def test_chips_and_time_known_only_as_a_product_determine_the_rest() -> None:
    """Structural matching calls params under-determined here."""
    answer = solve(WITHOUT_CHIP_TIME, facts(**SEED_004), "params")
    assert answer.value == pytest.approx(1e8 / TPU_V4_PRICE * 275e12 * 0.4 / (6 * 4e12), rel=1e-12)
    joint = next(step for step in answer.steps if step.kind == "solve")
    assert joint.gives == "train_flops"
    assert joint.formula == "peak_rate · mfu · train_cost / price"
    assert joint.note == (
        "from train_flops = chips · train_time · peak_rate · mfu; train_cost = chips · train_time · price; "
        "chips, train_time cancel"
    )


@pytest.mark.parametrize("target", ["chips", "train_time"])
def test_what_appears_only_in_a_product_stays_undetermined(target: str) -> None:
    other = {"chips": "train_time", "train_time": "chips"}[target]
    with pytest.raises(Undetermined) as error:
        solve(WITHOUT_CHIP_TIME, facts(**SEED_004), target)
    assert error.value.completes == (other,)
    solved = solve(WITHOUT_CHIP_TIME, facts(**SEED_004, **{other: 1e6}), target)
    assert solved.value == pytest.approx(1e8 / TPU_V4_PRICE / 1e6)


@relation
def heads(width: Real, head_width: Real) -> Real:
    return width / head_width


@relation
def sequence_length(width: Real, head_width: Real) -> Real:
    return width * head_width


@relation
def vocabulary(sequence_length: Real, layers: Real) -> Real:
    return sequence_length * layers


SQUARE = System((heads, sequence_length, vocabulary))


def test_two_relations_in_two_unknowns() -> None:
    answer = solve(SQUARE, facts(heads=32.0, sequence_length=8 * 256.0), "width")
    assert answer.value == pytest.approx(256.0, rel=1e-14)
    assert answer.steps[-1].formula == "heads^0.5 · sequence_length^0.5"
    assert relation_names(SQUARE, ("heads", "sequence_length"), "width") == ["heads", "sequence_length"]
    assert solve(SQUARE, facts(heads=32.0, vocabulary=2048.0 * 3, layers=3.0), "head_width").value == pytest.approx(8.0)


def relation_names(system: System, known: tuple[str, ...], target: str) -> list[str]:
    route = find_route(system, frozenset((key, "given") for key in known), (target,))
    return [one.name for step in route.steps for one in step.relations]


@given(st.floats(1.0, 1e4), st.floats(1.0, 1e4))
def test_a_joint_solution_satisfies_every_relation(width: float, head_width: float) -> None:
    known = facts(heads=width / head_width, sequence_length=width * head_width)
    assert solve(SQUARE, known, "width").value == pytest.approx(width, rel=1e-12)
    assert solve(SQUARE, known, "head_width").value == pytest.approx(head_width, rel=1e-12)


@relation
def flops_per_token(params: Real, flops_per_param_token: Real = 6.0) -> Real:
    return flops_per_param_token * params


@relation(gives="train_flops")
def train_flops_by_token(flops_per_token: Real, tokens: Real) -> Real:
    return flops_per_token * tokens


@relation(gives="tokens")
def twenty_to_one(params: Real, tokens_per_param: Real) -> Real:
    return tokens_per_param * params


@relation(gives="train_flops", kind="rule")
def rule_of_thumb(params: Real, tokens: Real) -> Real:
    return 6.5 * params * tokens


DETOUR = (flops_per_token, train_flops_by_token, train_flops, twenty_to_one)


@pytest.mark.parametrize("order", [DETOUR, DETOUR[::-1], DETOUR[2:] + DETOUR[:2], DETOUR[1:] + DETOUR[:1]])
def test_no_relation_stands_in_a_joint_solution_that_could_be_spared(order: tuple[Relation[...], ...]) -> None:
    system = System((*order, *small.BASE.relations[1:4]))
    route = find_route(system, frozenset({("train_flops", "given"), ("tokens_per_param", "given")}), ("params",))
    joints = [step for step in route.steps if isinstance(step, Joint)]
    assert len(joints) == 1
    assert len(joints[0].relations) == 2
    assert set(joints[0].inputs) <= {"train_flops", "tokens_per_param", "flops_per_param_token"}


@pytest.mark.parametrize("system", [System((rule_of_thumb, *DETOUR)), System((*DETOUR, rule_of_thumb))])
def test_a_definition_is_preferred_to_a_rule_in_a_joint_solution(system: System) -> None:
    known = facts(train_flops=1.2e21, tokens_per_param=20.0, flops_per_param_token=6.0)
    answer = solve(system, known, "params")
    assert answer.value == pytest.approx((1.2e21 / 120) ** 0.5)
    assert "6.5" not in small.relations_used(answer)
    assert [check.formula for check in answer.checks] == []


def test_what_follows_by_single_steps_is_not_solved_jointly() -> None:
    answer = solve(small.WITH_LAW, facts(train_flops=1e21), "loss")
    assert [step.gives for step in answer.steps if step.kind == "solve"] == ["params"]
    assert [step.gives for step in answer.steps if step.inputs] == ["params", "tokens", "loss"]


# ---- searches


def test_a_search_brings_no_relation_that_it_does_not_need() -> None:
    busy = System((tokens_of_words, epochs, *DETOUR[:2], *small.WITH_LAW.relations))
    for target in ("params", "tokens", "tokens_per_param"):
        answer = solve(busy, facts(train_flops=1e22, loss=2.2), target)
        used = small.relations_used(answer)
        assert "words" not in used
        assert "unique_tokens" not in used
        assert {step.gives for step in answer.steps if step.kind == "default"} == {"flops_per_param_token"}
        assert used.count("train_flops =") == 1


@pytest.mark.parametrize("order", list(permutations((*DETOUR[:3], small.tokens_per_param))))
@pytest.mark.parametrize("target", ["params", "tokens_per_param"])
def test_a_search_takes_the_shorter_of_two_ways(order: tuple[Relation[...], ...], target: str) -> None:
    system = System((*order, small.law()))
    known = ("train_flops", "loss", "flops_per_param_token")
    route = find_route(system, frozenset((key, "given") for key in known), (target,))
    (search,) = route.steps
    assert isinstance(search, Search)
    assert {one.name for one in search.relations} - {"tokens_per_param"} == {"train_flops", "hoffmann"}
    assert set(search.inputs) == set(known)


def test_relations_that_settle_nothing_for_others_are_left_out() -> None:
    left = _core(BOOK, frozenset({"price"}), "mfu")
    assert len(left) < len(BOOK) / 4
    assert not {"weight_bytes", "train_energy", "tokens_of_words"} & {one.name for one in left}
    kept = _core((*DETOUR, tokens_of_words, epochs), frozenset({"train_flops", "tokens_per_param"}), "params")
    assert {one.name for one in kept} == {one.name for one in DETOUR}


@relation(gives="tokens", kind="rule")
def tokens_of_words(words: Real, tokens_per_word: Real = 4 / 3) -> Real:
    return words * tokens_per_word


@relation
def epochs(tokens: Real, unique_tokens: Real) -> Real:
    return tokens / unique_tokens


def test_both_ways_to_a_loss_are_found() -> None:
    """Hoffmann's law: 2.2 at 1e22 FLOP is a small model on much data, or a large one on little."""
    answer = solve(small.WITH_LAW, facts(loss=2.2, train_flops=1e22), "params")
    (other,) = answer.alternatives
    assert answer.value == pytest.approx(0.9915e9, rel=1e-3)
    assert other.value == pytest.approx(28.38e9, rel=1e-3)
    for one in (answer, other):
        assert small.hoffmann(one.value, 1e22 / 6 / one.value) == pytest.approx(2.2, rel=1e-12)


def test_every_target_of_a_search_has_its_roots_in_order() -> None:
    known = facts(loss=2.2, train_flops=1e22)
    for target in ("params", "tokens", "tokens_per_param"):
        answer = solve(small.WITH_LAW, known, target)
        values = [answer.value, *(other.value for other in answer.alternatives)]
        assert len(values) == 2
        assert values == sorted(values)


@relation
def lifetime_flops(train_flops: Real, serve_flops: Real) -> Real:
    return train_flops + serve_flops


@relation
def serve_flops(params: Real, serve_tokens: Real, forward_flops_per_param_token: Real = 2.0) -> Real:
    return forward_flops_per_param_token * params * serve_tokens


LIFE = System((*small.BASE.relations, small.law(), lifetime_flops, serve_flops, tokens_of_words))


@pytest.mark.parametrize(("params", "tokens"), [(1e9, 2e12), (7e10, 1.4e12)])
def test_two_relations_that_are_no_monomials_are_solved_together(params: float, tokens: float) -> None:
    serve_tokens = 1e12
    known = facts(
        loss=small.hoffmann(params, tokens),
        lifetime_flops=6 * params * tokens + 2 * params * serve_tokens,
        serve_tokens=serve_tokens,
    )
    answer = solve(LIFE, known, "params")
    values = [answer.value, *(other.value for other in answer.alternatives)]
    assert any(value == pytest.approx(params, rel=1e-8) for value in values)
    for one in (answer, *answer.alternatives):
        found = {step.gives: step.value for step in one.steps} | {"params": one.value}
        rest = (known[1].spread.median / one.value - 2 * serve_tokens) / 6
        assert small.hoffmann(one.value, rest) == pytest.approx(known[0].spread.median, rel=1e-8)
        assert "tokens_per_word" not in found
    search = find_route(LIFE, frozenset((one.quantity, one.rank) for one in known), ("params",)).steps[-1]
    assert isinstance(search, Search)
    assert len(search.free) == 2


def test_an_unknown_inside_a_body_twice_is_searched_for() -> None:
    @relation
    def neuron_flops_exact(layer_inputs: Real, layer_outputs: Real) -> Real:
        return layer_outputs * layer_inputs + layer_inputs**2

    answer = solve(System((neuron_flops_exact,)), facts(neuron_flops_exact=28.0, layer_outputs=3.0), "layer_inputs")
    assert answer.value == pytest.approx(4.0, rel=1e-12)


def test_a_value_between_the_steps_of_a_ceiling_is_infeasible() -> None:
    @relation
    def state_chips(train_state_bytes: Real, memory: Real) -> Real:
        return np.ceil(train_state_bytes / memory)

    stepped = System((state_chips,))
    with pytest.raises(Infeasible):
        solve(stepped, facts(state_chips=2.5, memory=80e9), "train_state_bytes")


def test_a_branch_ends_where_the_next_search_has_no_root() -> None:
    """Two roots of the first search; for one of them the second has none."""

    @relation
    def perplexity(params: Real, tokens: Real) -> Real:
        return 1e10 / params + params / tokens

    @relation
    def words(params: Real, tokens_per_word: Real) -> Real:
        return params * (1 + 1 / (tokens_per_word + 1 / tokens_per_word))

    system = System((perplexity, words))
    known = facts(perplexity=11.0, tokens=1e9, words=1.4e9)
    first = solve(system, known, "params")
    assert len(first.alternatives) == 1
    answer = solve(system, known, "tokens_per_word")
    roots = {step.value for one in (answer, *answer.alternatives) for step in one.steps if step.gives == "params"}
    assert len(roots) == 1
