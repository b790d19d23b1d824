"""`isoflop dtype [VALUE]`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from isoflop.cli.knowns import wrapped
from isoflop.cli.manual import Command
from isoflop.cli.output import PICTURES, Output, output_options, print_chart, print_table
from isoflop.flags.numbers import next_power, number_of, stored_in

if TYPE_CHECKING:
    import altair as alt

    from isoflop.quantize import NumberFormat, Stored
    from isoflop.report.chart_theme import Mode


@click.command("dtype", cls=Command, context_settings={"ignore_unknown_options": True})
@click.argument("value", required=False)
@click.option("--format-of", "names", multiple=True, metavar="FORMAT", help="Only this number format; may be repeated.")
@click.option("--absmax", help="The largest magnitude of the tensor that the value is in, which sets the scale.")
@output_options(charts=("errors",))
def command(value: str | None, *, names: tuple[str, ...], absmax: str | None, output: Output) -> None:
    """What a number becomes in every number format: bits, what reads back, the error. Without VALUE, the formats.

    Formats of eight bits and fewer are shown with a scaling factor too: the value is divided by it before it is stored.
    Without --absmax the tensor's largest magnitude is taken to be the next power of two.

    \b
    isoflop dtype pi
    isoflop dtype 0.1 --format-of bf16 --format-of fp8-e4m3
    isoflop dtype 3.14159 --absmax 10
    """
    from isoflop.quantize import FORMATS, number_format

    chosen = tuple(number_format(name) for name in names) or FORMATS
    form = output.form
    if value is None:
        _formats(chosen, form)
        return
    number = number_of(value)
    most = number_of(absmax) if absmax is not None else next_power(number)
    found = stored_in(number, chosen, most)
    if form in PICTURES:
        print_chart({"errors": partial(_chart, found)}, output)
    else:
        _stored(found, form, number, most)


def _chart(found: list[Stored], width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.report.chart_numbers import stored_chart

    return stored_chart(found, width=width, mode=mode)


def _formats(chosen: tuple[NumberFormat, ...], form: str) -> None:
    from isoflop.report import dumps
    from isoflop.report.quantize import FORMAT_COLUMNS, format_notes, format_rows, formats_json

    if form == "json":
        click.echo(dumps({"schema_version": 1, "formats": formats_json(chosen)}))
    else:
        print_table(FORMAT_COLUMNS, format_rows(chosen), form)
        if form == "text":
            click.echo("\n" + "\n".join(wrapped(note, rest="  ") for note in format_notes(chosen)))


def _stored(found: list[Stored], form: str, number: float, most: float) -> None:
    from isoflop.report import dumps
    from isoflop.report.quantize import STORED_COLUMNS, stored_json, stored_rows

    if form == "json":
        click.echo(dumps({"schema_version": 1, "value": number, "absmax": most, "stored": stored_json(found)}))
        return
    print_table(STORED_COLUMNS, stored_rows(found), form)
    if form == "text" and any(one.scale != 1 for one in found):
        said = f"Scaled rows: a tensor whose largest magnitude is {most:g}; scale = {most:g} / the format's largest "
        said += "value, of MX formats the power of two near it."
        click.echo("\n" + wrapped(said))
