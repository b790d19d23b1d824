"""Claims reconciled in logarithms: against textbook formulas, against solving without, and what must never happen."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.book import BOOK
from isoflop.errors import BadInput
from isoflop.quantity import Centred, Interval, Point, Range, Samples, Spread
from isoflop.relation import Fact, System
from isoflop.relation.constraints import constraints
from isoflop.relation.reconcile import ASSUMED, STATED, Z90, belief, reconcile, survival
from isoflop.relation.reconciliation import Reconciliation

SYSTEM = System(BOOK)
WORK = ("train_flops", "active_params", "tokens")
RUN = (*WORK, "chips", "train_time", "peak_rate", "mfu")


def claim(quantity: str, value: float | Spread, **more: object) -> Fact:
    spread = Point(float(value)) if isinstance(value, int | float) else value
    return Fact(quantity=quantity, spread=spread, **more)  # type: ignore[arg-type]


def work(flops: float, params: float, tokens: float) -> Reconciliation:
    return reconcile(SYSTEM, [claim("train_flops", flops), claim("active_params", params), claim("tokens", tokens)])


def run(**values: float | Spread) -> Reconciliation:
    sound: dict[str, float | Spread] = {
        "train_flops": 2.1e25,
        "active_params": 270e9,
        "tokens": 13e12,
        "chips": 25_000,
        "train_time": 95 * 86_400.0,
        "mfu": 0.33,
    }
    facts = [claim(key, value) for key, value in {**sound, **values}.items()]
    return reconcile(SYSTEM, [*facts, claim("peak_rate", 312e12, rank="catalogue")])


# --- what claims must satisfy


def test_one_relation_between_the_claims_is_one_constraint() -> None:
    bound = constraints(SYSTEM, frozenset({(key, "given") for key in WORK} | {("flops_per_param_token", "default")}))
    (row,) = bound.rows
    scale = row.terms["train_flops"]
    assert {key: power / -scale for key, power in row.terms.items()} == {
        "train_flops": -1,
        "active_params": 1,
        "tokens": 1,
        "flops_per_param_token": 1,
    }
    assert row.log == 0.0


def test_what_nobody_claims_is_eliminated_exactly() -> None:
    known = frozenset({(key, "given") for key in ("train_cost", "price", "train_flops", "mfu", "peak_rate")})
    (row,) = constraints(SYSTEM, known).rows
    sign = row.terms["train_flops"]
    assert {key: power / sign for key, power in row.terms.items()} == {
        "train_flops": 1,
        "price": 1,
        "train_cost": -1,
        "mfu": -1,
        "peak_rate": -1,
    }


def test_redundant_relations_are_counted_once() -> None:
    twice = ("train_flops", "active_params", "tokens", "flops_per_token", "flops_per_param_token")
    bound = constraints(SYSTEM, frozenset({(key, "given") for key in twice}))
    assert len(bound.rows) == 2  # three relations hold these five, and two of them imply the third


def test_figures_that_nobody_claimed_do_not_test_each_other() -> None:
    facts = [claim("tdp", 400, rank="catalogue"), claim("chip_power", 900, rank="catalogue"), claim("tokens", 1e12)]
    found = reconcile(SYSTEM, facts)
    assert (found.verdict, found.dof, found.p) == ("untested", 0, 1.0)


def test_a_policy_is_no_constraint() -> None:
    found = reconcile(SYSTEM, [claim("width", 5120), claim("heads", 64), claim("head_width", 128)])
    assert found.verdict == "untested"


def test_determined_quantities_follow() -> None:
    found = run()
    cost = reconcile(SYSTEM, [claim("train_cost", 63e6), claim("chips", 25_000), claim("train_time", 95 * 86_400.0)])
    assert "chip_time" in {one.quantity for one in found.implied}
    (price,) = (one for one in cost.implied if one.quantity == "price")
    assert price.value * 3600 == pytest.approx(63e6 / (25_000 * 95 * 24))
    assert sqrt(price.high / price.low) == pytest.approx(exp(Z90 * sqrt(3) * STATED))


# --- what a claim is taken to mean


@pytest.mark.parametrize(
    ("fact", "median", "deviation"),
    [
        (claim("tokens", 13e12, slack=0.2), 13e12, 0.2),
        (claim("tokens", 13e12, slack=1e-6), 13e12, STATED),
        (claim("train_time", Range(90.0, 100.0)), 95.0, log(100 / 90) / sqrt(12)),
        (claim("price", Interval(1.0, 2.0)), sqrt(2), log(2) / 2 / Z90),
        (claim("mfu", Interval(0.3, 0.5, "logit")), sqrt(0.15), log(0.5 / 0.3) / 2 / Z90),
        (claim("pue", Centred(1.1, 1.05, 1.6)), 1.1, log(1.6 / 1.05) / 2 / Z90),
        (claim("tokens", Samples(np.exp([0.0, 2.0]))), exp(1.0), 1.0),
        (claim("flops_per_mac", 2.0, rank="default"), 2.0, 0.0),
    ],
)
def test_belief(fact: Fact, median: float, deviation: float) -> None:
    place, spread = belief(fact)
    assert (exp(place), spread) == (pytest.approx(median), pytest.approx(deviation))


def test_what_has_no_logarithm_is_refused() -> None:
    with pytest.raises(BadInput, match=r"tokens = 0 cannot be checked: .* Give a value above 0"):
        reconcile(SYSTEM, [claim("tokens", 0.0)])


@pytest.mark.oracle
@given(st.floats(0, 400), st.integers(1, 12))
def test_survival_is_that_of_chi_square(chi2: float, dof: int) -> None:
    from scipy.stats import chi2 as chi_square

    assert survival(chi2, dof) == pytest.approx(float(chi_square.sf(chi2, dof)), rel=1e-9, abs=1e-300)


# --- verdicts


def test_one_constraint_is_the_textbook_z() -> None:
    found = work(2e24, 1e11, 1e12)
    miss = log(6 * 1e11 * 1e12 / 2e24)
    deviation = sqrt(3 * STATED**2 + ASSUMED**2)
    assert found.chi2 == pytest.approx((miss / deviation) ** 2)
    assert (found.verdict, found.dof) == ("contradictory", 1)
    assert [abs(one.pull) for one in found.claims] == pytest.approx([-miss / deviation] * 4)
    assert set(found.suspects) == {*WORK, "flops_per_param_token"}
    assert found.factor == pytest.approx(2e24 / 6e23)


@given(st.floats(1e8, 1e13), st.floats(1e9, 1e14), st.floats(0.9, 1.1))
def test_figures_that_agree_are_consistent(params: float, tokens: float, noise: float) -> None:
    found = work(6 * params * tokens * noise, params, tokens)
    assert found.verdict == "consistent"
    assert found.suspects == ()
    assert found.factor == pytest.approx(max(noise, 1 / noise))


@given(st.sampled_from(["tokens", "active_params", "train_flops", "chips", "train_time", "mfu"]), st.floats(3, 1000))
def test_a_slip_is_among_the_suspects_with_its_size(key: str, size: float) -> None:
    right = run().claim(key)
    assert right is not None
    found = run(**{key: right.said / size})
    assert found.verdict == "contradictory"
    wrong = found.claim(key)
    assert wrong is not None
    assert key in found.suspects
    assert wrong.restores
    assert wrong.factor == pytest.approx(size, rel=0.1)


@given(st.sampled_from(["tokens", "active_params", "train_flops", "chips", "train_time", "mfu"]), st.floats(0.1, 10))
def test_what_the_others_imply_is_what_they_say_without_it(key: str, size: float) -> None:
    full = run()
    said = full.claim(key)
    assert said is not None
    found = run(**{key: said.said * size})
    judged = found.claim(key)
    assert judged is not None
    assert judged.implied is not None
    facts = [one.fact for one in found.claims if one.quantity != key]
    without = reconcile(SYSTEM, facts)
    assert without.chi2 == pytest.approx(found.chi2 - judged.pull**2, abs=1e-6)
    (other,) = (one for one in without.implied if one.quantity == key)
    assert judged.implied == pytest.approx((other.value, other.low, other.high), rel=1e-6)


@given(st.floats(0.2, 5), st.floats(0.2, 5))
def test_reconciled_claims_satisfy_the_relations_and_are_never_wider(first: float, second: float) -> None:
    found = run(tokens=13e12 * first, chips=25_000 * second)
    at = {one.quantity: one.value for one in found.claims}
    by_size = at["flops_per_param_token"] * at["active_params"] * at["tokens"]
    by_chips = at["mfu"] * at["peak_rate"] * at["chips"] * at["train_time"]
    assert at["train_flops"] == pytest.approx(by_size, rel=1e-9)
    assert at["train_flops"] == pytest.approx(by_chips, rel=1e-9)
    for one in found.claims:
        assert one.high / one.low <= exp(2 * Z90 * belief(one.fact)[1]) * (1 + 1e-9)


def test_ties_are_structural() -> None:
    """Claims that meet in one relation pull alike, however wide they are."""
    wide = run(active_params=Interval(20e12, 40e12), tokens=13e12)
    assert set(wide.suspects) == {"active_params", "tokens", "flops_per_param_token"}
    assert wide.meeting is not None
    assert set(wide.meeting.powers) == {"train_flops", "active_params", "tokens", "flops_per_param_token"}


def test_the_meeting_says_what_the_rest_would_have_to_be() -> None:
    found = run(active_params=26e12)
    flops = found.claim("train_flops")
    assert found.meeting is not None
    assert flops is not None
    assert found.meeting.would_be(flops) == pytest.approx(6 * 26e12 * 13e12)


def test_two_slips_are_not_mended_by_dropping_one() -> None:
    found = run(tokens=13e13, chips=2_500)
    assert found.verdict == "contradictory"
    assert not any(one.restores for one in found.tied)


# --- alarms, priors, curves


def test_a_utilisation_above_one_is_impossible_though_nothing_is_tested() -> None:
    facts = [claim("train_flops", 1.02e24), claim("chip_time", 172_800 * 3600.0), claim("peak_rate", 989e12)]
    found = reconcile(SYSTEM, facts)
    assert (found.dof, found.verdict) == (0, "contradictory")
    (alarm,) = found.alarms
    assert (alarm.quantity, found.factor) == ("mfu", alarm.value)
    assert alarm.value == pytest.approx(1.66, rel=0.01)
    assert set(found.suspects) == {"train_flops", "chip_time", "peak_rate"}


def test_a_utilisation_that_may_yet_be_below_one_is_no_alarm() -> None:
    facts = [claim("train_flops", 1.02e24), claim("chip_time", 1.02e24 / 989e12), claim("peak_rate", 989e12)]
    assert reconcile(SYSTEM, facts).alarms == ()


def test_constants_take_part_as_priors_and_can_be_left_open() -> None:
    found = work(6e23, 1e11, 1e12)
    assert [one.quantity for one in found.priors] == ["flops_per_param_token"]
    facts = [one.fact for one in found.claims if one.rank == "given"]
    assert reconcile(SYSTEM, facts, free={"flops_per_param_token"}).verdict == "untested"


def test_an_exact_constant_is_no_suspect() -> None:
    facts = [claim("neuron_macs", 100.0), claim("layer_inputs", 4), claim("layer_outputs", 3)]
    found = reconcile(SYSTEM, [*facts, claim("flops_per_mac", 2.0, rank="default")])
    assert set(found.suspects) == {"neuron_macs", "layer_inputs", "layer_outputs"}
    assert found.factor == pytest.approx(100 / 24)


def test_sums_are_reconciled_too() -> None:
    found = reconcile(SYSTEM, [claim("train_state_bytes", 32e9), claim("params", 1e9)])
    at = {one.quantity: one.value for one in found.claims}
    parts = ("weight", "gradient", "master", "optimizer")
    total = at["params"] * sum(at[f"{part}_bytes_per_param"] for part in parts)
    assert found.verdict == "contradictory"
    assert at["train_state_bytes"] == pytest.approx(total, rel=1e-7)
    params = found.claim("params")
    assert params is not None
    assert params.factor == pytest.approx(2.0, rel=1e-6)


def test_a_difference_that_is_not_positive_tests_nothing() -> None:
    facts = [claim("non_embedding_params", 1e9), claim("params", 1e9), claim("embedding_params", 2e9)]
    assert reconcile(SYSTEM, facts).verdict == "untested"


def test_absurd_claims_are_judged() -> None:
    found = work(1e10, 1e300, 1e300)
    assert found.verdict == "contradictory"
    assert found.p == 0.0
    assert found.factor == float("inf")
