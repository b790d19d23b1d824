"""Files of weights made by hand, byte by byte, so that they can lie."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def safetensors(path: Path, table: object, data: int = 0, *, length: int | None = None) -> Path:
    """A safetensors file with this header (text, or what is written as JSON) and `data` bytes behind it."""
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + bytes(data))
    return path


def tensor(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    """An entry of a safetensors header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def text(value: str) -> bytes:
    """A text as GGUF has it."""
    return struct.pack("<Q", len(value.encode())) + value.encode()


def entry(key: str, kind: int, value: bytes) -> bytes:
    """An entry of GGUF metadata."""
    return text(key) + struct.pack("<I", kind) + value


def info(name: str, shape: list[int], kind: int, offset: int) -> bytes:
    """A tensor as GGUF lists it, innermost side first."""
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def gguf(
    path: Path,
    entries: list[bytes],
    infos: list[bytes],
    data: int = 0,
    *,
    version: int = 3,
    counts: tuple[int, int] | None = None,
    alignment: int = 32,
) -> Path:
    """A GGUF file with `data` bytes behind its header."""
    tensors, metadata = counts or (len(infos), len(entries))
    head = b"GGUF" + struct.pack("<IQQ", version, tensors, metadata) + b"".join(entries) + b"".join(infos)
    path.write_bytes(head + bytes(-len(head) % alignment) + bytes(data))
    return path
