"""The records of a run that is over, from lines of JSON into one Parquet file that DuckDB, pandas and others read.

`log.jsonl` is what a run writes while it trains. Once there is a result it becomes `log.parquet`: a row a step (step
from 0, loss before it in nats per token; `grad_norm`, `seconds` and `processor` stand at the last step of each record;
`counted` is false for steps that were done again after a crash). The rest (attempts: versions, processor, load) lies in
the file's metadata, so that every record can be had back as it was. The lines go only after the file is whole on the
disk; where that fails (a full disk, no pyarrow), they stay, and nothing is lost.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, shorten
from isoflop.lab.files import Records, sync_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

OTHERS = b"isoflop.records"
"""Key of the metadata: what no column holds, as [row before which it came, record]."""

COLUMNS = ("step", "losses", "grad_norm", "seconds", "processor")


class Log:
    """Everything a run has recorded: what is compacted, then the lines that were added since."""

    def __init__(self, folder: Path) -> None:
        self.lines = Records(folder / "log.jsonl")
        self.table = folder / "log.parquet"

    def add(self, record: Mapping[str, object]) -> None:
        """Add one record; once this has returned it is on the disk."""
        self.lines.add(record)

    def read(self) -> Iterator[dict[str, object]]:
        """Every record, in the order in which they were added."""
        if self.table.exists():
            yield from _records(_read(self.table), self.table)
        yield from self.lines.read()

    def compact(self) -> bool:
        """Turn the lines of a run that is over into the table; whether there was something to do.

        Raises: OSError where the disk is full, with the lines left as they are; ImportError without pyarrow.
        """
        import pyarrow as pa
        from pyarrow import parquet

        if not self.lines.path.exists():
            return False
        records = list(self.read())
        sink = pa.BufferOutputStream()
        parquet.write_table(_table(records), sink, compression="zstd")
        data = sink.getvalue()
        if list(_records(parquet.read_table(pa.BufferReader(data)), self.table)) != records:
            return False  # a record that does not come back as it was: its lines are worth more than the room
        write_atomically(self.table, data.to_pybytes())
        self.lines.path.unlink()
        sync_folder(self.table.parent)
        return True


def _table(records: Sequence[Mapping[str, object]]) -> pa.Table:
    """Steps as rows, everything else as metadata."""
    import pyarrow as pa

    steps: list[int] = []
    losses: list[float | None] = []
    ends: dict[str, list[float | None]] = {name: [] for name in COLUMNS[2:]}
    others: list[list[object]] = []
    for record in records:
        held = record.get("losses")
        if not isinstance(held, list) or not held:
            others.append([len(steps), record])
            continue
        last = int(str(record["step"]))
        steps += range(last - len(held), last)
        losses += held
        for name, column in ends.items():
            column.extend([*[None] * (len(held) - 1), record.get(name)])  # type: ignore[list-item]  # numbers of JSON
        rest = {name: value for name, value in record.items() if name not in COLUMNS}
        if rest:
            others.append([len(steps), rest | {"": "more of the record before"}])
    final = {step: place for place, step in enumerate(steps)}
    columns = {
        "step": pa.array(steps, pa.int64()),
        "loss": pa.array(losses, pa.float64()),
        **{name: pa.array(column, pa.float64()) for name, column in ends.items()},
        "counted": pa.array([final[step] == place for place, step in enumerate(steps)], pa.bool_()),
    }
    return pa.table(columns).replace_schema_metadata({OTHERS: json.dumps(others, allow_nan=False).encode()})


def _records(table: pa.Table, path: Path) -> Iterator[dict[str, object]]:
    """The records that a table was made of."""
    try:
        others = json.loads(table.schema.metadata[OTHERS])
        steps, losses = (table.column(name).to_pylist() for name in ("step", "loss"))
        ends = [_column(table, name) for name in COLUMNS[2:]]
    except (TypeError, KeyError, json.JSONDecodeError) as error:
        raise BadFile(f"{path}: not a log of the laboratory; delete the run's folder, and it is done again.") from error
    norms, seconds, own = ends
    begin = at = 0
    while at < len(steps) or others:
        while others and others[0][0] == at and "" not in others[0][1]:
            yield others.pop(0)[1]
        if at == len(steps):
            return
        if seconds[at] is None:
            at += 1
            continue
        at += 1
        found = {"step": steps[at - 1] + 1, "losses": losses[begin:at], "grad_norm": norms[at - 1]}
        found["seconds"] = seconds[at - 1]
        if own[at - 1] is not None:
            found["processor"] = own[at - 1]
        if others and others[0][0] == at and "" in others[0][1]:
            found |= {name: value for name, value in others.pop(0)[1].items() if name}
        yield found
        begin = at


def _column(table: pa.Table, name: str) -> list[float | None]:
    """A column; nothing where an earlier version did not write it."""
    found: list[float | None] = table.column(name).to_pylist() if name in table.column_names else []
    return found or [None] * table.num_rows


def _read(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.read_table(path)
    except pa.ArrowInvalid as error:
        raise BadFile(
            f"{path}: no Parquet file ({shorten(str(error))}); delete the run's folder, and it is done again."
        ) from error
