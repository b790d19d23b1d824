"""The main job: limits, policies, what stands beside the plan."""

from __future__ import annotations

import pytest

import isoflop
from isoflop import errors

FOUR_K = {"budget": "$4k", "on": "tpu-v4", "price": "$33,849/month/slice", "slice": "32 chip", "mfu": 0.4}


@pytest.mark.parametrize(
    ("law", "params", "tokens"),
    [("hoffmann2022-rounded", 1.9e9, 96e9), ("ratio20", 3.0e9, 60e9), ("besiroglu2024", 2.9e9, 63e9)],
)
def test_four_thousand_dollars(law: str, params: float, tokens: float) -> None:
    plan = isoflop.plan(**FOUR_K, law=law)
    assert plan.value("chip_time") / 3600 == pytest.approx(2762, rel=1e-3)
    assert plan.value("train_flops") == pytest.approx(1.094e21, rel=1e-3)
    assert plan.value("params") == pytest.approx(params, rel=0.02)
    assert plan.value("tokens") == pytest.approx(tokens, rel=0.02)


def test_the_valley_holds_the_plan_and_is_wide() -> None:
    plan = isoflop.plan(**FOUR_K)
    assert plan.valley is not None
    low, high = plan.valley
    assert low < plan.value("params") < high
    assert (low, high) == pytest.approx((1.6e9, 5.4e9), rel=0.03)


def test_the_shape_is_near_the_plan() -> None:
    plan = isoflop.plan(**FOUR_K)
    counted = isoflop.model.counts(plan.shape).params
    assert counted == pytest.approx(plan.value("params"), rel=0.02)


def test_all_answers_share_one_derivation() -> None:
    plan = isoflop.plan(**FOUR_K)
    assert {answer.steps for answer in plan.answers.values()} == {plan.steps}
    at = {step.gives: step.value for step in plan.steps}
    assert at["train_flops"] == pytest.approx(6 * at["params"] * at["tokens"], rel=1e-9)


def test_without_devices_the_published_runs_speak() -> None:
    plan = isoflop.plan(train_flops="1e21", peak_rate="312 TFLOP/s/chip", chips=8)
    mfu = next(step for step in plan.steps if step.gives == "mfu")
    assert (mfu.kind, mfu.value) == ("default", 0.318)
    assert mfu.low == pytest.approx(0.318 / 1.44**1.645, rel=0.02)
    assert plan.predicted is None


def test_whole_slices_are_rented() -> None:
    plan = isoflop.plan(budget="$4k", on="tpu-v4", commitment="3y")
    assert plan.fleet is not None
    assert (plan.fleet.chips, plan.fleet.unit_chips, plan.fleet.chosen) == (32, 32, True)
    assert plan.fleet.time * plan.fleet.chips == pytest.approx(plan.value("chip_time"))


def test_the_tighter_of_money_and_time_binds() -> None:
    rich = isoflop.plan(budget="$10M", deadline="30 days", on="64xh100-sxm-80gb", price="$2/chip/h", mfu=0.4)
    assert (rich.limit.by, rich.limit.spare) == ("deadline", ("budget", pytest.approx(64 * 720 * 2 / 10e6)))
    poor = isoflop.plan(budget="$10k", deadline="30 days", on="64xh100-sxm-80gb", price="$2/chip/h", mfu=0.4)
    assert poor.limit.by == "budget"
    assert poor.value("train_cost") == pytest.approx(10e3)


def test_a_deadline_chooses_the_chips() -> None:
    plan = isoflop.plan(model="7B", tokens="1T", deadline="30 days", on="h100-sxm-80gb", mfu=0.4)
    assert plan.fleet is not None
    assert plan.fleet.time <= 30 * 86400
    assert (plan.fleet.chips - plan.fleet.unit_chips) * 30 * 86400 < plan.value("chip_time")


def test_work_that_breaks_its_limits_is_said_so() -> None:
    work = {"model": "7B", "tokens": "1T", "on": "8xh100-sxm-80gb", "price": "$2/chip/h"}
    plan = isoflop.plan(**work, budget="$1k", deadline="2 days")
    assert plan.limit.by == "work"
    assert len(plan.broken) == 2
    assert "the budget is $1,000" in plan.broken[0]


def test_the_verdict_on_a_model_of_ones_own() -> None:
    plan = isoflop.plan(params="174.6B", tokens="300B", on="10000xv100-sxm2-16gb")
    assert plan.verdict is not None
    assert plan.verdict.kind == "under-trained"
    assert plan.value("train_flops") == pytest.approx(3.143e23, rel=1e-3)


def test_a_loss_asks_for_the_least_compute() -> None:
    plan = isoflop.plan(loss=2.2, on="h100-sxm-80gb", mfu=0.4)
    assert plan.limit.by == "loss"
    law = isoflop.laws.published("besiroglu2024").law
    assert plan.value("train_flops") == pytest.approx(float(law.minimum_flops(2.2)), rel=1e-6)


def test_demand_makes_the_model_smaller() -> None:
    alone = isoflop.plan(budget="$1M", on="h100-sxm-80gb", price="$2/chip/h", mfu=0.4)
    served = isoflop.plan(budget="$1M", on="h100-sxm-80gb", price="$2/chip/h", mfu=0.4, demand="1T")
    assert served.value("params") < alone.value("params")
    both = served.value("train_flops") + 2 * served.value("params") * 1e12
    assert both == pytest.approx(alone.value("train_flops"), rel=1e-6)


@pytest.mark.parametrize(
    ("knowns", "error", "says"),
    [
        ({}, errors.Undetermined, "does not fix the size of a run"),
        ({"budget": "$4k"}, errors.Undetermined, "--on"),
        ({"on": "tpu-v4"}, errors.Undetermined, "--budget"),
        ({"budget": "$4k", "on": "tpu-v4", "commitment": "7y"}, errors.UnknownName, "commitment"),
        ({"budget": "$4k", "on": "tpu-v5"}, errors.IsoflopError, "tpu-v5"),
        ({"budget": "-$4k", "on": "tpu-v4"}, errors.BadInput, "-"),
        ({"loss": "1.2", "on": "tpu-v4"}, errors.Infeasible, "loss"),
        ({"budget": "$4k", "on": "tpu-v4", "device": "tpu-v4"}, errors.BadInput, "same thing"),
        ({"budget": "$4k", "cost": "$5k", "on": "tpu-v4"}, errors.BadInput, "given twice"),
        ({"budget": "$4k", "on": "0.5xtpu-v4"}, errors.BadInput, ""),
    ],
)
def test_bad_questions(knowns: dict[str, str], error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        isoflop.plan(**knowns)
    assert says in str(caught.value)


def test_an_encoder_decoder_takes_half_the_work() -> None:
    plan = isoflop.plan(model="t5-3b", tokens="1T", on="8xa100-sxm-80gb")
    assert plan.value("train_flops") == pytest.approx(3 * 2.85e9 * 1e12, rel=0.01)
    assert plan.value("train_flops") / 8.64e19 == pytest.approx(99, rel=0.01)


def test_a_stated_loss_is_held_against_the_law() -> None:
    plan = isoflop.plan(model="7B", tokens="1T", loss="2.200", on="8xh100-sxm-80gb")
    assert any("loss is 2.2 nats/token, but besiroglu2024" in warning for warning in plan.answers["loss"].warnings)


def test_a_tied_noun_is_what_is_rented() -> None:
    plan = isoflop.plan(**FOUR_K)
    assert plan.fleet is not None
    assert (plan.fleet.chips, plan.fleet.unit_name) == (32, "slice")


def test_what_does_not_fit_is_said() -> None:
    plan = isoflop.plan(model="70B", tokens="10M", on="2xmi300x-192gb")
    assert not plan.fits
    assert str(plan).count("does not fit") == 1


def test_a_model_brings_its_shape() -> None:
    answer = isoflop.solve("kv_cache_bytes", model="llama-3.1-8b", context="8192", sequences="1")
    assert answer.value == 2**30
    assert isoflop.solve("layers", model="llama-3.1-8b").value == 32


def test_a_mixture_is_said_to_be_one_and_contradicts_nothing() -> None:
    plan = isoflop.plan(model="mixtral-8x7b", tokens="1T", on="64xh100-sxm-80gb", mfu=0.35)
    assert not any("imply" in warning for warning in plan.answers["train_flops"].warnings)
    assert "fitted on dense models" in " ".join(str(plan).split())
