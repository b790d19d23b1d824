"""How commands that end in rows and a chart print what they found: in every format, on stdout or in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.knowns import ascii_only, terminal_width, wants_color
from isoflop.errors import BadFile, BadInput, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FORMATS = ("text", "json", "md", "html", "svg", "png")


def output_options(function: click.decorators.FC) -> click.decorators.FC:
    """Options of commands that end in rows and in a chart."""
    for option in (
        click.option(
            "--out", type=click.Path(dir_okay=False), help="Write to this file: .json, .md, .html, .svg, .png."
        ),
        click.option("--dark", is_flag=True, help="Draw svg and png for a dark page."),
        click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="How to print it."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; short for --format json."),
        click.option("--explain", is_flag=True, help="Print the derivation."),
    ):
        function = option(function)
    return function


Shown = tuple[str, bool, bool, bool, "str | None"]
"""Format, whether JSON is asked for, dark, explain, file."""


def show(found: object, shown: Shown, drawings: Mapping[str, Callable[..., object]]) -> None:
    """Print or write a finding in the format asked for, with the drawings of its kind."""
    from pathlib import Path

    from isoflop import report

    form, as_json, dark, explain, out = shown
    ending = Path(out or "").suffix.removeprefix(".")
    form = "json" if as_json else ending if form == "text" and ending in FORMATS else form
    if form in {"svg", "png"}:
        if out is None:
            raise BadInput(f"a chart goes to a file: give --out chart.{form}")
        report.save(drawings["chart"](found, mode="dark" if dark else "light"), out)
        return
    if form == "json":
        text = report.dumps(drawings["json"](found))  # type: ignore[arg-type]  # an object
    elif form in {"md", "html"}:
        text = str(drawings[form](found))
    else:
        paper = {"width": terminal_width(), "color": wants_color() and out is None, "ascii_only": ascii_only()}
        text = str(drawings["text"](found, explain=explain, **paper))
    write(text, out)


def write(text: str, out: str | None) -> None:
    """Text on stdout, or in a file."""
    from pathlib import Path

    if out is None:
        click.echo(text.rstrip("\n"))
        return
    try:
        Path(out).write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as error:
        raise BadFile(f"cannot write '{shorten(out)}': {error.strerror}; choose another file.") from error
