"""Entries of a catalogue side by side: a row for each figure, a column for each entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.knowns import terminal_width
from isoflop.cli.output import print_table
from isoflop.report.lines import Line

__all__ = ["Line", "echo_wrapped", "print_beside", "text_line"]

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from isoflop.report import Cell, Column


def text_line(name: str, values: Iterable[str], title: str = "") -> Line:
    """A line of texts, which people and scripts read alike."""
    texts = tuple(values)
    return Line(name=name, title=title or name, unit="", cells=texts, texts=texts)


def print_beside(heads: Sequence[str], lines: Iterable[Line], form: str) -> None:
    """The figures that any entry has: as JSON and CSV in base units with a column for the unit, else as texts."""
    kept = [line for line in lines if not line.is_empty]
    columns: tuple[Column | str, ...]
    rows: list[tuple[Cell, ...]]
    if form in {"json", "csv"}:
        columns = ("figure", "unit", *heads)
        rows = [(line.name, line.unit, *line.cells) for line in kept]
    else:
        columns = ("figure", *heads)
        rows = [(line.title, *(text or "-" for text in line.texts)) for line in kept]
    print_table(columns, rows, form)


def echo_wrapped(text: str) -> None:
    """A paragraph on stdout that fits the terminal; lines after the first are set in."""
    from isoflop.report.layout import hang

    before = text[: len(text) - len(text.lstrip("\n"))]
    click.echo(before + "\n".join(hang(text.lstrip("\n"), terminal_width(), "", "  ")))
