"""`isoflop calibrate training ROWS.csv --out p.toml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.calibrate_serving import serving
from isoflop.cli.manual import Group
from isoflop.errors import BadFile, MissingData

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.accuracy.profiles import Item
    from isoflop.kernel import Profile


@click.group("calibrate", cls=Group)
def command() -> None:
    """Move device profiles by a few measured runs of your own.

    \b
    isoflop calibrate training mine.csv --out mine.toml
    isoflop validate training other-rows.csv --profile mine.toml
    isoflop calibrate serving mine.csv --out mine.toml
    """


command.add_command(serving)


@command.command("training")
@click.argument("rows", metavar="ROWS.csv", type=click.Path())
@click.option("--out", required=True, type=click.Path(), help="Write the constants that moved to this TOML file.")
@click.option("--configs", type=click.Path(), help="A folder of config.json files, for shapes that columns cannot say.")
def training(rows: str, *, out: str, configs: str | None) -> None:
    """Move the profiles of the devices in a table of measured training runs; three rows are enough.

    The columns are those of `validate training`; step_time_s (or step_time_calc_s) is what was measured. All constants
    stay near the shipped ones, the nearer the fewer the rows. The file says only what changed, for --profile.

    \b
    isoflop calibrate training mine.csv --out mine.toml
    """
    from isoflop.accuracy import read_configs, read_rows
    from isoflop.accuracy.calibrate import calibrated
    from isoflop.accuracy.profiles import items_of
    from isoflop.kernel import profiles

    table = read_rows(rows)
    items = items_of(table.rows, read_configs(configs))
    if not items:
        raise MissingData(
            f"{rows}: no row has both a measured step time and all the columns that a prediction needs; for what is "
            f"missing see: isoflop validate training {rows}"
        )
    base = dict(profiles())
    moved = calibrated(items, base)
    _write(out, base, moved, items)
    _report(items, base, moved, len(table.rows))


def _write(path: str, base: Mapping[str, Profile], moved: Mapping[str, Profile], items: Sequence[Item]) -> None:
    from pathlib import Path

    from isoflop.accuracy.calibrate import changes
    from isoflop.accuracy.toml_text import toml_text

    used = sorted({one.profile for one in items})
    head = "# Constants moved by `isoflop calibrate training`; for `isoflop validate training --profile`.\n"
    text = head + toml_text({name: changes(base[name], moved[name]) for name in used})
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadFile(f"{path}: cannot be written: {error.strerror or error}. Give another path to --out.") from error


def _report(items: Sequence[Item], base: Mapping[str, Profile], moved: Mapping[str, Profile], rows: int) -> None:
    """How far off the rows were, and are."""
    from isoflop.accuracy.profiles import residuals
    from isoflop.cli.output import print_table
    from isoflop.report import Column

    before, after = residuals(items, base), residuals(items, moved)
    found = [
        (
            name,
            len(own := [place for place, one in enumerate(items) if one.profile == name]),
            _typical([float(before[place]) for place in own]),
            _typical([float(after[place]) for place in own]),
            profile.pace,
            profile.spread,
        )
        for name, profile in sorted(moved.items())
        if any(one.profile == name for one in items)
    ]
    columns = [
        Column(name="profile"),
        Column(name="rows", right=True),
        Column(name="before", right=True, written=_percent),
        Column(name="after", right=True, written=_percent),
        Column(name="pace", right=True),
        Column(name="spread", right=True),
    ]
    print_table(columns, found, "text")
    if len(items) < rows:
        click.echo(f"{rows - len(items)} of {rows} rows say too little, or were not measured for time.", err=True)


def _typical(found: list[float]) -> float:
    """The median error of residuals in logarithms."""
    from math import expm1
    from statistics import median

    return median(abs(expm1(value)) for value in found)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
