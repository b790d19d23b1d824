"""Writing so that a crash leaves the old file or the new one, and records that are on the disk once they are said."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from isoflop.errors import BadFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """The whole file or nothing: beside it first, onto the disk, then in its place."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, as its files are."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Records:
    """A file of JSON lines that is only added to; what `add` has returned from is on the disk.

    A line that a crash cut short is closed by the next to be added, and passed over when read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, record: Mapping[str, object]) -> None:
        """Add one record."""
        with self.path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> Iterator[dict[str, object]]:
        """Every whole record, in the order in which they were added."""
        if not self.path.exists():
            return
        with self.path.open("rb") as lines:
            for line in lines:
                try:
                    found = json.loads(line)
                except (json.JSONDecodeError, UnicodeDecodeError):
                    continue  # cut short by a crash
                if not isinstance(found, dict):
                    raise BadFile(f"{self.path}: a line holds no object; it was not written by the laboratory.")
                yield found
