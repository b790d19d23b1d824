"""Published costs by method, and the rumour of GPT-4."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from isoflop.accuracy.costs import METHODS, costs_beside, rumour
from isoflop.book.money import owned_price
from isoflop.cli import isoflop as cli
from isoflop.errors import BadInput

YEAR, KWH = 8766 * 3600.0, 3.6e6


def test_the_rumour_of_gpt_4_closes() -> None:
    found = rumour()
    assert found.implied_active == pytest.approx(276e9, rel=0.005)
    assert found.implied_active == pytest.approx(found.active_params, rel=0.02)
    first, last = found.closings[0], found.closings[-1]
    assert (round(first.mfu, 3), round(last.mfu, 3)) == (0.354, 0.319)
    assert (round(first.price * 3600, 2), round(last.price * 3600, 2)) == (1.17, 1.05)
    for one in found.closings:
        assert one.mfu * one.chip_time * 312e12 == pytest.approx(found.flops)
        assert one.price * one.chip_time == pytest.approx(found.cost)


def test_three_methods_of_each_run_on_the_same_chip_hours() -> None:
    found = costs_beside()
    assert [one.method for one in found] == [*METHODS] * (len(found) // 3)
    gpt4 = {one.method: one for one in found if one.run == "GPT-4 (rumour)"}
    assert gpt4["capital and energy"].published == 40.7e6
    assert gpt4["cloud rent"].ours == pytest.approx(1.5 * gpt4["cloud rent"].chip_time / 3600)
    each = float(owned_price(17_000, 4 * YEAR, 0.8, 812.5, 0.08 / KWH))
    assert gpt4["capital and energy"].ours == pytest.approx(each * gpt4["capital and energy"].chip_time)
    assert gpt4["buying all chips"].ours == 25_000 * 17_000
    for one in found:
        assert 0.3 < one.ratio < 1.5, one


def test_both_are_tables_of_the_command() -> None:
    held = json.loads(CliRunner().invoke(cli, ["runs", "--table", "gpt-4", "--json"]).output)["rows"]
    assert [round(row["train_time"] / 86400) for row in held] == [90, 95, 100]
    text = " ".join(CliRunner().invoke(cli, ["runs", "--table", "gpt-4"]).output.split())
    assert "276B parameters" in text
    rows = json.loads(CliRunner().invoke(cli, ["runs", "--table", "costs", "--json"]).output)["rows"]
    assert len(rows) == len(costs_beside())
    assert "Why they differ" in CliRunner().invoke(cli, ["runs", "--table", "costs"]).output
    assert isinstance(CliRunner().invoke(cli, ["runs", "--table", "costs", "--org", "meta"]).exception, BadInput)
