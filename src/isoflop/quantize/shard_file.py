"""One safetensors file: the header first, for all lengths are known, then each piece where it belongs.

It has another name until it is whole, so that a file of the right name is never half of one.
"""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadFile, shorten
from isoflop.model.headers.safetensors import BITS, MOST_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from isoflop.quantize.layout import Out

UNFINISHED = ".unfinished"


class ShardFile:
    """A safetensors file that is being written; `whole` gives it its name."""

    def __init__(self, path: Path, tensors: Sequence[Out], metadata: Mapping[str, str]) -> None:
        header, begins = header_of(tensors, metadata)
        self.path, self._begins = path, begins
        self._temporary = path.with_name(path.name + UNFINISHED)
        self.size = len(header) + sum(one.bytes for one in tensors)
        self._file = os.open(self._temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            self._write(0, header)
        except BaseException:
            self.drop()
            raise

    def write(self, name: str, offset: int, values: NDArray[np.generic]) -> None:
        """Bytes of a tensor, `offset` bytes behind its begin; calls from several threads are fine."""
        flat = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        self._write(self._begins[name] + offset, flat.data)

    def _write(self, at: int, data: bytes | memoryview) -> None:
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(self._file, view, at)
                view, at = view[written:], at + written
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            what = f"the disk is full; {self.size:,} bytes are needed for this file" if full else error.strerror
            raise BadFile(f"{self.path.parent}: cannot write {self.path.name}: {what}.") from error

    def whole(self, *, sync: bool) -> None:
        """Close the file and give it its name; with `sync`, after the disk has it."""
        os.ftruncate(self._file, self.size)
        if sync:
            os.fsync(self._file)
        self._close()
        self._temporary.replace(self.path)

    def drop(self) -> None:
        """Give the file up."""
        self._close()
        self._temporary.unlink(missing_ok=True)

    def _close(self) -> None:
        """Once: the number may be another file's afterwards."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def header_of(tensors: Sequence[Out], metadata: Mapping[str, str]) -> tuple[bytes, dict[str, int]]:
    """(length and header, first byte of every tensor): wide elements first, so that each is aligned.

    Raises:
        BadFile: more names than the format's header can hold.
    """
    table: dict[str, object] = {"__metadata__": {**metadata, "format": metadata.get("format", "pt")}}
    begins, reached = {}, 0
    for one in sorted(tensors, key=lambda out: -BITS[out.dtype]):
        table[one.name] = {"dtype": one.dtype, "shape": list(one.shape), "data_offsets": [reached, reached + one.bytes]}
        begins[one.name] = reached
        reached += one.bytes
    if len(begins) < len(tensors):
        twice = next(name for name, count in Counter(one.name for one in tensors).items() if count > 1)
        raise BadFile(f"'{shorten(twice)}' is in the source, and is also what belongs to a quantized weight there.")
    try:
        text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadFile(
            f"the name of a tensor is no text: {shorten(ascii(error.object[error.start : error.end]))}."
        ) from error
    text += b" " * (-len(text) % 8)
    if len(text) > MOST_HEADER:
        raise BadFile(f"a header of {len(text):,} bytes is above the {MOST_HEADER:,} that safetensors allows.")
    start = 8 + len(text)
    return len(text).to_bytes(8, "little") + text, {name: start + begin for name, begin in begins.items()}
