"""Tables that a client sends, read in memory: CSV, TSV, JSON Lines, JSON. Nothing is written, nothing is unpickled."""

from __future__ import annotations

import csv
import io
import json
from pathlib import PurePath
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput, MissingData, UnknownName, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isoflop.laws import Runs
    from isoflop.laws.table import Table

MOST_ROWS = 50_000
MOST_CELL = 100_000
_DEEPEST = "the table nests deeper than is read; give flat rows"


def runs_in(text: str, name: str, columns: Mapping[str, str]) -> Runs:
    """The runs of an uploaded or pasted table; its ending says how it is read, CSV where it has none.

    `columns` says which column is which quantity. Raises: BadFile, BadInput, MissingData where there is no loss.
    """
    return _runs(table_in(text, name), columns)


def table_in(text: str, name: str) -> Table:
    """An uploaded or pasted table, whatever it holds. Raises: BadFile."""
    from pathlib import Path

    from isoflop.laws.table import table_of

    called = PurePath(name).name or "the table"
    form, rows = _rows(text.removeprefix("\ufeff"), called)
    return table_of(rows, Path(called), form)


def grouped_runs(
    table: tuple[str, str], columns: Mapping[str, str], by: str, wanted: tuple[str, ...]
) -> list[tuple[str, Runs]]:
    """Two groups of the runs of a table (text, name), each the rows with one value in the column `by`.

    The first two values where fewer are `wanted`. Raises: UnknownName, BadInput, and what `runs_in` does.
    """
    from pathlib import Path

    from isoflop.laws.table import table_of

    called = PurePath(table[1]).name or "the table"
    form, rows = _rows(table[0].removeprefix("\ufeff"), called)
    there = {str(key) for row in rows for key in row}
    if by not in there:
        raise UnknownName("column", by, there, hint=f"There are: {', '.join(sorted(there)[:20])}.")
    values = list(dict.fromkeys(str(row.get(by, "")).strip() for row in rows))
    for one in wanted:
        if one not in values:
            raise UnknownName(f"value of {shorten(by)}", one, values, hint=f"There are: {', '.join(values[:20])}.")
    chosen = list(dict.fromkeys((*wanted, *values)))[:2]
    if len(chosen) != 2:
        raise BadInput(f"column '{shorten(by)}' holds one value alone; two groups need two")
    parts = [[row for row in rows if str(row.get(by, "")).strip() == one] for one in chosen]
    return [
        (f"{by} {one}", _runs(table_of(part, Path(called), form), columns))
        for one, part in zip(chosen, parts, strict=True)
    ]


def _runs(table: Table, columns: Mapping[str, str]) -> Runs:
    from isoflop.laws.runs import runs_of

    found, called = runs_of(table, columns=columns), PurePath(table.source).name
    if "loss" not in found.columns:
        there = ", ".join(one.column for one in found.mapping[:20])
        raise MissingData(
            f"no loss in {shorten(called)}: known columns are {there or 'none'}. Say which under 'Columns', like "
            "loss=val_loss (nats per token; columns named bpt, loss_bits or ppl are converted)."
        )
    return found


def _rows(text: str, name: str) -> tuple[str, list[dict[str, object]]]:
    ending = PurePath(name).suffix.lower()
    if ending in {".jsonl", ".ndjson"}:
        return "JSON Lines", list(_capped(_json_lines(text, name), name))
    if ending == ".json" or text.lstrip()[:1] in {"[", "{"}:
        return "JSON rows", list(_capped(_json(text, name), name))
    if ending not in {"", ".csv", ".tsv", ".txt"}:
        raise BadFile(
            f"{shorten(name)}: give CSV, TSV, JSON Lines or JSON; other formats are read by: isoflop laws fit"
        )
    return "CSV", list(_capped(_separated(text, name), name))


def _capped(rows: Iterator[dict[str, object]], name: str) -> Iterator[dict[str, object]]:
    for number, row in enumerate(rows):
        if number >= MOST_ROWS:
            raise BadFile(f"{shorten(name)}: more than {MOST_ROWS:,} rows; keep the final row of each run.")
        yield row


def _separated(text: str, name: str) -> Iterator[dict[str, object]]:
    head = text.partition("\n")[0]
    separator = max(",\t;|", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        names = next(reader, [])
        if len(set(names)) != len(names) or not any(one.strip() for one in names):
            raise BadFile(f"{shorten(name)}: the first line must name the columns, each by a name of its own.")
        for row in reader:
            if row and len(row) != len(names):
                raise BadFile(f"{shorten(name)}: line {reader.line_num} has not the {len(names)} cells of the header.")
            if row:
                yield dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise BadFile(f"{shorten(name)}: not a table: {error}.") from error


def _json_lines(text: str, name: str) -> Iterator[dict[str, object]]:
    from isoflop.laws.table import flat

    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield flat(_object(_loaded(line, f"{name} line {number}"), name))


def _json(text: str, name: str) -> Iterator[dict[str, object]]:
    from isoflop.laws.table import flat

    held = _loaded(text, name)
    if isinstance(held, dict) and isinstance(held.get("log_history"), list):  # a trainer_state.json: its log
        held = held["log_history"]
    rows = held if isinstance(held, list) else [held]
    for row in rows:
        yield flat(_object(row, name))


def _object(row: object, name: str) -> dict[str, object]:
    if not isinstance(row, dict):
        raise BadFile(f"{shorten(name)}: a row is no object with named values.")
    return row


def _loaded(text: str, name: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadFile(f"{shorten(name)}: not valid JSON: {error.msg}, line {error.lineno}.") from error
    except RecursionError as error:
        raise BadFile(f"{shorten(name)}: {_DEEPEST}.") from error
    except ValueError as error:  # a number of thousands of digits
        raise BadInput(f"{shorten(name)}: holds a number that is too long to be read.") from error
