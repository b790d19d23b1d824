"""Which relations are used, in which order, on what they stand; found once for each set of knowns."""

from __future__ import annotations

from itertools import permutations

import pytest
from tests.relation import small
from tests.relation.small import fact, facts

from isoflop.quantity import Real
from isoflop.relation import Fact, Route, System, find_route, relation, solve
from isoflop.relation.answer import Rank
from isoflop.relation.block import Joint, Search
from isoflop.relation.route import Direct, direct


def route(system: System, target: str, *given: str, **ranked: Rank) -> Route:
    known: dict[str, Rank] = dict.fromkeys(given, "given")
    return find_route(system, frozenset((known | ranked).items()), (target,))


def names(found: Route) -> list[str]:
    return [relation.name for step in found.steps for relation in step.relations]


def test_propagation_goes_forward_and_backward() -> None:
    found = route(small.BASE, "mfu", "params", "tokens", "chips", "train_time", peak_rate="catalogue")
    assert names(found) == ["chip_time", "train_flops", "train_flops_by_mfu"] or names(found) == [
        "train_flops",
        "chip_time",
        "train_flops_by_mfu",
    ]
    assert set(found.leaves) == {
        "params",
        "tokens",
        "chips",
        "train_time",
        "peak_rate",
        "flops_per_param_token",
    }
    assert all(isinstance(step, Direct) for step in found.steps)
    assert found.missing == ()


def test_steps_run_in_order() -> None:
    known = ("train_cost", "price", "peak_rate", "mfu", "tokens")
    for order in permutations(small.BASE.relations):
        found = find_route(System(order), frozenset((key, "given") for key in known), ("params",))
        reached = set(found.leaves)
        for step in found.steps:
            assert reached.issuperset(step.inputs)
            reached.update(step.gives)
        assert "params" in reached
        assert sorted(names(found)) == ["train_cost", "train_flops", "train_flops_by_mfu"]


@relation(gives="tokens", kind="rule")
def tokens_of_words(words: Real, tokens_per_word: Real = 4 / 3) -> Real:
    return words * tokens_per_word


@relation(gives="tokens")
def tokens_of_data(unique_tokens: Real, epochs: Real) -> Real:
    return unique_tokens * epochs


@relation(gives="tokens", kind="empirical")
def tokens_fitted(learning_rate: Real) -> Real:
    return 1e9 * learning_rate


@relation(gives="tokens")
def tokens_of_steps(steps: Real, batch_sequences: Real, sequence_length: Real) -> Real:
    return steps * batch_sequences * sequence_length


@relation
def sequence_length(width: Real, layers: Real) -> Real:
    return width * layers


TOKENS = System((tokens_of_words, tokens_fitted, tokens_of_data, tokens_of_steps, sequence_length))


@pytest.mark.parametrize(
    ("knowns", "chosen"),
    [
        # fewest assumptions first: a catalogue figure beats a constant that is assumed
        ({"words": "given", "unique_tokens": "given", "epochs": "catalogue"}, ["tokens_of_data"]),
        # then fewest catalogue figures, whatever the kind
        ({"learning_rate": "given", "unique_tokens": "given", "epochs": "catalogue"}, ["tokens_fitted"]),
        # then the more trusted kind
        ({"learning_rate": "given", "unique_tokens": "given", "epochs": "given"}, ["tokens_of_data"]),
        ({"learning_rate": "given", "words": "given", "tokens_per_word": "given"}, ["tokens_fitted"]),
        # then the shorter way
        (
            {
                **dict.fromkeys(("steps", "batch_sequences", "width", "layers"), "given"),
                **dict.fromkeys(("unique_tokens", "epochs"), "given"),
            },
            ["tokens_of_data"],
        ),
    ],
)
def test_the_cheapest_way_is_taken(knowns: dict[str, Rank], chosen: list[str]) -> None:
    for order in permutations(TOKENS.relations):
        assert names(find_route(System(order), frozenset(knowns.items()), ("tokens",))) == chosen


def test_a_constant_is_a_lighter_assumption_than_a_guess() -> None:
    """6 FLOP per parameter and token rather than a typical MFU, whichever comes first."""
    knowns: dict[str, Rank] = {
        **dict.fromkeys(("params", "tokens", "chip_time", "peak_rate"), "given"),  # type: ignore[dict-item]
        "mfu": "default",
    }
    for order in permutations(small.BASE.relations):
        found = find_route(System(order), frozenset(knowns.items()), ("train_flops",))
        assert names(found) == ["train_flops"]


def test_two_constants_are_lighter_than_one_guess() -> None:
    @relation(gives="tokens")
    def tokens_of_epochs(unique_tokens: Real, active_share: Real = 1.0, goodput: Real = 0.9) -> Real:
        return unique_tokens * active_share * goodput

    @relation(gives="tokens")
    def tokens_of_rate(chip_time: Real, mfu: Real) -> Real:
        return chip_time * mfu

    known: dict[str, Rank] = {"unique_tokens": "given", "chip_time": "given", "mfu": "default"}
    for order in permutations((tokens_of_epochs, tokens_of_rate)):
        assert names(find_route(System(order), frozenset(known.items()), ("tokens",))) == ["tokens_of_epochs"]


def test_a_given_beats_the_catalogue_and_the_catalogue_a_default() -> None:
    found = route(small.BASE, "mfu", "train_flops", "chip_time", "peak_rate", mfu="catalogue")
    assert names(found) == ["train_flops_by_mfu"]
    found = route(small.BASE, "train_flops", "params", "tokens", flops_per_param_token="catalogue")  # noqa: S106 (no password: "token" is a word of the trade)
    assert found.leaves == ("params", "tokens", "flops_per_param_token")


def test_the_default_of_what_is_asked_is_no_answer() -> None:
    assert route(small.BASE, "mfu", "train_cost", mfu="default").missing == ("mfu",)
    assert route(small.BASE, "flops_per_param_token", "params").missing == ("flops_per_param_token",)
    found = route(small.BASE, "flops_per_param_token", "params", "tokens", "train_flops")
    assert names(found) == ["train_flops"]


def test_a_default_never_overrules_what_can_be_computed() -> None:
    found = route(
        small.BASE, "params", "train_flops", "tokens", "chip_time", "peak_rate", mfu="default", chips="default"
    )
    assert "mfu" not in found.leaves
    assert found.conflicts == ()


def test_a_given_target_is_its_own_answer() -> None:
    found = route(small.BASE, "params", "params", "tokens", "train_flops")
    assert (found.leaves, found.steps) == (("params",), ())


def test_several_targets_share_one_route_and_the_unreachable_are_named() -> None:
    known: frozenset[tuple[str, Rank]] = frozenset({("params", "given"), ("tokens", "given")})
    found = find_route(small.BASE, known, ("train_flops", "tokens_per_param", "chips"))
    assert found.targets == ("train_flops", "tokens_per_param")
    assert found.missing == ("chips",)


def test_what_is_not_needed_stays_out() -> None:
    found = route(small.BASE, "train_flops", "params", "tokens", "price", "train_cost", peak_rate="catalogue")
    assert names(found) == ["train_flops"]
    assert (found.closure, found.conflicts, found.doubts) == ((), (), ())


def test_what_disagrees_through_a_constant_is_a_doubt() -> None:
    found = route(small.BASE, "tokens_per_param", "params", "tokens", "train_flops")
    assert names(found) == ["tokens_per_param"]
    assert (found.conflicts, found.doubts, found.implied) == ((), (), ("flops_per_param_token",))


def test_a_constant_that_is_asked_for_is_no_doubt() -> None:
    assert route(small.BASE, "flops_per_param_token", "params", "tokens", "train_flops").implied == ()


@relation
def flops_per_token(params: Real, flops_per_param_token: Real = 6.0) -> Real:
    return params * flops_per_param_token


@relation(gives="train_flops")
def train_flops_by_token(flops_per_token: Real, tokens: Real) -> Real:
    return flops_per_token * tokens


@relation(gives="train_flops", kind="rule")
def train_flops_by_thumb(params: Real, tokens: Real) -> Real:
    return 6.5 * params * tokens


TWICE = System((*small.BASE.relations, flops_per_token, train_flops_by_token, train_flops_by_thumb))


def test_what_givens_determine_twice_is_a_conflict_to_look_at() -> None:
    found = route(TWICE, "tokens_per_param", "params", "tokens", "flops_per_token", "train_flops")
    assert "train_flops_by_token" in {one.name for one in found.conflicts}
    assert route(TWICE, "tokens_per_param", "params", "tokens", "flops_per_token").conflicts == (small.train_flops,)


def test_a_second_opinion_is_a_relation_over_the_way_that_it_does_not_need() -> None:
    known: dict[str, Rank] = {"params": "given", "tokens": "given", "flops_per_param_token": "catalogue"}
    system = System((*small.BASE.relations, flops_per_token, train_flops_by_token))
    found = find_route(system, frozenset(known.items()), ("train_flops", "flops_per_token"))
    assert found.checks == (train_flops_by_token,)
    assert found.conflicts == ()


def test_a_rule_of_thumb_contradicts_nobody_and_is_shown_with_its_ratio() -> None:
    known = facts(params=1e9, tokens=1e12, train_flops=6e21)
    answer = solve(TWICE, known, "flops_per_param_token")
    assert answer.value == pytest.approx(6.0)
    assert [(one.quantity, one.formula) for one in answer.checks[:1]] == [("train_flops", "6.5 · params · tokens")]
    assert answer.checks[0].ratio == pytest.approx(6 / 6.5)


# ---- policies


def test_a_policy_is_the_last_resort() -> None:
    known: dict[str, Rank] = {"train_flops": "given"}
    found = find_route(small.WITH_LAW, frozenset(known.items()), ("tokens",))
    assert "optimal split" in names(found)
    for key in ("params", "tokens_per_param", "loss"):
        found = find_route(small.WITH_LAW, frozenset((known | {key: "given"}).items()), ("tokens",))
        assert "optimal split" not in names(found)
        assert found.missing == ()


def test_a_policy_never_contradicts_what_is_given() -> None:
    found = route(small.WITH_LAW, "loss", "params", "tokens")
    assert names(found) == ["hoffmann"]
    assert (found.conflicts, found.checks) == ((), ())
    answer = solve(small.WITH_LAW, facts(params=1e9, tokens=1e12, train_flops=6e21), "loss")
    assert answer.value == pytest.approx(small.hoffmann(1e9, 1e12))
    assert answer.checks == ()


def test_a_policy_comes_after_assumptions() -> None:
    known: dict[str, Rank] = {"params": "given", "chip_time": "given", "peak_rate": "catalogue", "mfu": "default"}
    found = find_route(small.WITH_LAW, frozenset(known.items()), ("tokens",))
    assert "optimal split" not in names(found)
    assert "mfu" in found.leaves


# ---- the cache


def test_a_route_is_found_once_for_each_set_of_knowns() -> None:
    find_route.cache_clear()
    for cost in (1e6, 2e6, 3e8):
        solve(small.BASE, facts(train_cost=cost, price=1e-3, peak_rate=3e14, mfu=0.4, tokens=1e12), "params")
    assert find_route.cache_info().misses == 1
    assert find_route.cache_info().hits == 2
    solve(
        small.BASE,
        [*facts(train_cost=1e6, price=1e-3, mfu=0.4, tokens=1e12), fact("peak_rate", 3e14, "catalogue")],
        "params",
    )
    assert find_route.cache_info().misses == 2


def test_a_direct_step_knows_its_inputs_once() -> None:
    @relation
    def epochs(tokens: Real, unique_tokens: Real) -> Real:
        return tokens / unique_tokens

    step = direct(epochs, "tokens")
    assert step is not None
    assert (step.gives, step.inputs, step.relations) == (("tokens",), ("epochs", "unique_tokens"), (epochs,))
    assert step.run({"epochs": 2.0, "unique_tokens": 3.0}) == 6.0
    assert direct(small.law(), "params") is None


def test_joint_steps_and_searches_say_what_they_are() -> None:
    found = route(small.WITH_LAW, "params", "train_flops")
    assert [type(step) for step in found.steps] == [Joint]
    found = route(small.WITH_LAW, "params", "train_flops", "loss")
    assert [type(step) for step in found.steps] == [Search]


def test_facts_of_one_quantity_are_refused() -> None:
    twice: list[Fact] = [fact("params", 1e9), fact("params", 2e9, "catalogue")]
    with pytest.raises(AssertionError, match="one fact for each quantity"):
        solve(small.BASE, [*twice, fact("tokens", 1e12)], "train_flops")
