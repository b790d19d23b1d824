"""`isoflop nodes [NAME ...]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table
from isoflop.cli.side_by_side import Line, echo_wrapped, print_beside, text_line
from isoflop.errors import MissingData
from isoflop.quantity import unit, write, write_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.hardware import Figure, Node
    from isoflop.report import Cell, Column

_UNITS = {
    "network": ("byte/s/node", "GB/s/node"),
    "host_link": ("byte/s/chip", "GB/s/chip"),
    "host_memory": ("byte/node", "GB/node"),
    "storage": ("byte/s/node", "GB/s/node"),
    "power": ("J/s/node", "kW/node"),
}
"""Figures of a node: the base unit, and the one that people read."""

_TITLES = {"host_link": "chip to host", "host_memory": "host memory"}


@click.command("nodes", cls=Command)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--device", help="Only nodes that are built of this device.")
@output_options()
def command(names: tuple[str, ...], *, device: str | None, output: Output) -> None:
    """List the machines that chips are built into, or show one with every figure's source, or compare several.

    Chips that share the links of the device are a domain; the network is what leaves the node, one way, all NICs
    together. An asterisk marks an estimate. NAME may be the path of a node.toml.

    \b
    isoflop nodes --device h100-sxm
    isoflop nodes dgx-h100 p5.48xlarge
    """
    from isoflop.hardware import device as find_device
    from isoflop.hardware import node, nodes

    form = output.form
    chosen = [node(name) for name in names] or list(nodes().values())
    if device is not None:
        wanted = find_device(device).name
        chosen = [one for one in chosen if one.device == wanted]
        if not chosen:
            raise MissingData(f"no node of {wanted} is catalogued; describe one in a node.toml of your own.")
    if len(names) == 1:
        _one(chosen[0], form)
    elif names:
        _compare(chosen, form)
    else:
        _list(chosen, form)
    if form == "text" and any(figure.is_estimate for one in chosen for figure in _figures(one).values()):
        echo_wrapped("\n* an estimate, for nobody publishes it; isoflop nodes NAME has its 5 to 95 % range")


def _figures(one: Node) -> dict[str, Figure]:
    there = {
        "network": one.fabric.network,
        "host_link": one.fabric.host_link,
        "host_memory": one.host_memory,
        "storage": one.storage,
        "power": one.power,
    }
    return {key: figure for key, figure in there.items() if figure is not None}


def _list(chosen: list[Node], form: str) -> None:
    from isoflop.report import Column

    columns: list[Column | str] = [
        "node", "device", Column(name="chips", right=True), Column(name="domain", right=True),
        Column(name="nics", title="NICs", right=True),
    ]  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (one.name, one.device, float(one.chips), float(one.fabric.domain), _count(one.fabric.nics)) for one in chosen
    ]
    keys = ("network", "power") if form == "text" else tuple(_UNITS)
    for key in keys:
        columns.append(Column(name=key, title=f"{_TITLES.get(key, key)} {_head(key)}", right=True))
        found = [_figures(one).get(key) for one in chosen]
        rows = [(*row, _cell(key, figure, form)) for row, figure in zip(rows, found, strict=True)]
    print_table(columns, rows, form)


def _count(number: int | None) -> float | None:
    return None if number is None else float(number)


def _head(key: str) -> str:
    return _UNITS[key][1].partition("/node")[0].partition("/chip")[0]


def _cell(key: str, figure: Figure | None, form: str) -> Cell:
    """A figure in base units for scripts, in the unit of the head for people."""
    if figure is None:
        return None
    if form in {"json", "csv"}:
        return figure.value
    shown = f"{figure.value / unit(_UNITS[key][1]).scale:,.4g}"
    return f"{shown}*" if figure.is_estimate else shown


def _said(key: str, figure: Figure | None) -> str:
    """A figure with its range and an asterisk where it is an estimate."""
    if figure is None:
        return ""
    of = unit(_UNITS[key][1])
    text = write(figure.value, of) + ("*" if figure.is_estimate else "")
    if figure.low is not None and figure.high is not None and figure.low < figure.high:
        text += f" ({write_interval(figure.low, figure.high, of)})"
    return text.replace("/node", "").replace("/chip", "")


def _one(one: Node, form: str) -> None:
    found = _figures(one)
    if form != "text":
        rows: list[tuple[Cell, ...]] = [
            (key, figure.value, _UNITS[key][0], figure.source, figure.date or "", figure.note)
            for key, figure in found.items()
        ]
        head = [("chips", float(one.chips), "chip/node"), ("domain", float(one.fabric.domain), "chip")]
        head += [("nics", float(one.fabric.nics), "1")] if one.fabric.nics is not None else []
        rows = [*((*row, "", "", "") for row in head), *rows]
        print_table(("figure", "value", "unit", "source", "date", "note"), rows, form)
        return
    nics = f", {one.fabric.nics} NICs" if one.fabric.nics is not None else ""
    click.echo(f"{one.title} ({one.name}): {one.chips} x {one.device}, {one.fabric.domain} in a domain{nics}\n")
    said = [(_TITLES.get(key, key), _said(key, figure), figure.source, figure.note) for key, figure in found.items()]
    print_table(("figure", "value", "source", "note"), said, form)
    for note in one.notes:
        echo_wrapped(f"\nMind: {note}")


def _compare(chosen: list[Node], form: str) -> None:
    print_beside([one.name for one in chosen], node_lines(chosen), form)


def node_lines(chosen: Sequence[Node]) -> list[Line]:
    """Figures of several machines side by side."""
    lines = [text_line("device", (one.device for one in chosen))]
    counts: dict[str, list[int | None]] = {
        "chips": [one.chips for one in chosen],
        "domain": [one.fabric.domain for one in chosen],
        "nics": [one.fabric.nics for one in chosen],
    }
    for key, values in counts.items():
        texts = tuple("" if value is None else f"{value:,}" for value in values)
        title = "NICs" if key == "nics" else key
        lines.append(Line(name=key, title=title, unit="", cells=tuple(map(_count, values)), texts=texts))
    for key, (base, _) in _UNITS.items():
        found = [_figures(one).get(key) for one in chosen]
        cells = tuple(None if figure is None else figure.value for figure in found)
        texts = tuple(_said(key, figure) for figure in found)
        lines.append(Line(name=key, title=_TITLES.get(key, key), unit=base, cells=cells, texts=texts))
    return lines
