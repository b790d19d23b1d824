"""Charts of prices: the line is the cheapest that was current on a day, the band all of them."""

from __future__ import annotations

import datetime as dt

import pytest

from isoflop.errors import MissingData
from isoflop.hardware import Price
from isoflop.hardware.site import Sale
from isoflop.report import chart_spec, device_chart, devices_chart
from isoflop.report.chart_prices import HOUR, Series, _cheapest

SALE = Sale(text="", noun="chip", chips=1)


def price(provider: str, date: str, dollars: float, commitment: str = "on-demand") -> Price:
    return Price(
        devices=("chip",), provider=provider, region="", commitment=commitment, date=dt.date.fromisoformat(date),
        amount=dollars / HOUR, sale=SALE, source="s",
    )  # type: ignore[arg-type]  # fmt: skip


PRICES = (
    price("a", "2023-01-01", 4.0),
    price("b", "2023-06-01", 3.0),
    price("a", "2023-09-01", 5.0),  # replaces a's of January
    price("c", "2024-08-01", 6.0),  # b's is too old by now
    price("c", "2023-03-01", 2.0, "spot"),
)


def test_the_line_is_the_cheapest_current_price() -> None:
    own = tuple(one for one in PRICES if one.commitment == "on-demand")
    rows = _cheapest(Series(name="on-demand", prices=own, times=HOUR))
    told = [(str(row["day"])[:7], row["low"], row["high"]) for row in rows]
    assert told == [
        ("2023-01", 4.0, 4.0),
        ("2023-06", 3.0, 4.0),
        ("2023-09", 3.0, 5.0),
        ("2024-08", 5.0, 6.0),
    ]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_line_for_each_commitment_and_a_band_for_one(mode: str) -> None:
    spec = str(chart_spec(device_chart("chip", PRICES, mode=mode)))  # type: ignore[arg-type]  # a mode
    assert "band: all current prices, on-demand" in spec
    assert "spot" in spec


def test_devices_side_by_side_have_no_bands() -> None:
    spec = str(chart_spec(devices_chart(PRICES)))
    assert "band" not in spec
    assert "'name': 'chip'" in spec


def test_without_dates_there_is_no_line() -> None:
    with pytest.raises(MissingData, match="no price with a date"):
        device_chart("chip", ())
