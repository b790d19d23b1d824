"""Questions to a study in SQL: DuckDB over its runs and its steps, with no way to a file but through them."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from isoflop.errors import BadInput, MissingData, shorten
from isoflop.lab.export import rows, steps_table

if TYPE_CHECKING:
    from isoflop.lab.export import Cell
    from isoflop.lab.operate import StudyFolder

STEPS = ("run", "step", "tokens", "flops", "loss")
"""Columns of the table of steps: step from 0, tokens and FLOP before it, its loss in nats per token."""


def query(held: StudyFolder, sql: str) -> tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...]]:
    """Names of columns and rows that DuckDB answers; tables: `runs` (a row a finished run), `steps` (a row a step).

    Raises: BadInput for SQL that DuckDB refuses, MissingData without it or while no run is over.
    """
    try:
        import duckdb
        import pyarrow as pa
    except ImportError as error:
        raise MissingData("queries need duckdb and pyarrow: pip install 'isoflop[lab]'.") from error
    found = rows(held)
    if not found:
        raise MissingData(f"{held.path} has no finished run yet; isoflop lab run {held.path}")
    with duckdb.connect(":memory:") as asked:
        asked.register("runs", pa.Table.from_pylist(found))
        asked.register("steps", steps_table(held))
        asked.execute("SET enable_external_access = false")
        asked.execute("SET lock_configuration = true")
        try:
            answer = asked.execute(sql)
            names = tuple(str(one[0]) for one in answer.description or ())
            return names, tuple(tuple(_cell(one) for one in row) for row in answer.fetchall())
        except (duckdb.Error, AttributeError) as error:  # AttributeError: nothing was asked
            raise BadInput(
                f"DuckDB refuses this query: {shorten(' '.join(str(error).split()), most=300)}. Tables: runs"
                f" ({', '.join(list(found[0])[:8])}, ...), steps ({', '.join(STEPS)})."
            ) from error


def _cell(value: object) -> Cell:
    if isinstance(value, float) and isnan(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)
