"""Answers: value, interval, what moves it; and what is said where there is none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.relation import small
from tests.relation.small import DAY, TPU_V4_PRICE, fact, facts

from isoflop.errors import Contradictory, Infeasible
from isoflop.quantity import Centred, Interval, Point, Range, Real, Samples, Spread
from isoflop.relation import System, relation, solve, solve_all
from isoflop.relation.uncertainty import LAW, REST

Z95 = 1.6448536269514722
MONEY = {"train_cost": 1e8, "price": TPU_V4_PRICE, "peak_rate": 275e12, "tokens": 4e12}


# ---- points


def test_the_corrected_fifth_seed() -> None:
    answer = solve(small.BASE, facts(**MONEY, mfu=0.4), "params")
    assert answer.value == pytest.approx(1.14e12, rel=0.01)
    assert answer.is_point
    assert (answer.shares, answer.samples, answer.warnings, answer.checks) == ({}, None, (), ())


def test_elasticities_are_the_exponents() -> None:
    answer = solve(small.BASE, facts(**MONEY, mfu=0.4), "params")
    ups, downs = ("train_cost", "peak_rate", "mfu"), ("price", "tokens", "flops_per_param_token")
    assert answer.elasticities == pytest.approx(dict.fromkeys(ups, 1.0) | dict.fromkeys(downs, -1.0), abs=1e-9)


def test_elasticity_of_the_reducible_loss_to_compute() -> None:
    """alpha beta / (alpha + beta), the closed form of the optimum."""
    answer = solve(small.WITH_LAW, facts(train_flops=1e21), "loss")
    due = small.ALPHA * small.BETA / (small.ALPHA + small.BETA)
    reducible = 1 - small.E / answer.value
    assert answer.elasticities["train_flops"] / reducible == pytest.approx(-due, rel=1e-5)


def test_elasticities_follow_the_root_they_belong_to() -> None:
    answer = solve(small.WITH_LAW, facts(loss=2.2, train_flops=1e22), "params")
    for one in (answer, *answer.alternatives):
        params, tokens = one.value, 1e22 / 6 / one.value
        by_size = small.ALPHA * small.A * params**-small.ALPHA
        by_data = small.BETA * small.B * tokens**-small.BETA
        # along C = 6 N D: dL/dlnN = by_data - by_size, dL/dlnC = -by_data
        assert one.elasticities["loss"] == pytest.approx(2.2 / (by_data - by_size), rel=1e-3)
        assert one.elasticities["train_flops"] == pytest.approx(by_data / (by_data - by_size), rel=1e-3)


def test_several_targets_come_from_one_derivation() -> None:
    answers = solve_all(small.BASE, facts(params=1e9, tokens=2e10), ("train_flops", "tokens_per_param", "chips"))
    assert set(answers) == {"train_flops", "tokens_per_param"}
    assert answers["train_flops"].value == 1.2e20
    assert answers["train_flops"].steps == answers["tokens_per_param"].steps


# ---- intervals


def test_hard_ranges_give_hard_bounds() -> None:
    """25,000 A100 for 90 to 100 days, 2.15e25 FLOP."""
    known = [
        *facts(chips=25000.0, train_flops=2.15e25, peak_rate=312e12),
        fact("train_time", Range(90 * DAY, 100 * DAY)),
    ]
    answer = solve(small.BASE, known, "mfu")
    work = 2.15e25 / (25000 * 312e12 * DAY)
    assert answer.hard
    assert (answer.low, answer.high) == pytest.approx((work / 100, work / 90))
    assert answer.value == pytest.approx(work / 95)
    assert answer.samples is None


def test_bounds_hold_at_every_corner() -> None:
    known = [fact("params", Range(1e9, 2e9)), fact("tokens", Range(1e10, 3e10)), fact("train_flops", Range(1e20, 2e20))]
    answer = solve(small.BASE, known, "flops_per_param_token")
    assert answer.hard
    assert (answer.low, answer.high) == pytest.approx((1e20 / 6e19, 2e20 / 1e19))


def test_a_bound_without_a_solution_is_not_left_out_in_silence() -> None:
    """Loss 2.1 cannot be reached with 1e22 FLOP, 2.3 can."""
    answer = solve(small.WITH_LAW, [fact("loss", Range(2.1, 2.3)), fact("train_flops", 1e22)], "params")
    assert not answer.hard
    assert answer.low < answer.value < answer.high
    assert "of the draws have no solution and are left out of the interval" in answer.warnings[-1]


def test_products_of_log_normal_intervals_have_a_closed_form() -> None:
    spreads = {"price": (1.2 / 3600, 2.0 / 3600), "train_cost": (9e7, 1.2e8), "tokens": (3e12, 6e12)}
    known = [fact(key, Interval(*ends, "lognormal")) for key, ends in spreads.items()]
    answer = solve(small.BASE, [*known, *facts(peak_rate=275e12, mfu=0.4)], "params", samples=200_000)
    centre = np.sqrt(9e7 * 1.2e8) / np.sqrt(1.2 * 2.0 / 3600**2) * 275e12 * 0.4 / 6 / np.sqrt(3e12 * 6e12)
    half = np.sqrt(sum(np.log(high / low) ** 2 / 4 for low, high in spreads.values()))
    assert answer.value == pytest.approx(centre, rel=1e-12)
    assert (answer.low, answer.high) == pytest.approx((centre / np.exp(half), centre * np.exp(half)), rel=0.01)
    assert not answer.hard
    assert answer.samples is not None
    assert np.percentile(answer.samples, 5) == pytest.approx(answer.low)


@pytest.mark.parametrize(
    "spread",
    [Range(0.3, 0.5), Interval(0.3, 0.5, "logit"), Centred(0.318, 0.175, 0.579, "logit")],
    ids=lambda spread: type(spread).__name__,
)
def test_one_uncertain_input_passes_through_a_power_law(spread: Spread) -> None:
    answer = solve(small.BASE, [*facts(**MONEY), fact("mfu", spread)], "params", samples=50_000)
    per_share = 1e8 / TPU_V4_PRICE * 275e12 / (6 * 4e12)
    ends = (spread.low * per_share, spread.high * per_share)
    assert answer.value == pytest.approx(spread.median * per_share)
    assert (answer.low, answer.high) == pytest.approx(ends, rel=0.01)


def test_draws_are_repeatable_and_change_with_the_seed() -> None:
    known = [*facts(**MONEY), fact("mfu", Interval(0.3, 0.5, "logit"))]
    first, again, other = (solve(small.BASE, known, "params", seed=seed) for seed in (3, 3, 4))
    assert (first.low, first.high) == (again.low, again.high)
    assert first.low != other.low
    assert first.low == pytest.approx(other.low, rel=0.02)


def test_targets_share_their_draws() -> None:
    known = [fact("params", Interval(1e9, 2e9)), fact("tokens", Interval(1e10, 4e10))]
    answers = solve_all(small.BASE, known, ("train_flops", "tokens_per_param"))
    work, ratio = answers["train_flops"].samples, answers["tokens_per_param"].samples
    assert work is not None
    assert ratio is not None
    np.testing.assert_allclose(np.sqrt(work * ratio / 6), np.sqrt(work / 6 / ratio) * ratio, rtol=1e-12)


def test_joint_samples_stay_joint() -> None:
    rng = np.random.default_rng(5)
    common = rng.normal(size=400)
    params, tokens = Samples(1e9 * np.exp(0.3 * common)), Samples(2e10 * np.exp(-0.3 * common))
    answer = solve(small.BASE, [fact("params", params), fact("tokens", tokens)], "train_flops", samples=400)
    assert answer.low == pytest.approx(answer.high, rel=1e-9)  # what one gains the other loses


NO_SPREAD: tuple[Callable[[float], Spread], ...] = (
    Point,
    lambda x: Range(x, x),
    lambda x: Interval(x, x, "lognormal"),
    lambda x: Centred(x, x, x, "lognormal"),
    lambda x: Samples(np.full(7, x)),
)


@given(st.lists(st.sampled_from(NO_SPREAD), min_size=5, max_size=5), st.floats(0.01, 1.0))
def test_samples_of_zero_spread_equal_the_point(shapes: list[Callable[[float], Spread]], mfu: float) -> None:
    known = MONEY | {"mfu": mfu}
    point = solve(small.BASE, facts(**known), "params")
    spread = [fact(key, shape(value)) for shape, (key, value) in zip(shapes, known.items(), strict=True)]
    answer = solve(small.BASE, spread, "params")
    assert (answer.value, answer.low, answer.high) == (point.value, point.value, point.value)
    assert answer.is_point


@pytest.mark.parametrize("branch", [0, 1])
def test_each_root_has_its_own_interval(branch: int) -> None:
    known = [fact("loss", Interval(2.17, 2.23)), fact("train_flops", 1e22)]
    first = solve(small.WITH_LAW, known, "params")
    answer = (first, *first.alternatives)[branch]
    points = [solve(small.WITH_LAW, facts(loss=loss, train_flops=1e22), "params") for loss in (2.17, 2.23)]
    ends = sorted((one, *one.alternatives)[branch].value for one in points)
    assert (answer.low, answer.high) == pytest.approx(ends, rel=0.01)
    valley = 5.16e9  # the two roots meet where the loss is least
    assert answer.samples is not None
    solved = answer.samples[np.isfinite(answer.samples)]
    assert np.all((solved < valley) == (branch == 0))


def test_draws_without_a_solution_are_counted() -> None:
    known = [fact("loss", Interval(2.14, 2.26)), fact("train_flops", 1e22)]
    answer = solve(small.WITH_LAW, known, "params")
    assert answer.samples is not None
    missing = np.mean(~np.isfinite(answer.samples))
    assert 0.03 < missing < 0.07
    assert f"{missing:.1%} of the draws have no solution and are left out of the interval" in answer.warnings


@pytest.mark.parametrize("shape", [Interval, Range])
def test_draws_of_a_share_above_one_are_no_solutions(shape: Callable[[float, float], Spread]) -> None:
    known = [*facts(chip_time=1e6, peak_rate=1e14), fact("train_flops", shape(7e19, 1.2e20))]
    answer = solve(small.BASE, known, "mfu")
    assert answer.low < answer.value < answer.high <= 1.0
    assert not answer.hard
    assert "of the draws have no solution" in answer.warnings[-1]
    cost = solve(small.BASE, [*known, fact("price", 1e-3)], "train_cost")
    assert cost.is_point  # rests on none of it


def test_draws_of_a_negative_part_are_no_solutions() -> None:
    @relation
    def reducible_loss(loss: Real, irreducible_loss: Real) -> Real:
        return loss - irreducible_loss

    known = [fact("loss", Interval(1.7, 2.1)), fact("irreducible_loss", Interval(1.6, 1.9))]
    answer = solve(System((reducible_loss,)), known, "reducible_loss")
    assert 0 < answer.low < answer.value < answer.high
    assert "of the draws have no solution" in answer.warnings[-1]


def _drawn(rng: np.random.Generator, n: int) -> Callable[..., Real]:
    floor = rng.normal(0.0, 0.02, n)
    return lambda params, tokens: small.hoffmann(params, tokens) + floor


WITH_DRAWS = small.BASE.with_relations((small.law(_drawn), small.OPTIMAL_SPLIT))


def test_drawn_constants_of_a_law_widen_the_interval() -> None:
    fixed = solve(small.WITH_LAW, facts(params=1e9, tokens=2e10), "loss")
    drawn = solve(WITH_DRAWS, facts(params=1e9, tokens=2e10), "loss")
    assert fixed.is_point
    assert drawn.value == fixed.value
    assert (drawn.low, drawn.high) == pytest.approx((fixed.value - 0.02 * Z95, fixed.value + 0.02 * Z95), rel=2e-3)
    assert drawn.shares == {LAW: 1.0}


def test_a_law_is_drawn_where_it_is_inverted_too() -> None:
    fixed = solve(small.WITH_LAW, facts(loss=2.3, train_flops=1e22), "params")
    drawn = solve(WITH_DRAWS, facts(loss=2.3, train_flops=1e22), "params")
    assert drawn.value == fixed.value
    ends = [solve(small.WITH_LAW, facts(loss=2.3 + Z95 * d, train_flops=1e22), "params").value for d in (0.02, -0.02)]
    assert (drawn.low, drawn.high) == pytest.approx(ends, rel=0.02)


def test_a_hard_range_is_no_bound_where_a_law_is_drawn() -> None:
    answer = solve(WITH_DRAWS, [fact("params", Range(1e9, 1.1e9)), fact("tokens", 2e10)], "loss")
    assert not answer.hard


# ---- shares of the variance


def test_shares_of_price_utilisation_and_work() -> None:
    """The plan of the design: price 1.2 to 2, MFU 0.3 to 0.5, 5.8 to 6.6 FLOP per parameter and token."""
    known = [
        fact("train_cost", 4000.0),
        fact("peak_rate", 275e12),
        fact("price", Range(1.2 / 3600, 2.0 / 3600)),
        fact("mfu", Interval(0.3, 0.5, "logit")),
        fact("flops_per_param_token", Interval(5.8, 6.6, "lognormal")),
    ]
    answer = solve(small.WITH_LAW, known, "loss", samples=100_000)
    assert answer.shares["price"] == pytest.approx(0.454, abs=0.015)
    assert answer.shares["mfu"] == pytest.approx(0.513, abs=0.015)
    assert answer.shares["flops_per_param_token"] == pytest.approx(0.033, abs=0.005)
    assert sum(answer.shares.values()) == pytest.approx(1.0, abs=0.02)
    assert (answer.low, answer.value, answer.high) == pytest.approx((2.2996, 2.3338, 2.3703), abs=0.002)


def test_shares_of_a_product_are_squares_of_its_widths() -> None:
    known = [fact("params", Interval(1e9, 2e9)), fact("tokens", Interval(1e10, 8e10))]
    answer = solve(small.BASE, known, "train_flops")
    assert answer.shares == pytest.approx({"params": 1 / 10, "tokens": 9 / 10}, abs=0.01)


def test_shares_where_the_result_is_no_power_law() -> None:
    """A sum of two log-normals one of which is wide: first-order variances by conditional means."""

    @relation
    def lifetime_flops(train_flops: Real, serve_flops: Real) -> Real:
        return train_flops + serve_flops

    known = [fact("train_flops", Interval(1e20, 1e24)), fact("serve_flops", Interval(1e21, 1e23))]
    answer = solve(System((lifetime_flops,)), known, "lifetime_flops", samples=100_000)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    train = nodes * np.log(1e4) / 2 / Z95 + np.log(1e22)
    serve = nodes * np.log(1e2) / 2 / Z95 + np.log(1e22)
    logs = np.logaddexp(train[:, None], serve[None, :])
    mean = weights @ logs @ weights
    total = weights @ (logs - mean) ** 2 @ weights
    assert answer.shares["train_flops"] == pytest.approx(weights @ (logs @ weights - mean) ** 2 / total, abs=0.01)
    assert answer.shares["serve_flops"] == pytest.approx((weights @ logs - mean) ** 2 @ weights / total, abs=0.01)
    assert sum(answer.shares.values()) == pytest.approx(1.0)
    assert answer.shares[REST] > 0.02


# ---- contradictions


def test_a_contradiction_names_factor_and_givens() -> None:
    known = [
        fact("tokens", 1e12, text="1T"),
        fact("params", 1e9, text="1B"),
        fact("tokens_per_param", 20.0),
        fact("chips", 8.0),
    ]
    with pytest.raises(Contradictory) as error:
        solve(small.BASE, known, "train_flops")
    assert str(error.value) == (
        "these knowns cannot all be true: tokens_per_param is 20 tokens/param, but tokens / params gives "
        "1,000 tokens/param (x50 apart). "
        "One of params=1B, tokens=1T, tokens_per_param=20 tokens/param must go or be wrong."
    )
    assert error.value.factor == pytest.approx(50.0)
    assert error.value.exit_code == 2


def test_a_contradiction_over_several_steps_names_the_leaves() -> None:
    known = facts(chips=1e3, train_time=1e6, price=1e-3, train_cost=3e6, params=1e9)
    with pytest.raises(Contradictory, match=r"\(x3 apart\)\. One of chips=.*, price=.*, train_cost=.*, train_time="):
        solve(small.BASE, known, "chip_time")


def test_what_is_not_asked_for_is_checked_too() -> None:
    known = facts(params=1e9, tokens=2e10, tokens_per_param=30.0, chips=8.0, train_time=10.0)
    with pytest.raises(Contradictory):
        solve(small.BASE, known, "chip_time")


@pytest.mark.parametrize(("stated", "fits"), [(19.6, True), (20.4, True), (19.0, False), (21.0, False)])
def test_rounding_of_written_digits_is_allowed_for(stated: float, *, fits: bool) -> None:
    known = [fact("tokens", 2e10), fact("params", 1e9), fact("tokens_per_param", stated, slack=0.025)]
    if fits:
        assert solve(small.BASE, known, "train_flops").value == pytest.approx(1.2e20)
    else:
        with pytest.raises(Contradictory):
            solve(small.BASE, known, "train_flops")


def test_slack_of_all_that_takes_part_adds_up() -> None:
    known = [fact("chips", 100.0), fact("train_time", 1000.0, slack=0.04), fact("chip_time", 1.05e5, slack=0.01)]
    assert solve(small.BASE, known, "chip_time").value == 1.05e5
    with pytest.raises(Contradictory):
        solve(small.BASE, [*known[:2], fact("chip_time", 1.06e5, slack=0.01)], "chip_time")


def test_stated_intervals_are_allowed_for() -> None:
    known = [fact("tokens", Interval(1e10, 4e10)), fact("params", 1e9)]
    assert solve(small.BASE, [*known, fact("tokens_per_param", 35.0)], "train_flops").value > 0
    with pytest.raises(Contradictory):
        solve(small.BASE, [*known, fact("tokens_per_param", 45.0)], "train_flops")


def test_what_agrees_is_no_contradiction() -> None:
    known = facts(chips=8.0, train_time=3600.0, chip_time=8 * 3600.0, price=1e-3, train_cost=28.8)
    assert solve(small.BASE, known, "train_cost").value == 28.8


def test_assumptions_and_catalogue_figures_contradict_nobody() -> None:
    known = [*facts(params=1e9, tokens=2e10, train_flops=2.4e20), fact("tokens_per_param", 5.0, "catalogue")]
    answer = solve(small.BASE, known, "flops_per_param_token")
    assert answer.value == pytest.approx(12.0)
    known = [*facts(train_flops=1e20, chip_time=1e6, peak_rate=2e14), fact("mfu", 0.25, "default")]
    assert solve(small.BASE, known, "mfu").value == pytest.approx(0.5)


def test_a_contradiction_without_a_ratio() -> None:
    @relation
    def reducible_loss(loss: Real, irreducible_loss: Real) -> Real:
        return loss - irreducible_loss

    with pytest.raises(Contradictory) as error:
        solve(System((reducible_loss,)), facts(loss=1.5, irreducible_loss=1.7, reducible_loss=0.2), "loss")
    assert str(error.value) == (
        "these knowns cannot all be true: reducible_loss is 0.2 nats/token, but loss - irreducible_loss gives "
        "-0.2 nats/token. One of irreducible_loss=1.7 nats/token, loss=1.5 nats/token, reducible_loss=0.2 nats/token "
        "must go or be wrong."
    )
    assert error.value.factor == float("inf")


def test_a_law_is_held_against_a_stated_loss_on_every_root_and_only_warns() -> None:
    known = {"loss": 2.2, "train_flops": 1e22, "flops_per_param_token": 6.0}
    roots = solve(small.WITH_LAW, facts(**known), "params")
    for one in (roots, *roots.alternatives):
        assert solve(small.WITH_LAW, facts(**known, params=one.value), "tokens").value > 0
    warnings = solve(small.WITH_LAW, facts(**known, params=5e9), "tokens").warnings
    assert any(warning.startswith("loss is 2.2 nats/token, but hoffmann") for warning in warnings)


# ---- infeasible


def test_a_loss_out_of_reach_prints_the_least_that_compute_allows() -> None:
    with pytest.raises(Infeasible) as error:
        solve(small.WITH_LAW, facts(loss=1.9, train_flops=1e22), "params")
    assert str(error.value) == (
        "loss = 1.9 nats/token cannot be reached: the least that these knowns allow is 2.139 nats/token, "
        "at tokens = 323B, params = 5.16B"
    )
    assert error.value.exit_code == 4


def test_the_least_loss_itself_can_be_reached() -> None:
    best = solve(small.WITH_LAW, facts(train_flops=1e22), "loss")
    answer = solve(small.WITH_LAW, facts(train_flops=1e22, loss=best.value), "params")
    assert answer.value == pytest.approx(5.16e9, rel=0.01)
    assert all(other.value == pytest.approx(answer.value, rel=1e-4) for other in answer.alternatives)


def test_utilisation_above_one_is_refused_with_what_it_follows_from() -> None:
    known = facts(chips=2500.0, train_time=95 * DAY, peak_rate=312e12, train_flops=2.15e25)
    with pytest.raises(Infeasible) as error:
        solve(small.BASE, known, "mfu")
    assert str(error.value) == (
        "mfu would have to be 3.36, but it must be between 0 and 100 %; "
        "from chips = 2,500, train_time = 95 days, train_flops = 2.15e25 FLOP, peak_rate = 312 TFLOP/s/chip"
    )


def test_utilisation_of_exactly_one_is_possible() -> None:
    known = facts(chip_time=3.3, peak_rate=7.7, train_flops=3.3 * 7.7)
    assert solve(small.BASE, known, "mfu").value == pytest.approx(1.0)


@pytest.mark.parametrize(("loss", "shown"), [(1.5, "-0.2 nats/token"), (1.7, "0 nats/token")])
def test_a_part_that_would_be_negative_is_refused(loss: float, shown: str) -> None:
    @relation
    def reducible_loss(loss: Real, irreducible_loss: Real) -> Real:
        return loss - irreducible_loss

    @relation
    def size_loss(reducible_loss: Real) -> Real:
        return reducible_loss**0.5

    with pytest.raises(
        Infeasible, match=f"^reducible_loss would have to be {shown}, but it must be positive and finite"
    ):
        solve(System((reducible_loss, size_loss)), facts(loss=loss, irreducible_loss=1.7), "size_loss")


def test_a_root_of_a_negative_number_is_no_answer() -> None:
    @relation
    def loss(params: Real, irreducible_loss: Real) -> Real:
        return irreducible_loss + 400.0 / params**0.34

    with pytest.raises(Infeasible) as error:
        solve(System((loss,)), facts(loss=1.5, irreducible_loss=1.7), "params")
    assert str(error.value) == (
        "no params fits, but it must be positive and finite; from loss = 1.5 nats/token, "
        "irreducible_loss = 1.7 nats/token"
    )


def test_what_grows_beyond_all_numbers_is_refused() -> None:
    @relation
    def perplexity(loss: Real) -> Real:
        return np.exp(loss)

    with pytest.raises(Infeasible, match=r"^perplexity would have to be inf, but"):
        solve(System((perplexity,)), facts(loss=1e4), "perplexity")


@pytest.mark.parametrize("power", [1, -1])
def test_roots_are_in_order_of_what_is_asked(power: int) -> None:
    @relation
    def epochs(params: Real, learning_rate: Real) -> Real:
        return learning_rate + (params / 1e9) ** power

    known = facts(loss=2.2, train_flops=1e22, learning_rate=0.01)
    answer = solve(small.WITH_LAW.with_relations((epochs,)), known, "epochs")
    (other,) = answer.alternatives
    due = sorted(0.01 + params**power for params in (0.99152, 28.384))
    assert (answer.value, other.value) == pytest.approx(due, rel=1e-3)


# ---- warnings and checks


def test_a_law_outside_the_range_of_its_runs_warns() -> None:
    answer = solve(small.WITH_LAW, facts(params=1.6e11, tokens=1e13), "loss")
    assert answer.warnings == ("hoffmann was fitted on params from 70M to 16B; 160B is 10 times the largest",)
    below = solve(small.WITH_LAW, facts(params=7e6, tokens=1e9), "loss")
    assert below.warnings == ("hoffmann was fitted on params from 70M to 16B; 7M is 10 times below the smallest",)
    assert solve(small.WITH_LAW, facts(params=1e9, tokens=2e10), "loss").warnings == ()


def test_a_computed_value_never_seen_warns() -> None:
    answer = solve(small.BASE, facts(params=1e9, tokens=1e12, train_flops=1e22), "flops_per_param_token")
    assert answer.value == pytest.approx(10.0)
    assert answer.warnings == ()
    answer = solve(small.BASE, facts(params=1e9, tokens=1e12, train_flops=1e24), "flops_per_param_token")
    (warning,) = answer.warnings
    assert warning == (
        "flops_per_param_token = 1,000 FLOP/param/token is outside what has been seen: "
        "1 FLOP/param/token to 10 FLOP/param/token"
    )


def test_warnings_belong_to_the_root_they_concern() -> None:
    answer = solve(small.WITH_LAW, facts(loss=2.2, train_flops=1e22), "params")
    assert answer.warnings == ()
    assert answer.alternatives[0].warnings == (
        "hoffmann was fitted on params from 70M to 16B; 28.4B is 1.8 times the largest",
    )


def test_a_computed_value_is_held_against_catalogue_and_assumption() -> None:
    known = [*facts(train_flops=1e20, chip_time=1e6, peak_rate=2e14), fact("mfu", 0.25, "default")]
    (check,) = solve(small.BASE, known, "mfu").checks
    assert (check.quantity, check.formula, check.ratio) == ("mfu", "25 % assumed", pytest.approx(2.0))
    known = [*facts(train_flops=1e20, chip_time=1e6, mfu=0.5), fact("peak_rate", 1e14, "catalogue")]
    (check,) = solve(small.BASE, known, "peak_rate").checks
    assert (check.formula, check.ratio) == ("100 TFLOP/s/chip in the catalogue", pytest.approx(2.0))


def test_other_roots_are_whole_answers_in_order() -> None:
    known = [fact("loss", Interval(2.19, 2.21)), *facts(train_flops=1e22)]
    answer = solve(small.WITH_LAW, known, "tokens")
    (other,) = answer.alternatives
    assert answer.value < other.value
    assert other.low < other.value < other.high
    assert other.steps[-1].value == other.value
    assert other.elasticities["loss"] * answer.elasticities["loss"] < 0
    assert other.alternatives == ()


def test_knowns_that_disagree_with_a_constant_are_warned_of() -> None:
    answer = solve(small.BASE, facts(params=1e9, tokens=1e12, train_flops=1e24), "tokens_per_param")
    (warning,) = answer.warnings
    assert warning.startswith("these knowns imply flops_per_param_token = 1,000 FLOP/param/token")
    assert "(x167 apart)" in warning
    assert solve(small.BASE, facts(params=1e9, tokens=1e12, train_flops=6.2e21), "tokens_per_param").warnings == ()
