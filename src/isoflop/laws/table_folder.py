"""A folder of runs as one table: JSON files, trainer states, TensorBoard events, CSVs, or an MLflow store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadFile, shorten
from isoflop.laws.table import Table, read_table, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_FILES = 20_000


def read_folder(place: Path) -> Table:
    """Every run below a folder. MLflow stores are known by their metrics folders; other files are read one by one."""
    files = _files(place)
    if any(path.parent.name == "metrics" for path in files):
        return table_of(_mlflow(files), place, "MLflow")
    rows: list[dict[str, object]] = []
    taken = [path for path in files if path.suffix.lower() in {".json", ".jsonl", ".csv", ".tsv"} or _events(path)]
    states = [path for path in taken if path.name == "trainer_state.json"]
    for path in states or taken:
        table = read_table(path)
        name = str(path.parent.relative_to(place)) if path.parent != place else path.stem
        own = [dict(zip(table.columns, row, strict=True)) for row in zip(*table.columns.values(), strict=True)]
        rows += [{"run": name, **row} for row in own]
    if not rows:
        raise BadFile(
            f"{shorten(str(place), most=200)}: no runs; a folder may hold .json, .jsonl, .csv, trainer_state.json,"
            " TensorBoard events, or be an MLflow store."
        )
    return table_of(rows, place, f"folder of {len(states or taken)} files")


def _events(path: Path) -> bool:
    return "tfevents" in path.name


def _files(place: Path) -> list[Path]:
    found = []
    for path in sorted(place.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found.append(path)
            if len(found) > MOST_FILES:
                raise BadFile(
                    f"{shorten(str(place), most=200)}: more than {MOST_FILES:,} files; give a smaller folder."
                )
    return found


def _mlflow(files: list[Path]) -> Iterator[dict[str, object]]:
    """One row a run: its parameters, and the last value of each metric (lines of `time value step`)."""
    runs = sorted({path.parent.parent for path in files if path.parent.name == "metrics"})
    for run in runs:
        row: dict[str, object] = {"run": run.name}
        for path in sorted((run / "params").glob("*")):
            row[path.name] = path.read_text(encoding="utf-8", errors="replace").strip()[:500]
        for path in sorted((run / "metrics").glob("*")):
            lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
            cells = [line.split() for line in lines if len(line.split()) >= 2]
            if cells:
                row[path.name] = cells[-1][1]
        yield row
