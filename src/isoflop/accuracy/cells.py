"""Tables of measured rows as text: a CSV with a head line, an id a row, and a bound on its size."""

from __future__ import annotations

import csv
from io import StringIO
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from isoflop.errors import BadFile, close_matches, shorten
from isoflop.quantity.toml_file import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

MOST_BYTES = 64_000_000
MOST_ROWS = 100_000


class Cells(NamedTuple):
    """The rows of a table, each a mapping from column to text without blanks around it; and the columns."""

    rows: list[Mapping[str, str]]
    columns: tuple[str, ...]


def read_cells(path: str | PathLike[str], example: str, key: str = "id") -> Cells:
    """The cells of a CSV file; `example` is a table that shows the columns, `key` the one that names a row."""
    return parse_cells(read_text(path, most_bytes=MOST_BYTES), str(path), example, key)


def parse_cells(text: str, name: str, example: str, key: str = "id") -> Cells:
    """The cells of CSV text; `name` is what errors call it. Raises: BadFile naming line and column."""
    name = shorten(name, most=200)
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    rows: list[Mapping[str, str]] = []
    lines: dict[str, int] = {}
    try:
        head = [cell.strip() for cell in next(reader, [])]
        _check_head(head, name, example, key)
        for cells in reader:
            if not any(cells):
                continue
            where = f"{name}: line {reader.line_num}"
            if len(cells) != len(head):
                raise BadFile(f"{where} has {len(cells)} cells, but the first line names {len(head)} columns.")
            row = dict(zip(head, map(str.strip, cells), strict=True))
            own = row[key]
            if not own:
                raise BadFile(f"{where}: column {key} is empty; give every row an id of its own.")
            if own in lines:
                raise BadFile(f"{where}: column {key}: '{shorten(own)}' is the id of line {lines[own]} too.")
            lines[own] = reader.line_num
            rows.append(row)
            if len(rows) > MOST_ROWS:
                raise BadFile(f"{name}: more than {MOST_ROWS:,} rows, the most that are read. Split the file.")
    except csv.Error as error:
        raise BadFile(f"{name}: line {reader.line_num} is not CSV: {error}.") from error
    if not rows:
        raise BadFile(f"{name}: no rows. The first line names the columns, each further line is a run.")
    return Cells(rows, tuple(head))


def _check_head(head: list[str], name: str, example: str, key: str) -> None:
    if key not in head:
        close = close_matches(key, head)
        hint = f" Did you mean '{shorten(close[0])}'?" if close else ""
        raise BadFile(f"{name}: line 1 names no column '{key}'.{hint} It names the columns, like those of {example}.")
    twice = next((column for column in head if head.count(column) > 1), None)
    if twice is not None:
        raise BadFile(f"{name}: line 1 names column '{shorten(twice)}' twice; keep one of the two.")


def number(text: str, *, whole: bool = False) -> float | int | None:
    """A plain number, None where it is none; "8.0" is a whole number too."""
    try:
        value = float(text)
    except ValueError:
        return None
    if not isfinite(value) or (whole and not value.is_integer()):
        return None
    return int(value) if whole else value
