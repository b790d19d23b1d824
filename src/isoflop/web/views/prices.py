"""Prices: what a chip-hour cost, by provider, commitment and date."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.hardware import device, find_prices
from isoflop.report import Blocks, Column, Row, page, say, table_csv, table_html, table_json
from isoflop.report.chart_prices import device_chart, devices_chart
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.names import guarded
from isoflop.web.views.common import table_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import altair as alt

    from isoflop.hardware import Price
    from isoflop.report import Cell
    from isoflop.report.chart_theme import Mode

Table = tuple["list[Column | str]", "list[tuple[Cell, ...]]"]


def answer(given: Mapping[str, str]) -> Shown:
    """The prices that fit what is asked, the cheapest and the dearest first of all."""
    guarded(given)
    wish = {key.replace("-", "_"): text for key, text in given.items() if key != "device"}
    found = find_prices(given.get("device"), **wish)
    if not found:
        raise MissingData("no catalogued price fits; leave a field empty")
    columns: list[Column | str] = [
        "device",
        Column(name="price", title="$/chip/h", quantity="price", shown="$/chip/h"),
        "commitment", Column(name="date", right=True), "provider", "region",
        Column(name="sold", title="sold for"), "source",
    ]  # fmt: skip
    table: Table = (columns, [_cells(price) for price in found])
    low, high = (pick(found, key=lambda one: one.amount) for pick in (min, max))
    rows = (
        Row(label="cheapest", value=say(low.amount, "price"), remark=_words(low)),
        Row(label="dearest", value=say(high.amount, "price"), remark=_words(high)),
        Row(label="prices", value=f"{len(found)}", remark="each as it was listed that day"),
    )
    return Shown(
        blocks=(Blocks(rows=rows),),
        json=lambda: table_json(*table),
        parts=(table_part("Prices with their sources", "list", table, unfolded=True),),
        links={row.label: "list" for row in rows},
        says={
            "cheapest": _source(low),
            "dearest": _source(high),
            "prices": "Host and chips together, as the provider sells them, divided by the chips.",
        },
        charts=_charts(given, found),
        page=lambda: page("Prices", table_html(*table)),
        csv=partial(table_csv, *table),
    )


def _source(one: Price) -> str:
    return f"sold for {one.sale.text}\n{one.source}, {one.date or 'undated'}"


def _charts(given: Mapping[str, str], found: Sequence[Price]) -> dict[str, Callable[[Mode, int], alt.TopLevelMixin]]:
    """Prices by date, of one device or of all."""
    if "device" in given:
        name = device(given["device"]).name
        return {"dates": lambda mode, width: device_chart(name, found, width=width, mode=mode)}
    return {"dates": lambda mode, width: devices_chart(found, width=width, mode=mode)}


def _words(one: Price) -> str:
    parts = (" or ".join(one.devices), one.provider, one.region, one.commitment, str(one.date or "undated"))
    return ", ".join(part for part in parts if part)


def _cells(one: Price) -> tuple[Cell, ...]:
    date = str(one.date or "undated")
    return (
        " or ".join(one.devices), one.amount, one.commitment, date, one.provider, one.region, one.sale.text, one.source
    )  # fmt: skip


VIEW = View(
    name="prices",
    title="Prices",
    lead="What a chip-hour cost, somewhere, some day; every price with its date and source.",
    button="Show",
    groups=(
        Group(
            title="Which",
            open=True,
            fields=(
                Field(name="device", label="Device", listed="devices", example="h100-sxm-80gb"),
                Field(name="commitment", label="Commitment", kind="choice", choices=("on-demand", "1y", "3y", "spot")),
                Field(name="provider", label="Provider", hint="Any part of its name."),
                Field(name="region", label="Region", hint="Any part of its name."),
                Field(name="as-of", label="Known on", hint="A date, such as 2024-06-01."),
            ),
        ),
    ),
    answer=answer,
    charts={"dates": "What a chip-hour cost, by date"},
    first={"device": "h100-sxm-80gb"},
    examples=(
        ("H100 on demand", {"device": "h100-sxm-80gb", "commitment": "on-demand"}),
        ("TPU v4", {"device": "tpu-v4"}),
    ),
)
