"""What commands share: options of output and intervals, and the ways to print an answer."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from isoflop.errors import BadFile, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from isoflop.relation import Answer
    from isoflop.report import Cell, Column

P = ParamSpec("P")

FORMATS = ("text", "json", "md", "html", "latex", "mermaid")


def output_options(function: Callable[P, None]) -> Callable[P, None]:
    """--explain, --json and --format, on every command that ends in an answer."""
    for option in (
        click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="How to print the answer."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; short for --format json."),
        click.option("--explain", is_flag=True, help="Print the numbered derivation."),
    ):
        function = option(function)
    return function


def sampling_options(function: Callable[P, None]) -> Callable[P, None]:
    """--samples and --seed, on every command whose answers have intervals."""
    for option in (
        click.option(
            "--seed", type=click.IntRange(0), default=0, show_default=True, help="Makes the draws repeatable."
        ),
        click.option(
            "--samples",
            type=click.IntRange(100, 10_000_000),
            default=20_000,
            show_default=True,
            help="Draws behind an interval.",
        ),
    ):
        function = option(function)
    return function


TABLE_FORMATS = ("text", "json", "md", "html", "csv")


def table_options(function: Callable[P, None]) -> Callable[P, None]:
    """--json and --format, on every command that ends in a table."""
    for option in (
        click.option("--format", "form", type=click.Choice(TABLE_FORMATS), default="text", help="How to print it."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; short for --format json."),
    ):
        function = option(function)
    return function


def print_table(columns: Sequence[Column | str], rows: Iterable[Sequence[Cell]], form: str) -> None:
    """A table on stdout in one of TABLE_FORMATS."""
    from isoflop import report

    match form:
        case "json":
            text = report.dumps(report.table_json(columns, rows))
        case "md":
            text = report.table_markdown(columns, rows)
        case "html":
            text = report.page("isoflop", report.table_html(columns, rows))
        case "csv":
            text = report.table_csv(columns, rows)
        case _:
            text = report.table_text(
                columns, rows, width=terminal_width(), color=wants_color(), ascii_only=ascii_only()
            )
    click.echo(text.rstrip("\n"))


def terminal_width() -> int:
    """The width to print to: COLUMNS, the terminal's, at most 100; 80 where there is no terminal."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit():
        return max(40, min(int(columns), 200))
    return min(os.get_terminal_size().columns, 100) if sys.stdout.isatty() else 80


def wrapped(text: str, *, first: str = "", rest: str = "") -> str:
    """Prose as lines of the terminal's width: `first` stands before the first line, `rest` before the others."""
    from isoflop.report.layout import hang

    return "\n".join(hang(text, terminal_width(), first, rest))


def wants_color() -> bool:
    """Colour on a terminal, unless NO_COLOR says otherwise; FORCE_COLOR says so elsewhere."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def ascii_only() -> bool:
    """Whether the terminal cannot print more than ASCII."""
    return "utf" not in (sys.stdout.encoding or "").lower()


def print_answer(answer: Answer, form: str, *, explain: bool) -> None:
    """An answer on stdout in one of FORMATS; its warnings are part of it."""
    from isoflop import report

    match form:
        case "json":
            text = report.dumps(report.answer_json(answer))
        case "md":
            text = report.answer_markdown(answer, explain)
        case "html":
            text = report.page(answer.quantity, report.answer_html(answer, explain))
        case "latex":
            text = report.answer_latex(answer)
        case "mermaid":
            text = report.answer_mermaid(answer)
        case _:
            text = report.answer_text(
                answer, explain, width=terminal_width(), color=wants_color(), ascii_only=ascii_only()
            )
    click.echo(text.rstrip("\n"))


def write_out(text: str, out: str | None) -> None:
    """An answer on stdout, or into the file `out`. Raises: BadFile where that cannot be written."""
    if out is None:
        click.echo(text.rstrip("\n"))
        return
    try:
        Path(out).write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as error:
        raise BadFile(f"cannot write '{shorten(out)}': {error.strerror}; choose another file.") from error
