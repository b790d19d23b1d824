"""Plans side by side, mixtures of experts, repeated data."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest
from click.testing import CliRunner

import isoflop
from isoflop.ask import plans
from isoflop.ask.vary import figures
from isoflop.cli import isoflop as cli
from isoflop.errors import BadInput, Undetermined
from isoflop.laws import published
from isoflop.model import counts
from isoflop.model.mixtures import mixture_for


def test_each_is_the_plan_of_its_own() -> None:
    found = plans({"dtype": ["bf16", "fp8"]}, budget="$100k", on="h100-sxm")
    alone = isoflop.plan(budget="$100k", on="h100-sxm", dtype="fp8", samples=1000)
    held = found.every[1].plan
    assert held is not None
    assert figures(held) == figures(alone)
    assert found.loss_differs == ""


def test_two_names_give_every_pair_and_what_none_beats_is_marked() -> None:
    found = plans({"deadline": ["15 days", "60 days"], "budget": ["$1m", "$10m"]}, on="h100-sxm")
    assert [tuple(one.values.values()) for one in found.every] == [
        ("15 days", "$1m"), ("15 days", "$10m"), ("60 days", "$1m"), ("60 days", "$10m"),
    ]  # fmt: skip
    held = [figures(one.plan) for one in found.every if one.plan is not None]
    for one, own in zip(found.every, held, strict=True):
        beaten = any(
            all(a <= b * 1.0001 for a, b in zip(other, own, strict=True))  # type: ignore[operator]
            and any(a < b * 0.9999 for a, b in zip(other, own, strict=True))  # type: ignore[operator]
            for other in held
        )
        assert one.best is not beaten


def test_losses_of_dense_models_and_mixtures_are_not_ranked() -> None:
    found = plans({"active_share": ["1", "0.1"]}, budget="$100k", on="h100-sxm")
    assert "no published law covers" in found.loss_differs
    dense, mixture = (one.plan for one in found.every)
    assert dense is not None
    assert mixture is not None
    assert dense.active_loss is None
    assert mixture.active_loss is not None
    assert mixture.active_loss > mixture.value("loss")
    assert mixture.predicted is not None
    assert mixture.predicted.layout.ep > 1
    assert counts(mixture.shape).active_params == pytest.approx(0.1 * mixture.value("params"), rel=0.1)


def test_what_cannot_be_planned_stands_there_with_its_reason() -> None:
    found = plans({"on": ["h100-sxm", "8xrtx-4090"]}, model="70B", tokens="1T")
    assert found.every[0].plan is not None
    small = found.every[1]
    assert small.refused or small.plan is None or not small.plan.fits
    assert not small.best
    unknown = plans({"on": ["h100-sxm", "h101"]}, model="7B", tokens="1T")
    assert "h101" in unknown.every[1].refused


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({}, "nothing to vary"),
        ({"dtype": []}, "nothing to vary in dtype"),
        ({"tokens": ["1T"] * 101}, "101 plans"),
        ({"on": ["h100-sxm"]}, "varied and given too"),
    ],
)
def test_bad_variations_are_refused(vary: dict[str, list[str | float]], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        plans(vary, budget="$1m", on="h100-sxm")


def test_the_command_prints_every_form() -> None:
    words = ["plan", "--budget", "$100k", "--on", "h100-sxm", "--vary", "active_share=1,0.25"]
    run = CliRunner().invoke(cli, words)
    assert run.exit_code == 0
    assert "of the active" in run.output
    assert "In all of them: cost $100,000" in run.output
    held = json.loads(CliRunner().invoke(cli, [*words, "--json"]).output)
    assert held["varied"] == ["active_share"]
    assert held["plans"][1]["active_loss"] > held["plans"][1]["loss"]
    assert held["plans"][0]["active_loss"] is None
    assert "of the active |" in CliRunner().invoke(cli, [*words, "--format", "md"]).output
    bad = CliRunner().invoke(cli, ["plan", "--budget", "$100k", "--vary", "dtype"])
    assert isinstance(bad.exception, BadInput)


@pytest.mark.parametrize(("params", "share"), [(100e9, 0.1), (47e9, 0.27), (671e9, 0.055), (1e9, 0.5), (30e9, 0.1)])
def test_a_mixture_has_about_its_size_and_share(params: float, share: float) -> None:
    made = counts(mixture_for(params, share))
    assert made.params == pytest.approx(params, rel=0.15)
    assert made.active_params == pytest.approx(params * share, rel=0.05)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, 1e-4])
def test_a_share_that_no_mixture_has(share: float) -> None:
    with pytest.raises(BadInput, match="active_share"):
        mixture_for(100e9, share)


def test_repeated_data_are_said_and_counted_by_the_law_that_knows() -> None:
    plan = isoflop.plan(budget="$1m", on="h100-sxm", mfu=0.4, unique_tokens="100B", samples=200)
    again = plan.repeats
    assert again is not None
    assert not again.counted
    assert again.epochs == pytest.approx(plan.value("tokens") / 100e9)
    law = published("repeated2023")
    fresh = law.bound(unique_tokens=plan.value("tokens")).law
    assert again.dearer == pytest.approx(
        law.bound(unique_tokens=1e11).law.loss(plan.value("params"), plan.value("tokens"))
        - fresh.loss(plan.value("params"), plan.value("tokens"))
    )
    assert again.dearer > 0
    own = isoflop.plan(budget="$1m", on="h100-sxm", mfu=0.4, unique_tokens="100B", law="repeated2023", samples=200)
    assert own.repeats is not None
    assert own.repeats.counted
    assert own.value("params") == pytest.approx(again.params, rel=0.02)
    enough = isoflop.plan(budget="$1m", on="h100-sxm", mfu=0.4, unique_tokens="100T", samples=200)
    assert enough.repeats is not None
    assert enough.repeats.dearer == pytest.approx(0, abs=1e-9)


def test_text_is_counted_in_tokens_of_its_language() -> None:
    words = {"text_bytes": "400 GB", "tokenizer": "llama-3", "language": "de"}
    plan = isoflop.plan(budget="$1m", on="h100-sxm", mfu=0.4, samples=200, **words)
    there = isoflop.solve("unique_tokens", **words).value
    assert plan.repeats is not None
    assert plan.repeats.unique == pytest.approx(there, rel=1e-3)
    own = isoflop.plan(budget="$1m", on="h100-sxm", mfu=0.4, samples=200, law="repeated2023", **words)
    assert own.repeats is not None
    assert own.repeats.counted
    assert own.value("params") < plan.value("params")


def test_where_none_can_be_planned_the_first_says_why() -> None:
    with pytest.raises(BadInput, match="cannot be read as a value"):
        plans({"budget": ["x", "y"]}, on="h100-sxm")
    with pytest.raises(Undetermined, match="does not fix the size"):
        plans({"on": ["h100-sxm", "a100-80gb"]})


def test_csv_is_in_base_units() -> None:
    words = ["plan", "--budget", "$100k", "--on", "h100-sxm", "--vary", "dtype=bf16,fp8", "--format", "csv"]
    rows = list(csv.DictReader(StringIO(CliRunner().invoke(cli, words).output)))
    found = plans({"dtype": ["bf16", "fp8"]}, budget="$100k", on="h100-sxm")
    for row, one in zip(rows, found.every, strict=True):
        assert one.plan is not None
        named = {name.partition(" ")[0]: value for name, value in row.items()}
        assert float(named["params"]) == pytest.approx(one.plan.value("params"))
        assert float(named["train_cost"]) == pytest.approx(1e5)
