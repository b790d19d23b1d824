"""`isoflop devices [NAME ...]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.knowns import print_table, table_options, wrapped
from isoflop.quantity import quantity, unit, write, write_interval
from isoflop.report.words import base_unit

if TYPE_CHECKING:
    from isoflop.hardware import Device, Figure


@click.command("devices")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--vendor", help="Only this vendor's.")
@click.option(
    "--dtype", default="bf16", show_default=True, help="Whose dense peak to list; fp16 stands in where bf16 is missing."
)
@click.option(
    "--sort",
    type=click.Choice(("name", "year", "peak", "memory", "bandwidth", "tdp")),
    default="year",
    show_default=True,
)
@table_options
def command(names: tuple[str, ...], vendor: str | None, dtype: str, sort: str, *, as_json: bool, form: str) -> None:
    """List the devices, or show one with every figure's source, or compare several.

    Rates are dense peaks; a sparse one is only ever taken by name (bf16-sparse). NAME may be the path of a device.toml.
    """
    from isoflop.errors import UnknownName
    from isoflop.hardware import DTYPES, device, devices

    if dtype.removesuffix("-sparse") not in DTYPES:
        raise UnknownName("dtype", dtype, DTYPES, listing=f"{', '.join(DTYPES)}")
    chosen = [device(name) for name in names] or list(devices().values())
    chosen = [one for one in chosen if vendor is None or one.vendor.lower() == vendor.lower()]
    if not chosen:
        raise UnknownName("vendor", vendor or "", {one.vendor for one in devices().values()}, listing="isoflop devices")
    if len(names) == 1:
        _one(chosen[0], "json" if as_json else form)
    else:
        _list(chosen, dtype, sort, "json" if as_json else form)


def _list(chosen: list[Device], dtype: str, sort: str, form: str) -> None:
    from isoflop.report import Column

    columns = (
        "device",
        Column(name="year", right=True),
        Column(name=f"peak_{dtype}", title=f"{dtype} dense", quantity="peak_rate"),
        Column(name="memory", quantity="memory"),
        Column(name="bandwidth", quantity="memory_bandwidth"),
        Column(name="tdp", quantity="tdp"),
    )
    rows = [(one.name, str(one.year), *map(_value, _figures(one, dtype))) for one in chosen]
    place = ("name", "year", "peak", "memory", "bandwidth", "tdp").index(sort)
    rows.sort(key=lambda row: (row[place] is None, row[place] if place < 2 else -float(row[place] or 0), row[0]))
    print_table(columns, rows, form)
    stood_in = [one.name for one in chosen if dtype == "bf16" and _stands_in(one)]
    if stood_in and form == "text":
        click.echo("\n" + wrapped(f"Mind: fp16 stands where there is no bf16: {', '.join(stood_in)}."))


def _figures(one: Device, dtype: str) -> tuple[Figure | None, ...]:
    rates = one.sparse_rates if dtype.endswith("-sparse") else one.peak_rates
    peak = rates.get("fp16" if dtype == "bf16" and _stands_in(one) else dtype.removesuffix("-sparse"))
    memory = one.memory
    return peak, memory.usable or memory.physical or memory.labelled, memory.bandwidth, one.tdp


def _stands_in(one: Device) -> bool:
    """Whether a device has no bf16, but fp16."""
    return "bf16" not in one.peak_rates and "fp16" in one.peak_rates


def _value(figure: Figure | None) -> float | None:
    return None if figure is None else figure.value


def _one(one: Device, form: str) -> None:
    """Every figure of a device with unit, source and date; a label in the unit it is written in."""
    found = _all_figures(one)
    if form != "text":
        rows = [(label, fig.value, base_unit(key), fig.source, fig.date or "") for label, key, fig in found]
        print_table(("figure", "value", "unit", "source", "date"), rows, form)
        return
    click.echo(f"{one.title} ({one.name}), {one.vendor} {one.kind}, {one.year}\n")
    said = [(label, _shown(figure, key), figure.source, figure.date or "") for label, key, figure in found]
    print_table(("figure", "value", "source", "date"), said, form)
    for note in one.notes:
        click.echo("\n" + wrapped(f"Mind: {note}"))
    for other in one.disagreements:
        theirs = write(other.value, unit(other.unit)) if other.unit else f"{other.value:.4g}"
        why = f": {other.note}" if other.note else "."
        click.echo("\n" + wrapped(f"Disagrees: {other.set} has {theirs} for {other.figure.replace('.', ' ')}{why}"))


def _all_figures(one: Device) -> list[tuple[str, str, Figure]]:
    """Each figure with a label and the quantity it is one of."""
    found = [(f"peak {dtype}", "peak_rate", figure) for dtype, figure in one.peak_rates.items()]
    found += [(f"peak {dtype}-sparse", "peak_rate", figure) for dtype, figure in one.sparse_rates.items()]
    found += [(f"achievable {dtype}", "peak_rate", figure) for dtype, figure in one.achievable_rates.items()]
    rest = (
        ("memory labelled", "memory", one.memory.labelled),
        ("memory physical", "memory", one.memory.physical),
        ("memory usable", "memory", one.memory.usable),
        ("memory bandwidth", "memory_bandwidth", one.memory.bandwidth),
        ("links, one way", "memory_bandwidth", one.link.per_direction if one.link else None),
        ("TDP", "tdp", one.tdp),
    )
    return found + [(label, key, figure) for label, key, figure in rest if figure is not None]


def _shown(figure: Figure, key: str) -> str:
    """A figure for people; memory in the unit of its document, for there a GB and a GiB are told apart."""
    exact = unit(figure.unit) if key == "memory" and figure.unit in {"GB/chip", "GiB/chip"} else quantity(key)
    spread = f" ({write_interval(figure.low, figure.high, exact)})" if figure.low is not None and figure.high else ""
    return f"{write(figure.value, exact)}{spread}"
