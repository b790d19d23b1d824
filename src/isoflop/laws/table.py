"""A table of runs as a file holds it: names and columns of text or numbers, before anybody says what they mean."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadFile, MissingData, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from isoflop.quantity import FloatArray

MOST_BYTES = 2_000_000_000
MOST_ROWS = 5_000_000
MOST_COLUMNS = 2_000
LARGE = 4_000_000  # bytes from which a file of plain numbers is read at once

Raw = "list[object] | FloatArray"
EMPTY = frozenset({"", "nan", "na", "none", "null", "-"})
PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy", ".npz"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns by name, all of one length; `source` is the file, `format` how it was read."""

    columns: Mapping[str, list[object] | FloatArray]
    source: str
    format: str

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values()))) if self.columns else 0


def read_table(path: str | Path) -> Table:
    """The table in a file, or in a folder of runs.

    Takes CSV, TSV, JSON Lines, JSON (rows, columns, one run, a trainer_state.json), Parquet, TensorBoard events, and
    folders of them or of an MLflow store. Never a pickle.
    """
    place = Path(path)
    if place.is_dir():
        from isoflop.laws.table_folder import read_folder

        return read_folder(place)
    _check_file(place)
    ending = place.suffix.lower()
    if "tfevents" in place.name:
        from isoflop.laws.tensorboard import read_events

        return table_of(read_events(place), place, "TensorBoard events")
    if ending in {".parquet", ".pq"}:
        return _parquet(place)
    if ending in {".jsonl", ".ndjson"}:
        return table_of(_json_lines(place), place, "JSON Lines")
    if ending == ".json":
        return _json(place)
    return _separated(place)


def _check_file(place: Path) -> None:
    name = shorten(str(place), most=200)
    try:
        size = place.stat().st_size
        with place.open("rb") as stream:
            first = stream.read(2)
    except OSError as error:
        raise BadFile(f"cannot read '{name}': {error.strerror or error}; give a table of runs or a folder.") from error
    if place.suffix.lower() in PICKLES or first in {b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"}:
        raise BadFile(f"{name}: pickles and arrays of Python objects run code when read; export CSV, JSONL or Parquet.")
    if size > MOST_BYTES:
        raise BadFile(f"{name}: {size:,} bytes; at most {MOST_BYTES:,} are read. Keep the final rows of each run.")
    if size > 2 * MOST_ROWS and place.suffix.lower() not in {".parquet", ".pq"} and "tfevents" not in place.name:
        refuse_long(_lines(place), name)


def _lines(place: Path) -> int:
    """How many lines a file has after its first, counted before anything is made of them."""
    with place.open("rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 22), b"")) - 1


def refuse_long(rows: int, name: str) -> None:
    """BadFile for more rows than are read."""
    if rows > MOST_ROWS:
        raise BadFile(
            f"{name}: {rows:,} rows; at most {MOST_ROWS:,} are read, and no fit needs so many. Keep the last row of"
            " each run, or every tenth row."
        )


def _text(place: Path) -> str:
    try:
        return place.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise BadFile(f"{shorten(str(place), most=200)}: not UTF-8 text; save it as UTF-8 CSV or JSONL.") from error


def _separated(place: Path) -> Table:
    """CSV or TSV: the separator that the header uses most."""
    name = shorten(str(place), most=200)
    try:
        with place.open(encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            separator = max(",\t;|", key=head.count)
            stream.seek(0)
            reader = csv.reader(stream, delimiter=separator)
            names = next(reader, [])
            _check_names(names, name)
            plain = _plain_numbers(place, separator, names, name)
            if plain is not None:
                return plain
            rows = [row for row in _capped(reader, name) if row]
    except UnicodeDecodeError as error:
        raise BadFile(f"{name}: not UTF-8 text; save it as UTF-8 CSV.") from error
    except csv.Error as error:
        raise BadFile(f"{name}: not a table: {error}.") from error
    ragged = sum(len(row) != len(names) for row in rows)
    if ragged:
        at = next(number for number, row in enumerate(rows, start=2) if len(row) != len(names))
        raise BadFile(
            f"{name}: {ragged:,} rows do not have the {len(names)} cells of the header; the first is line {at}."
        )
    if not rows:
        raise BadFile(f"{name}: a header and no rows.")
    comma = separator == ";"  # where cells are parted by semicolons, commas are decimal points
    columns = {key: _numbers(values, comma=comma) for key, values in zip(names, zip(*rows, strict=True), strict=True)}
    if any(key.endswith("__MIN") for key in names):
        return table_of(_melted(columns), place, "Weights & Biases chart")
    return Table(columns=columns, source=str(place), format="TSV" if separator == "\t" else "CSV")


def _melted(columns: Mapping[str, list[object] | FloatArray]) -> list[dict[str, object]]:
    """The export of a W&B chart, one column `run - metric` a run, as one row a run and step."""
    steps = next((name for name in columns if name.strip().lower() in {"step", "_step", "global_step"}), None)
    rows: dict[tuple[str, int], dict[str, object]] = {}
    for name, values in columns.items():
        run, dash, metric = name.rpartition(" - ")
        if not dash or name.endswith(("__MIN", "__MAX")):
            continue
        for at, value in enumerate(values):
            if isinstance(value, float) and np.isfinite(value):
                row = rows.setdefault((run, at), {"run": run})
                row[metric] = value
                if steps is not None:
                    row["step"] = columns[steps][at]
    return list(rows.values())


def _plain_numbers(place: Path, separator: str, names: Sequence[str], name: str) -> Table | None:
    """A large file that holds nothing but numbers, read in one go; None where it is small or holds more."""
    if place.stat().st_size < LARGE:
        return None
    try:
        held = np.loadtxt(
            place, delimiter=separator, skiprows=1, max_rows=MOST_ROWS + 1, comments=None, ndmin=2, encoding="utf-8-sig"
        )
    except ValueError:
        return None
    if held.shape[1] != len(names):
        return None
    refuse_long(len(held), name)
    return Table(columns=dict(zip(names, held.T.copy(), strict=True)), source=str(place), format="CSV")


def _check_names(names: Sequence[str], place: str) -> None:
    if len(names) < 2:
        raise BadFile(f"{place}: one column; a table of runs needs a header with loss and what it depends on.")
    if len(names) > MOST_COLUMNS:
        raise BadFile(f"{place}: {len(names):,} columns; at most {MOST_COLUMNS:,} are read.")
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise BadFile(f"{place}: column '{shorten(twice[0])}' stands there twice; rename one of them.")


def _capped(rows: Iterable[list[str]], place: str) -> Iterator[list[str]]:
    for number, row in enumerate(rows):
        if number >= MOST_ROWS:
            raise BadFile(f"{place}: more than {MOST_ROWS:,} rows. Keep the last row of each run, or a sample of rows.")
        yield row


_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")


def _number(text: str, *, comma: bool) -> float:
    """A number as tables write it: 1,234,567 with commas at thousands; 2,71 only where commas are decimal points."""
    if "," not in text:
        return float(text)
    if comma:
        return float(text.replace(".", "").replace(",", "."))
    if not _THOUSANDS.fullmatch(text.strip()):
        raise ValueError(text)
    return float(text.replace(",", ""))


def is_empty(value: object) -> bool:
    """Whether a cell says that there is nothing: blank, nan, na, none, null, -."""
    return value is None or (isinstance(value, str) and value.strip().lower() in EMPTY)


def _numbers(values: Sequence[object], *, comma: bool = False) -> list[object] | FloatArray:
    """A column as floats where all of it is numbers or empty; else as it stands."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        pass
    found = np.empty(len(values))
    for row, value in enumerate(values):
        if is_empty(value):
            found[row] = np.nan
            continue
        try:
            found[row] = _number(value, comma=comma) if isinstance(value, str) else float(value)  # type: ignore[arg-type]  # what is no number raises
        except (TypeError, ValueError):
            return list(values)
    return found


def table_of(rows: Iterable[Mapping[str, object]], place: Path, form: str) -> Table:
    """A table from one mapping a row; a key that a row lacks is missing there."""
    held = list(rows)
    name = shorten(str(place), most=200)
    if not held:
        raise BadFile(f"{name}: no rows.")
    refuse_long(len(held), name)
    names = list(dict.fromkeys(key for row in held for key in row))
    _check_names(names, name)
    return Table(
        columns={key: _numbers([row.get(key) for row in held]) for key in names}, source=str(place), format=form
    )


def flat(value: object, before: str = "") -> dict[str, object]:
    """A nested mapping as one level: `config.lr`; lists are left out, and W&B's {"value": ...} is opened."""
    if not isinstance(value, dict):
        return {}
    if before and set(value) <= {"value", "desc"} and "value" in value:
        inner = value["value"]
        return flat(inner, before) if isinstance(inner, dict) else {before: inner}
    found: dict[str, object] = {}
    for key, inner in value.items():
        name = f"{before}.{key}" if before else str(key)
        if isinstance(inner, dict):
            found.update(flat(inner, name))
        elif not isinstance(inner, list):
            found[name] = inner
    return found


def _loads(text: str, name: str) -> object:
    try:
        return json.loads(text, parse_int=_integer)
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadFile(f"{name}: not valid JSON: {shorten(str(error))}.") from error


def _integer(digits: str) -> float:
    return float(digits) if len(digits) < 300 else float("nan")


def _json_lines(place: Path) -> Iterator[dict[str, object]]:
    for number, line in enumerate(_text(place).splitlines(), start=1):
        if line.strip():
            yield flat(_loads(line, f"{shorten(str(place), most=200)} line {number}"))


def _json(place: Path) -> Table:
    name = shorten(str(place), most=200)
    held = _loads(_text(place), name)
    if isinstance(held, list):
        return table_of((flat(row) for row in held), place, "JSON rows")
    if not isinstance(held, dict):
        raise BadFile(f"{name}: neither rows nor columns nor a run.")
    if isinstance(held.get("log_history"), list):
        return table_of(trainer_state(held, place.parent.name), place, "trainer_state.json")
    lists = {key: value for key, value in held.items() if isinstance(value, list)}
    if len(lists) > 1 and len({len(value) for value in lists.values()}) == 1:
        _check_names(list(lists), name)
        columns = {key: _numbers(value) for key, value in lists.items()}
        return Table(columns=columns, source=str(place), format="JSON columns")
    return table_of([flat(held)], place, "JSON run")


def trainer_state(held: Mapping[str, object], run: str) -> list[dict[str, object]]:
    """The log of a Hugging Face Trainer: one row an evaluation, else one a logged step."""
    history = held["log_history"]
    assert isinstance(history, list)
    logged = [flat(row) for row in history if isinstance(row, dict)]
    evaluated = [row for row in logged if "eval_loss" in row]
    rows = evaluated or [row for row in logged if "loss" in row]
    seen: dict[object, dict[str, object]] = {row.get("step"): row for row in logged if "num_input_tokens_seen" in row}
    most = max((at for at in (row.get("step") for row in rows) if isinstance(at, float)), default=0.0)
    total = held.get("total_flos")
    found = []
    for row in rows:
        at = row.get("step")
        one: dict[str, object] = {"run": run, **seen.get(at, {}), **row}
        if isinstance(total, float) and isinstance(at, float) and most > 0:
            one.setdefault("total_flos", total * at / most)
        found.append(one)
    return found


def _parquet(place: Path) -> Table:
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingData(
            f"{shorten(str(place), most=200)}: Parquet needs pyarrow: pip install 'isoflop[parquet]'; or export CSV"
        ) from None
    try:
        with parquet.ParquetFile(place) as file:
            rows = int(file.metadata.num_rows)
            held = file.read() if rows <= MOST_ROWS else None
    except (OSError, ValueError) as error:
        raise BadFile(f"{shorten(str(place), most=200)}: not a Parquet file: {shorten(str(error))}.") from error
    refuse_long(rows, shorten(str(place), most=200))
    assert held is not None
    columns = {name: _numbers(held.column(name).to_pylist()) for name in held.column_names}
    return Table(columns=columns, source=str(place), format="Parquet")
