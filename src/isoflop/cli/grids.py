"""`isoflop grids [NAME ...]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table
from isoflop.cli.side_by_side import echo_wrapped
from isoflop.errors import MissingData

if TYPE_CHECKING:
    from isoflop.hardware import Grid
    from isoflop.report import Cell, Column

KINDS = ("country", "region", "cloud", "owner")


@click.command("grids", cls=Command)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--kind", type=click.Choice(KINDS), help="Only countries, regions, clouds, or owners of published runs.")
@click.option("--year", type=int, help="Only entries of this year.")
@click.option("--source", help="Only this source (any part of its name).")
@click.option("--sort", type=click.Choice(("name", "intensity")), default="name", show_default=True)
@output_options()
def command(
    names: tuple[str, ...], *, kind: str | None, year: int | None, source: str | None, sort: str, output: Output,
) -> None:  # fmt: skip
    """List what a kilowatt-hour from a grid emits, by country, year and source.

    Sources count different things (direct or life-cycle emissions), so one grid has an entry a source; an answer takes
    the first. Owner entries are what the owner of a published run used for it.

    \b
    isoflop grids france usa
    isoflop grids --kind owner --sort intensity
    """
    from isoflop.hardware import grids

    found = [entry for name in names or ("",) for entry in grids(name)]
    fitting = [
        entry
        for entry in found
        if kind in {None, entry.kind}
        and year in {None, entry.year}
        and (source is None or source.lower() in entry.source.lower())
    ]
    if not fitting:
        years = sorted({str(entry.year or "not stated") for entry in found})
        raise MissingData(
            f"none of {len(found)} entries fits; their kinds are {', '.join(sorted({entry.kind for entry in found}))}, "
            f"their years {', '.join(years)}. See them all with: isoflop grids"
        )
    if sort == "intensity":
        fitting.sort(key=lambda entry: entry.intensity.value)
    elif not names:
        fitting.sort(key=lambda entry: (KINDS.index(entry.kind), entry.name))  # entries of one grid keep their order
    _print(fitting, output.form)


def _grams(intensity: float) -> str:
    """An intensity [kg CO2e/J] as people compare grids: in g CO2e/kWh.

    >>> _grams(0.3695 / 3.6e6)
    '369.5'
    """
    return f"{intensity * 3.6e9:.4g}"


def _print(entries: list[Grid], form: str) -> None:
    from isoflop.report import Column

    intensity = Column(name="intensity", title="g CO2e/kWh", quantity="grid_intensity", written=_grams)
    columns: list[Column | str] = ["grid", "where", "kind", Column(name="year", right=True), intensity]
    rows: list[tuple[Cell, ...]] = [
        (entry.name, entry.title, entry.kind, str(entry.year or ""), entry.intensity.value) for entry in entries
    ]
    if form != "text":
        rows = [(*row, entry.source, entry.note) for row, entry in zip(rows, entries, strict=True)]
        print_table([*columns, "source", "note"], rows, form)
        return
    said = [f"{entry.source}; {entry.note}" if entry.note else entry.source for entry in entries]
    numbers = {text: f"[{number}]" for number, text in enumerate(dict.fromkeys(said), start=1)}
    rows = [(*row, numbers[text]) for row, text in zip(rows, said, strict=True)]
    print_table([*columns, "source"], rows, form)
    click.echo()
    for text, number in numbers.items():
        echo_wrapped(f"{number} {text}")
