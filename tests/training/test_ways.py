"""Fine-tuning in three ways and training from nothing, on the same chips."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from isoflop import hardware
from isoflop.cli import isoflop as cli
from isoflop.errors import BadInput
from isoflop.model import counts, model, shape_for
from isoflop.training import Order, tariff_of, ways_of


def test_each_way_costs_what_its_chips_and_time_do() -> None:
    tariff = tariff_of(hardware.device("h100-sxm"))
    assert tariff is not None
    order = Order(tokens=1e8, tariff=tariff)
    lora, qlora, whole, nothing = ways_of(model("llama-3.1-8b"), "8xh100-sxm", order, sequence=2048)
    assert [one.fits for one in (lora, qlora, whole, nothing)] == [True] * 4
    assert qlora.memory < lora.memory < whole.memory
    assert lora.time < whole.time < nothing.time / 1000
    assert nothing.tokens == 15e12
    for one in (lora, qlora, whole, nothing):
        assert one.chip_time == pytest.approx(one.time * one.chips)
        assert one.cost == pytest.approx(one.chip_time * tariff.amount)


def test_one_consumer_card_holds_the_smallest_of_them_and_the_others_say_how_many() -> None:
    lora, qlora, whole, _ = ways_of(model("llama-3.1-8b"), "1xrtx-4090", Order(tokens=5e7), sequence=2048)
    assert qlora.fits
    assert qlora.chips == 1
    assert not whole.fits
    assert whole.chips > lora.chips >= 1


def test_a_model_without_a_published_run_takes_20_tokens_a_parameter() -> None:
    spec = shape_for(1e9)
    nothing = ways_of(spec, "8xh100-sxm", Order(tokens=1e8))[-1]
    assert nothing.tokens == 20 * counts(spec).params
    assert "20 tokens a parameter" in nothing.note


def test_the_flag_prints_them() -> None:
    words = ["cost", "llama-3.1-8b", "--on", "1xrtx-4090", "--tokens", "50M", "--sequence", "2k", "--ways"]
    rows = json.loads(CliRunner().invoke(cli, [*words, "--json"]).output)["rows"]
    assert [row["way"] for row in rows] == ["LoRA, rank 16", "QLoRA, rank 16", "all weights", "from nothing"]
    assert "no published law covers" in " ".join(CliRunner().invoke(cli, words).output.split())
    assert isinstance(CliRunner().invoke(cli, ["cost", "7B", "--ways"]).exception, BadInput)
    assert isinstance(CliRunner().invoke(cli, [*words, "--matmul", "fp8"]).exception, BadInput)
