"""What commands share: the options of intervals, and what is known of the terminal that is printed to."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, ParamSpec

import click

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")


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
