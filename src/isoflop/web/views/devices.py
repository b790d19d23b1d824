"""Devices: every chip with its dense peaks, memory, power; one chip with the source of each figure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop.errors import UnknownName
from isoflop.hardware import device, devices
from isoflop.hardware.missing import figures
from isoflop.hardware.spec import DTYPES
from isoflop.quantity import unit, write
from isoflop.report import Blocks, Column, Row, page, table_csv, table_html, table_json
from isoflop.report.chart_devices import roof_chart
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.names import guarded
from isoflop.web.views.common import linked, table_part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.hardware import Device, Figure
    from isoflop.report import Cell

SORTS = ("year", "name", "peak", "memory", "bandwidth", "tdp")
_PLACES = {"name": 0, "year": 2, "peak": 3, "memory": 4, "bandwidth": 5, "tdp": 6}
Table = tuple["list[Column | str]", "list[tuple[Cell, ...]]"]


def answer(given: Mapping[str, str]) -> Shown:
    """One device whole, or all of them."""
    guarded(given)
    return _one(device(given["device"])) if "device" in given else _all(given)


def _one(chip: Device) -> Shown:
    found = [(name, figure) for name, figure in figures(chip) if figure.value]
    rows = [
        Row(label=name, value=_written(figure), remark=_origin(figure))
        for name, figure in found
    ]  # fmt: skip
    table: Table = (
        ["figure", "value", "as written in", "source", "date", "note"],
        [(name, figure.value, figure.unit, figure.source, figure.date, figure.note) for name, figure in found],
    )
    blocks = Blocks(title=f"{chip.title} ({chip.vendor}, {chip.year})", rows=tuple(rows))
    return Shown(
        blocks=(blocks,),
        json=partial(table_json, *table),
        parts=(table_part("Sources of every figure", "sources", table),),
        links=linked(blocks, {}, usual="sources"),
        says={name: _said(figure) for name, figure in found},
        page=lambda: page(chip.title, table_html(*table)),
        csv=partial(table_csv, *table),
    )


def _written(figure: Figure) -> str:
    middle = write(figure.value, unit(figure.unit))
    if figure.low is None or figure.high is None or figure.low == figure.high:
        return middle
    return f"{middle} ({write(figure.low, unit(figure.unit))} to {write(figure.high, unit(figure.unit))})"


def _said(figure: Figure) -> str:
    """The figure as its source has it."""
    dense = "\nDense; sparse rates stand under sparse_rate." if figure.unit.startswith(("TFLOP", "TOP")) else ""
    return f"{figure.value:,} {figure.unit}, as written in {_origin(figure)}{dense}"


def _origin(figure: Figure) -> str:
    return ", ".join(part for part in (figure.source, str(figure.date or ""), figure.note) if part)


def _all(given: Mapping[str, str]) -> Shown:
    dtype, sort = given.get("dtype", "bf16"), given.get("sort", "year")
    if dtype not in DTYPES:
        raise UnknownName("number format", dtype, DTYPES, hint=f"There are: {', '.join(DTYPES)}.")
    if sort not in SORTS:
        raise UnknownName("order", sort, SORTS, hint=f"There are: {', '.join(SORTS)}.")
    wanted = {key: given[key].lower() for key in ("vendor", "kind") if key in given}
    chips = [
        one for one in devices().values() if all(getattr(one, key).lower() == text for key, text in wanted.items())
    ]
    table = _table(dtype, sort, chips)
    count = Row(label="devices", value=f"{len(table[1])}", remark="peaks are dense; a dash: no source gives it")
    return Shown(
        blocks=(Blocks(rows=(count,)),),
        json=partial(table_json, *table),
        parts=(table_part("Devices", "list", table, unfolded=True),),
        links={"devices": "list"},
        charts={"roof": lambda mode, width: roof_chart(chips, dtype, width=width, mode=mode)} if table[1] else {},
        says={"devices": "Every figure has a source and a date: name one device for all of them."},
        page=lambda: page("Devices", table_html(*table)),
        csv=partial(table_csv, *table),
    )


def _table(dtype: str, sort: str, chips: Sequence[Device]) -> Table:
    columns: list[Column | str] = [
        "device",
        "kind",
        Column(name="year", right=True),
        Column(name=f"peak_{dtype}", title=f"{dtype} TFLOP/s", quantity="peak_rate", shown="TFLOP/s/chip"),
        Column(name="memory", title="GiB", quantity="memory", shown="GiB"),
        Column(name="bandwidth", title="GB/s", quantity="memory_bandwidth", shown="GB/s/chip"),
        Column(name="tdp", title="W", quantity="tdp", shown="W/chip"),
    ]
    rows: list[tuple[Cell, ...]] = [
        (one.name, one.kind, str(one.year), *(None if figure is None else figure.value for figure in _main(one, dtype)))
        for one in chips
    ]
    place = _PLACES[sort]
    upward = place < 3
    rows.sort(key=lambda row: row[0] or "")
    rows.sort(key=lambda row: (row[place] is None, row[place] if upward else -float(row[place] or 0)))
    return columns, rows


def _main(one: Device, dtype: str) -> tuple[Figure | None, ...]:
    memory = one.memory
    return one.peak_rates.get(dtype), memory.usable or memory.physical or memory.labelled, memory.bandwidth, one.tdp


VIEW = View(
    name="devices",
    title="Devices",
    lead="Every chip: dense peaks, memory, bandwidth, power; each figure with its source and date.",
    button="Show",
    groups=(
        Group(
            title="Which",
            open=True,
            fields=(
                Field(name="device", label="One device", listed="devices", example="h100-sxm-80gb"),
                Field(name="vendor", label="Vendor", example="nvidia"),
                Field(name="kind", label="Kind", example="GPU"),
                Field(name="dtype", label="Peak in", kind="choice", choices=DTYPES),
                Field(name="sort", label="Order", kind="choice", choices=SORTS),
            ),
        ),
    ),
    answer=answer,
    charts={"roof": "What they multiply, and what they read"},
    examples=(
        ("H100 with every source", {"device": "h100-sxm-80gb"}),
        ("By peak in fp8", {"dtype": "fp8", "sort": "peak"}),
    ),
)
