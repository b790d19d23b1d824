"""The file of predictions that `validate` writes, whatever its rows are of."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import BadFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from isoflop.report import Cell


def write_predictions(path: str, head: Sequence[str], lines: Iterable[Sequence[Cell]]) -> None:
    """A CSV file with a line for each row. Raises: BadFile where it cannot be written."""
    try:
        with Path(path).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(head)
            writer.writerows([_written(cell) for cell in line] for line in lines)
    except OSError as error:
        raise BadFile(f"{path}: cannot be written: {error.strerror or error}. Give another path to --out.") from error


def _written(cell: Cell) -> Cell:
    """Bytes and tokens as whole numbers, the rest with six digits."""
    if not isinstance(cell, float):
        return cell
    return f"{cell:.0f}" if cell >= 1e6 else f"{cell:.6g}"
