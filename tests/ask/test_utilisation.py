"""Where model, devices and chips are known, a plan takes its utilisation from the best of the usual layouts."""

from __future__ import annotations

import json
import math

import pytest
from click.testing import CliRunner

import isoflop
from isoflop import hardware
from isoflop.cli import isoflop as cli
from isoflop.model import counts, model, shape_for
from isoflop.training import Run, Terms, account_of, advise_run, machine_of, place_of, search_layouts
from isoflop.training.footprint import machine_power
from isoflop.training.power import board_share
from isoflop.training.practice import Asked, practice_of
from isoflop.training.usual import usual_layout


def step_of(plan: isoflop.ask.Plan) -> tuple[float, float, float]:  # type: ignore[name-defined]
    return next((step.value, step.low, step.high) for step in plan.steps if step.gives == "mfu")


def test_the_predicted_time_is_the_layouts() -> None:
    plan = isoflop.plan(model="llama-2-7b", tokens="2T", on="512xa100-80gb")
    found = plan.predicted
    assert found is not None
    assert found.layout.chips == 512
    steps = 2e12 / (found.run.batch * found.run.sequence)
    assert plan.value("chip_time") == pytest.approx(512 * steps * found.step / found.goodput, rel=1e-3)
    value, low, high = step_of(plan)
    assert low < value < high
    work = 6 * counts(plan.shape).active_params * found.tokens_per_second
    assert value == pytest.approx(found.goodput * work / (512 * 312e12), rel=1e-6)


@pytest.mark.parametrize(
    "knowns",
    [
        {"budget": "$4k", "on": "h100-sxm"},
        {"budget": "$4k", "on": "tpu-v4", "commitment": "3y"},
        {"on": "64xh100-sxm", "deadline": "30 days"},
        {"model": "70B", "tokens": "1T", "on": "h100-sxm", "deadline": "60 days"},
        {"loss": 2.2, "on": "a100-80gb"},
        {"budget": "$1M", "on": "h100-sxm", "demand": "1T"},
    ],
)
def test_it_stands_still(knowns: dict[str, str]) -> None:
    plan = isoflop.plan(**knowns)
    found = plan.predicted
    assert found is not None
    assert plan.fleet is not None
    value, low, high = step_of(plan)
    shape = counts(found.run.model).params
    assert shape == pytest.approx(plan.value("params"), rel=0.1)
    assert plan.fleet.chips == found.layout.chips
    work = 6 * counts(found.run.model).active_params * found.tokens_per_second
    peak = plan.question.fact("peak_rate")
    assert peak is not None
    reached = found.goodput * work / (found.layout.chips * peak.spread.median)
    assert value <= 1.03 * reached  # below where a layout no longer fits the larger model that more would pay for
    assert value >= 0.75 * reached
    assert 0 < low < value < high < 1


def test_a_given_utilisation_is_taken() -> None:
    plan = isoflop.plan(budget="$4k", on="h100-sxm", mfu=0.4)
    assert plan.predicted is None
    assert step_of(plan) == (0.4, 0.4, 0.4)


def test_one_that_follows_from_the_knowns_is_no_prediction() -> None:
    plan = isoflop.plan(
        params="7B", tokens="1T", on="64xh100-sxm", train_time="30 days", price="$2/chip/h", train_flops="4.2e22"
    )
    assert plan.predicted is None or step_of(plan)[0] > 0


def test_a_class_without_a_profile_keeps_a_wide_spread_and_says_so() -> None:
    plan = isoflop.plan(budget="$4k", on="tpu-v4", commitment="3y")
    assert plan.predicted is not None
    assert not plan.predicted.measured
    value, low, high = step_of(plan)
    assert value / low > 1.6
    assert high / value > 1.4
    out = CliRunner().invoke(cli, ["plan", "--budget", "$4k", "--on", "tpu-v4", "--commitment", "3y"]).output
    assert "none of its own" in " ".join(out.split())
    assert "predicted from the layout below" in " ".join(out.split())


def test_json_holds_the_layout() -> None:
    words = ["plan", "--budget", "$4k", "--on", "h100-sxm", "--json"]
    found = json.loads(CliRunner().invoke(cli, words).output)["plan"]["layout"]
    assert found["layout"]["dp"] >= 1
    assert found["step_time"]["low"] < found["step_time"]["value"] < found["step_time"]["high"]
    given = json.loads(
        CliRunner().invoke(cli, ["plan", "--budget", "$4k", "--on", "h100-sxm", "--mfu", "40%", "--json"]).output
    )
    assert given["plan"]["layout"] is None


@pytest.mark.parametrize(
    ("name", "device", "chips", "sequence", "batch", "within"),
    [
        ("3B", "h100-sxm", 8, 4096, 256, 1.03),
        ("7B", "a100-80gb", 512, 4096, 1024, 1.03),
        ("llama-3.1-70b", "h100-sxm", 512, 8192, 512, 1.03),
        ("llama-3.1-405b", "h100-sxm", 16384, 4096, 4096, 1.1),
        ("mixtral-8x7b", "h100-sxm", 256, 4096, 1024, 1.03),
        ("deepseek-v3", "h100-sxm", 2048, 4096, 8192, 1.03),
    ],
)
def test_usual_layouts_are_nearly_as_good_as_the_best_of_all(
    name: str, device: str, chips: int, sequence: int, batch: int, within: float
) -> None:
    spec = shape_for(float(name[:-1]) * 1e9) if name[0].isdigit() else model(name)
    place, machine = place_of(device), machine_of(hardware.device(device))
    run = Run(model=spec, sequence=sequence, batch=batch)
    quick = usual_layout(run, chips, place.domain, place.capacity, (machine.chip, machine.profile))
    best = search_layouts(run, chips, place.domain, place.capacity, machine).best[0]
    assert quick is not None
    assert best.pace is not None
    assert 1 - 1e-9 <= quick.step / best.pace.step <= within


def test_chips_that_would_wait_for_each_other_are_not_chosen() -> None:
    plan = isoflop.plan(budget="$100m", on="h100-sxm", samples=200)
    found = {one.time / 86400: one.mfu for one in plan.durations}
    assert list(found) == [30, 60, 90, 120]
    chosen = found[plan.longest / 86400]
    assert chosen >= 0.95 * max(found.values())
    assert all(mfu < 0.95 * max(found.values()) for days, mfu in found.items() if days < plan.longest / 86400)
    assert plan.fleet is not None
    assert plan.fleet.time <= plan.longest
    hurried = isoflop.plan(budget="$100m", on="h100-sxm", deadline="30 days", samples=200)
    assert hurried.durations == ()
    assert plan.value("loss") < hurried.value("loss")


def test_a_small_fleet_takes_the_usual_time() -> None:
    plan = isoflop.plan(budget="$4k", on="h100-sxm", samples=200)
    assert plan.durations == ()
    assert plan.longest == 30 * 86400


def test_the_interval_reaches_down_to_what_runs_reach_in_practice() -> None:
    """The point stays the layout's; published runs whose settings nobody states take longer."""
    plan = isoflop.plan(model="llama-3.1-70b", tokens="15T", on="2048xh100-sxm")
    assert plan.predicted is not None
    usual = plan.predicted.practice
    value, low, high = step_of(plan)
    assert usual is not None
    assert low < usual < value < high
    shown = CliRunner().invoke(cli, ["plan", "--model", "llama-3.1-70b", "--tokens", "15T", "--on", "2048xh100-sxm"])
    assert f"reach {usual:.0%} in practice" in " ".join(shown.output.split())


def test_what_practice_reaches_is_widened_to_the_interval_of_a_fact() -> None:
    """Practice says 10 and 90 %, a fact 5 and 95 %: of the plan's low, in logarithms, 1.645 / 1.282 as far."""
    plan = isoflop.plan(model="llama-3.1-70b", tokens="15T", on="2048xh100-sxm")
    found = plan.predicted
    assert found is not None
    assert found.practice is not None
    asked = Asked(
        model=found.run.model, tokens=1.0, year=2025, sequence=found.run.sequence, batch=found.run.batch,
        matmul=found.run.recipe.matmul,
    )  # fmt: skip
    usual = practice_of(asked, hardware.device("h100-sxm"), found.layout.chips, found.goodput)
    assert usual is not None
    far = math.log(found.practice / step_of(plan)[1]) / math.log(usual.high / usual.chip_time)
    assert far == pytest.approx(1.6449 / 1.2816, rel=1e-3)


@pytest.mark.parametrize("budget", ["$10m", "$100m", "$300m", "$1B", "$3B"])
@pytest.mark.parametrize("device", ["h100-sxm", "b200", "tpu-v5p", "a100-sxm-80gb"])
def test_large_budgets_have_a_layout(budget: str, device: str) -> None:
    """Layers that stages share, batches that chips divide, a smaller model where none fits, longer times."""
    plan = isoflop.plan(budget=budget, on=device, samples=100)
    found = plan.predicted
    assert found is not None
    assert plan.fleet is not None
    assert plan.fleet.time <= plan.longest <= 120 * 86400
    assert found.memory <= found.capacity
    batch = found.run.batch * found.run.sequence
    assert batch <= 3.0 * 1.3 * float(plan.settings.batch_tokens)
    if found.practice is not None:
        assert found.practice <= step_of(plan)[2]


def test_a_billion_is_not_spent_in_a_month() -> None:
    plan = isoflop.plan(budget="$1B", on="h100-sxm", samples=100)
    assert plan.longest > 30 * 86400
    assert step_of(plan)[0] > 0.25
    assert plan.shape.layers % 16 == 0
    shown = " ".join(CliRunner().invoke(cli, ["plan", "--budget", "$1B", "--on", "h100-sxm"]).output.split())
    assert "times the law's below" in shown
    assert "times those of the largest published run" in shown


@pytest.mark.parametrize(
    ("name", "chips", "tokens"), [("llama-3.1-8b", 512, "1T"), ("llama-3.1-8b", 16384, "15T"), ("1B", 4096, "1T")]
)
def test_a_chip_draws_what_its_account_says(name: str, chips: int, tokens: str) -> None:
    """Boards that wait draw less, in a plan as in the account of the same layout at the same utilisation."""
    plan = isoflop.plan(model=name, tokens=tokens, on=f"{chips}xh100-sxm", samples=100)
    found = plan.predicted
    assert found is not None
    power = plan.value("train_energy") / plan.value("chip_time")
    busy = step_of(plan)[0] / found.goodput
    wanted = machine_power(hardware.device("h100-sxm"), Terms(), board_share(busy)) * Terms().pue
    assert power == pytest.approx(wanted, rel=1e-6)
    advice = advise_run(found.run, place_of(f"{chips}xh100-sxm"), found.layout)
    account = account_of(advice, hardware.device("h100-sxm"), plan.value("tokens"), None, Terms())
    energy = next(one.value for one in account.parts["energy"] if one.name == "energy")
    assert energy / account.bill.chip_time == pytest.approx(power, rel=0.03)


def test_a_given_power_ratio_is_kept() -> None:
    plan = isoflop.plan(model="1B", tokens="1T", on="4096xh100-sxm", power_ratio=1.1, samples=100)
    assert plan.value("train_energy") == pytest.approx(plan.value("chip_time") * 700 * 1.1 * 1.1)
