"""`isoflop calibrate serving ROWS.csv --out p.toml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.errors import BadFile, MissingData

if TYPE_CHECKING:
    from isoflop.accuracy.serving_calibrate import Calibration


@click.command("serving", cls=Command)
@click.argument("rows", metavar="ROWS.csv", type=click.Path())
@click.option("--out", required=True, type=click.Path(), help="Write the constants that moved to this TOML file.")
@click.option("--configs", type=click.Path(), help="A folder of config.json files, for models that are no preset.")
def serving(rows: str, *, out: str, configs: str | None) -> None:
    """Move the constants of inference by a table of measured serving of your own; three rows are enough.

    The columns are those of validate serving. Constants of the device and of the runtime stay near the shipped ones,
    the nearer the fewer the rows. The file says only what changed, for validate serving --profile.

    \b
    isoflop calibrate serving mine.csv --out mine.toml
    """
    from isoflop.accuracy.serving_calibrate import calibrated
    from isoflop.accuracy.serving_items import items_of
    from isoflop.accuracy.serving_rows import read_serving_rows
    from isoflop.accuracy.state_models import read_library

    table = read_serving_rows(rows)
    items = [one for one in items_of(table.rows, read_library(configs)) if one.row.measured.any]
    if not items:
        raise MissingData(
            f"{rows}: no row has a measured column (ttft_ms, tpot_ms, output_tok_s_total ...) and settings that can "
            f"be read; see: isoflop validate serving {rows}"
        )
    found = calibrated(items)
    _write(out, found)
    _report(found)
    if len(items) < len(table.rows):
        click.echo(f"{len(table.rows) - len(items)} of {len(table.rows)} rows say too little.", err=True)


def _write(path: str, found: Calibration) -> None:
    from pathlib import Path

    from isoflop.accuracy.toml_text import toml_value

    lines = ["# Constants moved by `isoflop calibrate serving`; for `isoflop validate serving --profile`."]
    for name, tables in found.changes["slots"].items():
        lines.append(f"\n[slots.{name}]")
        lines += [f"{key} = {toml_value(value)}" for key, value in tables.items()]
    lines.append("\n[interval]")
    lines += [f"{name} = {toml_value(value)}" for name, value in found.changes["interval"].items()]
    try:
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadFile(f"{path}: cannot be written: {error.strerror or error}. Give another path to --out.") from error


def _report(found: Calibration) -> None:
    """How far off the rows were, and are, by quantity."""
    from isoflop.cli.output import print_table
    from isoflop.report import Cell, Column

    rows: list[tuple[Cell, ...]] = []
    for quantity in dict.fromkeys(found.quantities):
        places = [place for place, one in enumerate(found.quantities) if one == quantity]
        before, after = ([values[place] for place in places] for values in (found.before, found.after))
        rows.append((quantity, len(places), _typical(before), _typical(after)))
    columns = [
        Column(name="quantity"),
        Column(name="rows", right=True),
        Column(name="before", right=True, written=_percent),
        Column(name="after", right=True, written=_percent),
    ]
    print_table(columns, rows, "text")


def _typical(found: list[float]) -> float:
    """The median error of residuals in logarithms."""
    from math import expm1
    from statistics import median

    return median(abs(expm1(value)) for value in found)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
