"""`isoflop devices [NAME ...]`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table
from isoflop.cli.side_by_side import Line, echo_wrapped, print_beside, text_line
from isoflop.errors import BadInput, MissingData, UnknownName, shorten
from isoflop.quantity import quantity, unit, write, write_interval
from isoflop.report.words import base_unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from isoflop.hardware import Device, Disagreement, Figure
    from isoflop.quantity import Quantity, Unit
    from isoflop.report import Cell

_YEARS = re.compile(r"(?P<first>[0-9]{4})?(?P<dash>-)?(?P<last>[0-9]{4})?")
_SORTS = ("name", "year", "peak", "memory", "bandwidth", "tdp")


@click.command("devices", cls=Command)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--vendor", help="Only this vendor's.")
@click.option("--kind", help="Only this kind: GPU, TPU, ASIC, APU, SoC, CPU.")
@click.option("--year", help="Only of this year or these years: 2022, 2020-2023, 2023-.")
@click.option("--dtype", default="bf16", show_default=True, help="The number format whose dense peak to list.")
@click.option("--sort", type=click.Choice(_SORTS), default="year", show_default=True)
@click.option("--missing", is_flag=True, help="What no source gives: keys that the files lack, and what each is for.")
@click.option("--disagreements", is_flag=True, help="Where public sets print something else.")
@output_options()
def command(
    names: tuple[str, ...], *, dtype: str, sort: str, missing: bool, disagreements: bool, output: Output,
    **filters: str | None,
) -> None:  # fmt: skip
    """List the devices, or show one with every figure's source, or compare several.

    Rates are dense peaks; a sparse one is only ever taken by name (bf16-sparse). NAME may be the path of a device.toml.
    An asterisk marks an estimate; [D1] a figure for which another public set prints something else, said below.

    \b
    isoflop devices h100-sxm mi300x tpu-v5p
    isoflop devices --vendor nvidia --year 2022- --sort peak
    """
    from isoflop.hardware import device, devices

    form = output.form
    chosen = _filtered([device(name) for name in names] or list(devices().values()), **filters)
    if missing:
        _print_missing(chosen, form)
    elif disagreements:
        _print_disagreements(chosen, form)
    elif len(names) == 1:
        _one(chosen[0], form)
    elif names:
        _compare(chosen, form)
    else:
        _list(chosen, dtype, sort, form)


def _filtered(devices: list[Device], *, vendor: str | None, kind: str | None, year: str | None) -> list[Device]:
    """The devices that fit every filter; a vendor or kind that no device has is an unknown name."""
    for what, asked in (("vendor", vendor), ("kind", kind)):
        known = {getattr(one, what).lower() for one in devices}
        if asked is not None and asked.lower() not in known:
            raise UnknownName(
                what, asked.lower(), known, listing=f"isoflop devices; there are {', '.join(sorted(known))}."
            )
        devices = [one for one in devices if asked is None or getattr(one, what).lower() == asked.lower()]
    first, last = _years(year)
    found = [one for one in devices if first <= one.year <= last]
    if not found:
        years = f"{min(one.year for one in devices)} to {max(one.year for one in devices)}"
        raise MissingData(f"no such device is of {year}; those there are came out from {years}.")
    return found


def _years(text: str | None) -> tuple[int, int]:
    """The first and the last year of 2022, 2020-2023, 2023- or -2019."""
    found = _YEARS.fullmatch(text.strip()) if text is not None else None
    if text is None:
        return 0, 9999
    if found is None or not (found["first"] or found["last"]):
        raise BadInput(f"--year '{shorten(text)}' is no year; write 2022, 2020-2023 or 2023-.")
    first = int(found["first"] or 0)
    return first, int(found["last"] or (9999 if found["dash"] else first))


def _list(chosen: list[Device], dtype: str, sort: str, form: str) -> None:
    from isoflop.hardware.spec import DTYPES, SPARSE
    from isoflop.report import Column

    if dtype.removesuffix(SPARSE) not in DTYPES:
        raise UnknownName("dtype", dtype, DTYPES, listing=f"{', '.join(DTYPES)}; sparse by name, like bf16{SPARSE}.")
    kind = "" if dtype.endswith(SPARSE) else " dense"
    columns = (
        "device",
        "kind",
        Column(name="year", right=True),
        Column(name=f"peak_{dtype}", title=f"{dtype}{kind} TFLOP/s", quantity="peak_rate", shown="TFLOP/s/chip"),
        Column(name="memory", title="GiB", quantity="memory", shown="GiB"),
        Column(name="bandwidth", title="GB/s", quantity="memory_bandwidth", shown="GB/s/chip"),
        Column(name="tdp", title="W", quantity="tdp", shown="W/chip"),
    )
    rows: list[tuple[Cell, ...]] = [
        (one.name, one.kind, str(one.year), *map(_value, _main_figures(one, dtype))) for one in chosen
    ]
    place = {"name": 0, "year": 2, "peak": 3, "memory": 4, "bandwidth": 5, "tdp": 6}[sort]
    rows.sort(key=lambda row: (row[place] is None, _rank(row[place]), row[0]))
    print_table(columns, rows, form)


def _rank(cell: Cell) -> tuple[str, float]:
    """Names and years upwards, figures from the largest down."""
    return (cell, 0.0) if isinstance(cell, str) else ("", -float(cell or 0))


def _main_figures(one: Device, dtype: str) -> tuple[Figure | None, ...]:
    rates = one.sparse_rates if dtype.endswith("-sparse") else one.peak_rates
    peak = rates.get(dtype.removesuffix("-sparse"))
    memory = one.memory
    return peak, memory.usable or memory.physical or memory.labelled, memory.bandwidth, one.tdp


def _value(figure: Figure | None) -> float | None:
    return None if figure is None else figure.value


# --- one device, several devices -------------------------------------------------------------------------------------

_QUANTITIES = {"memory.bandwidth": "memory_bandwidth", "link": "memory_bandwidth", "bridge": "memory_bandwidth"}
_TITLES = {
    "peak_rate": "peak",
    "sparse_rate": "sparse",
    "achievable_rate": "achievable",
    "memory.labelled": "memory labelled",
    "memory.physical": "memory physical",
    "memory.usable": "memory usable",
    "memory.bandwidth": "memory bandwidth",
    "link.per_direction": "links, one way",
    "bridge.per_direction": "bridge, one way",
    "power.tdp": "TDP",
}


def _quantity_of(key: str) -> str:
    """The quantity that a figure of a device file is one of."""
    table = key.partition(".")[0]
    if table.endswith("_rate"):
        return "peak_rate"
    return _QUANTITIES.get(key) or _QUANTITIES.get(table) or {"memory": "memory", "power": "tdp"}[table]


def _title(key: str) -> str:
    table, _, dtype = key.partition(".")
    return _TITLES.get(key) or f"{_TITLES[table]} {dtype}"


def _one(one: Device, form: str) -> None:
    """Every figure of a device with unit, source and date; a label in the unit it is written in."""
    from isoflop.hardware import nodes_of
    from isoflop.hardware.missing import figures, missing

    found = list(figures(one))
    if form != "text":
        rows = [(key, fig.value, base_unit(_quantity_of(key)), fig.source, fig.date or "") for key, fig in found]
        print_table(("figure", "value", "unit", "source", "date"), rows, form)
        return
    click.echo(f"{one.title} ({one.name}), {one.vendor} {one.kind}, {one.year}\n")
    labels = _labels([one])
    said = [
        (_title(key), _shown(figure, key) + labels.get((one.name, key), ""), figure.source, figure.date or "")
        for key, figure in found
    ]
    print_table(("figure", "value", "source", "date"), said, form)
    _below([one])
    for note in one.notes:
        echo_wrapped(f"\nMind: {note}")
    lacks = missing(one)
    if lacks:
        echo_wrapped(f"\nMissing: {'; '.join(lacks)}")
    built = [node.name for node in nodes_of(one.name)] if one.name in _catalogued() else []
    if built:
        echo_wrapped(f"\nBuilt into: {', '.join(built)}")


def _catalogued() -> tuple[str, ...]:
    from isoflop.hardware import device_names

    return device_names()


def _compare(chosen: list[Device], form: str) -> None:
    print_beside([one.name for one in chosen], device_lines(chosen), form)
    if form == "text":
        _below(chosen)


def device_lines(chosen: Sequence[Device]) -> list[Line]:
    """Figures of several devices side by side."""
    from isoflop.hardware.missing import figures

    found = [dict(figures(one)) for one in chosen]
    labels = _labels(chosen)
    lines = [text_line(what, (str(getattr(one, what)) for one in chosen)) for what in ("vendor", "kind", "year")]
    for key in _keys(found):
        texts = [
            _shown(one[key], key) + labels.get((device.name, key), "") if key in one else ""
            for device, one in zip(chosen, found, strict=True)
        ]
        cells = tuple(_value(one.get(key)) for one in found)
        lines.append(
            Line(name=key, title=_title(key), unit=base_unit(_quantity_of(key)), cells=cells, texts=tuple(texts))
        )
    topologies = (one.link.topology if one.link else "" for one in chosen)
    lines.append(text_line("link.topology", topologies, "link topology"))
    return lines


def _keys(found: Iterable[dict[str, Figure]]) -> list[str]:
    """The figures of all devices in the order of a device file, rates in the order of their dtypes."""
    from isoflop.hardware.spec import DTYPES

    order = [
        *(f"{table}.{dtype}" for table in ("peak_rate", "achievable_rate", "sparse_rate") for dtype in DTYPES),
        *(key for key in _TITLES if "." in key),
    ]
    there = {key for one in found for key in one}
    return [key for key in order if key in there]


def _shown(figure: Figure, key: str) -> str:
    """A figure for people; memory in the unit of its document, for there a GB and a GiB are told apart."""
    exact = _unit_of(key, figure.unit)
    text = write(figure.value, exact) + ("*" if figure.is_estimate else "")
    if figure.low is not None and figure.high is not None and figure.low < figure.high:
        text += f" ({write_interval(figure.low, figure.high, exact)})"
    return text.replace("/chip", "")  # all of them are a chip's


def _unit_of(key: str, written: str) -> Quantity | Unit:
    of = _quantity_of(key)
    return unit(written) if of == "memory" and written in {"GB/chip", "GiB/chip"} else quantity(of)


# --- what other sets say, and what is missing ------------------------------------------------------------------------


def _numbered(devices: Sequence[Device]) -> list[tuple[str, Device, Disagreement]]:
    """Every disagreement about these devices with its label."""
    every = [(one, other) for one in devices for other in one.disagreements]
    return [(f"D{number}", one, other) for number, (one, other) in enumerate(every, start=1)]


def _labels(devices: Sequence[Device]) -> dict[tuple[str, str], str]:
    """What is put behind a figure that others print differently: " [D1] [D2]"."""
    found: dict[tuple[str, str], str] = {}
    for label, one, other in _numbered(devices):
        key = (one.name, other.figure)
        found[key] = f"{found.get(key, '')} [{label}]"
    return found


def _theirs(other: Disagreement) -> str:
    return write(other.value, _unit_of(other.figure, other.unit)).replace("/chip", "")


def _below(devices: Sequence[Device]) -> None:
    """What the marks in a table stand for."""
    from isoflop.hardware.missing import figures

    if any(figure.is_estimate for one in devices for _, figure in figures(one)):
        click.echo("\n* an estimate, for nobody publishes it, with its 5 to 95 % range")
    numbered = _numbered(devices)
    if numbered:
        click.echo()
    for label, one, other in numbered:
        of = f" of {one.name}" if len(devices) > 1 else ""
        note = f" ({other.note})" if other.note else ""
        echo_wrapped(f"[{label}] {other.set} has {_theirs(other)} for {_title(other.figure)}{of}{note}")


def _print_disagreements(devices: list[Device], form: str) -> None:
    from isoflop.hardware.missing import figures

    rows: list[tuple[Cell, ...]] = []
    for label, one, other in _numbered(devices):
        ours = dict(figures(one)).get(other.figure)
        if form == "text":
            said = _shown(ours, other.figure).partition(" (")[0] if ours else None
            rows.append((label, one.name, _title(other.figure), said, _theirs(other), _with(other.set, other.note)))
        else:
            base = base_unit(_quantity_of(other.figure))
            rows.append((label, one.name, other.figure, _value(ours), other.value, base, other.set, other.note))
    head = ("label", "device", "figure", "ours", "theirs", "unit", "set", "note")
    print_table(("", "device", "figure", "ours", "theirs", "by") if form == "text" else head, rows, form)


def _with(text: str, note: str) -> str:
    return f"{text}: {note}" if note else text


def _print_missing(devices: list[Device], form: str) -> None:
    """A row for each key that a device's file lacks."""
    from isoflop.hardware.missing import missing

    rows = [
        (one.name, key, use.rstrip(")"))
        for one in devices
        for key, _, use in (lack.partition(" (") for lack in missing(one))
    ]
    if form == "text" and not rows:
        click.echo("Nothing that answers need is missing.")
        return
    print_table(("device", "missing", "needed for"), rows, form)
    if form == "text":
        complete = len(devices) - len({row[0] for row in rows})
        click.echo(f"\n{complete} of {len(devices)} devices have all that answers need.")
