"""TensorBoard event files, read without TensorBoard: framed records of protocol buffers, scalars only."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LENGTH, _CRC = 8, 4
Field = tuple[int, int, "int | bytes"]


def read_events(path: Path) -> list[dict[str, object]]:
    """One row a step that has scalars, with `step` and each tag; the run is the folder's name."""
    rows: dict[int, dict[str, object]] = {}
    name = shorten(str(path), most=200)
    try:
        for record in _records(path.read_bytes(), name):
            step, scalars = _event(record)
            if scalars:
                rows.setdefault(step, {"run": path.parent.name, "step": float(step)}).update(scalars)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise BadFile(f"{name}: a broken event file: {shorten(str(error))}.") from error
    return list(rows.values())


def _records(data: bytes, name: str) -> Iterator[bytes]:
    """The payloads; a last record that was cut short (a run that was killed) is left out."""
    at = 0
    while at + _LENGTH + _CRC <= len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        start = at + _LENGTH + _CRC
        if size > len(data):
            raise BadFile(f"{name}: not an event file: a record of {size} bytes in a file of {len(data)}.")
        if start + size + _CRC > len(data):
            return
        yield data[start : start + size]
        at = start + size + _CRC


def _event(record: bytes) -> tuple[int, dict[str, object]]:
    """Step (field 2) and the scalars of the summary (field 5)."""
    step, scalars = 0, {}
    for number, _, value in _fields(record):
        if number == 2 and isinstance(value, int):
            step = value
        elif number == 5 and isinstance(value, bytes):
            for inner, _, part in _fields(value):
                if inner == 1 and isinstance(part, bytes):
                    scalars.update(_scalar(part))
    return step, scalars


def _scalar(part: bytes) -> dict[str, object]:
    """Tag (field 1) and number: field 2, or the first float of a tensor (field 8)."""
    tag, number = "", None
    for field, wire, value in _fields(part):
        if field == 1 and isinstance(value, bytes):
            tag = value.decode("utf-8")
        elif field == 2 and wire == 5 and isinstance(value, bytes):
            number = struct.unpack("<f", value)[0]
        elif field == 8 and isinstance(value, bytes):
            number = _tensor(value)
    return {tag: number} if tag and number is not None else {}


def _tensor(value: bytes) -> float | None:
    """A float tensor of one element: its raw content (field 4) or its list (field 5)."""
    kind, found = 0, None
    for field, _, part in _fields(value):
        if field == 1 and isinstance(part, int):
            kind = part
        elif field in {4, 5} and isinstance(part, bytes) and len(part) == 4 and kind == 1:
            found = float(struct.unpack("<f", part)[0])
    return found


def _fields(data: bytes) -> Iterator[Field]:
    """Field number, wire type and value of each field of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, wire, value
        elif wire in {1, 5}:
            size = 8 if wire == 1 else 4
            yield number, wire, data[at : at + size]
            at += size
        elif wire == 2:
            size, at = _varint(data, at)
            yield number, wire, data[at : at + size]
            at += size
        else:
            raise IndexError(f"wire type {wire}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80 or shift > 63:
            return value, at
