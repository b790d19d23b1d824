from __future__ import annotations

from dataclasses import replace

import pytest

from isoflop import hardware
from isoflop.errors import BadInput
from isoflop.model import model
from isoflop.training import Account, Terms, account_of, advise, offers_of, tariff_of
from isoflop.training.power import board_share
from isoflop.training.terms import KWH, YEAR, Line

TOKENS = 1e12
H100 = hardware.device("h100-sxm-80gb")


def account(terms: Terms | None = None, price: str = "$2/chip/h", on: str = "256xh100-sxm") -> Account:
    advice = advise(model("llama-3.1-8b"), on)
    return account_of(advice, H100, TOKENS, tariff_of(H100, price=price), terms or Terms())


def line(found: Account, part: str, name: str) -> Line:
    return next(one for one in found.parts[part] if one.name.startswith(name))


def test_parts_of_an_account_agree_with_each_other() -> None:
    found = account(Terms(chip_capital=40e3))
    hours = line(found, "time", "chip-hours").value
    assert hours == pytest.approx(line(found, "time", "the run").value * 256)
    assert line(found, "money", "rent").value == pytest.approx(hours / 3600 * 2)
    power, energy = line(found, "energy", "power").value, line(found, "energy", "energy").value
    assert energy == pytest.approx(hours * power * 1.1)
    assert line(found, "energy", "electricity").value == pytest.approx(energy * 0.08 / KWH)
    owned = line(found, "money", "an owned chip").value
    assert line(found, "money", "owned").value == pytest.approx(owned * hours)


def test_at_break_even_an_owned_chip_costs_the_rent() -> None:
    found = account(Terms(chip_capital=40e3))
    share = line(found, "money", "owning beats").value
    at_it = account(Terms(chip_capital=40e3, utilisation=share))
    assert line(at_it, "money", "an owned chip").value * 3600 == pytest.approx(2.0)


def test_owning_never_pays_where_rent_is_below_electricity() -> None:
    found = account(Terms(chip_capital=40e3), price="$0.01/chip/h")
    assert "never" in line(found, "money", "owning beats").words


def test_more_chips_fail_more_and_less_is_left() -> None:
    few, many = account(), account(on="1024xh100-sxm")
    assert many.failure_goodput < few.failure_goodput < 1
    worse = account(Terms(chip_mtbf=1000 * 3600.0))
    assert worse.bill.time > few.bill.time


def test_two_sources_of_one_grid_stand_side_by_side() -> None:
    found = account(Terms(grid="fr"))
    both = [one for one in found.parts["energy"] if one.name.startswith("emissions")]
    assert len(both) == 2
    assert {"codecarbon" in one.note for one in both} == {True, False}
    assert both[0].value != both[1].value
    # what LLaMA's convention gives does not depend on the place
    assert line(found, "energy", "by LLaMA").value == pytest.approx(line(account(), "energy", "by LLaMA").value)


def test_data_and_checkpoints() -> None:
    found = account(Terms(epochs=4, kept=5))
    assert line(found, "data", "different").value == TOKENS / 4
    assert line(found, "data", "stored").value == TOKENS  # four bytes, a vocabulary of 128,256
    size = line(found, "checkpoints", "size").value
    assert size == pytest.approx(8.03e9 * 14, rel=0.01)
    assert line(found, "checkpoints", "together").value == 0.25e9 * 256


def test_prices_of_all_providers_are_shown() -> None:
    found = account()
    spread = line(found, "money", "all known, on-demand")
    low, _, high = spread.words.partition(" to ")
    assert low != high
    assert "offers" in spread.note


@pytest.mark.parametrize("changes", [{"pue": 0.9}, {"epochs": 0.0}, {"chip_mtbf": -1.0}, {"lifetime": float("inf")}])
def test_impossible_assumptions_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(BadInput, match=next(iter(changes))):
        replace(Terms(), **changes)  # type: ignore[arg-type]


def test_offers_that_are_marked_are_beaten_by_none() -> None:
    found = offers_of(model("llama-3.2-1b"), 1e11, ("h100-sxm-80gb", "a100-sxm-80gb", "rtx-4090"))
    best = [one for one in found if one.best]
    assert best
    for one in best:
        assert not [other for other in found if other.cost <= one.cost and other.bill.time < one.bill.time]
    assert max(one.bill.chips for one in found if one.device == "rtx-4090") <= 64


def test_power_rises_to_what_the_board_may_draw() -> None:
    assert board_share(0) < board_share(0.1) < board_share(0.27) <= board_share(0.6) == 1.0
    assert YEAR / 3600 == 8766


def test_a_fine_tune_keeps_small_checkpoints() -> None:
    from isoflop.training import Adapter, Recipe

    advice = advise(
        model("llama-3.1-8b"), "8xh100-sxm", recipe=Recipe(engine="fsdp", weights="fp32", adapter=Adapter())
    )
    found = account_of(advice, H100, 1e8, None, Terms())
    assert line(found, "checkpoints", "size").value < 0.01 * 8.03e9 * 14
    assert [one.name for one in found.parts["money"] if one.name == "rent"] == []


def test_the_chart_shows_the_cheapest_devices_and_marks_the_best() -> None:
    pytest.importorskip("altair")
    from isoflop import report

    found = offers_of(model("llama-3.2-1b"), 1e11, ("h100-sxm-80gb", "a100-sxm-80gb"))
    spec = report.chart_spec(report.offers_chart(found, "a run"))
    rows = spec["layer"][0]["data"]["values"]
    assert {row["device"] for row in rows} == {"h100-sxm-80gb", "a100-sxm-80gb"}
    assert sum(row["best"] for row in rows) == sum(one.best for one in found)
