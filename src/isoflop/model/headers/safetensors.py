"""Headers of safetensors files: what they list is believed only where names, shapes, offsets and sizes all agree.

A file is 8 bytes of length, a JSON header of that length, and the tensors one behind the other without a gap. Only the
header is read. A checkpoint in several files has an index that says which tensor lies in which.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, shorten
from isoflop.model.headers.source import open_header
from isoflop.model.headers.tensors import Tensor, Tensors
from isoflop.quantity.json_file import parse_json, read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MOST_HEADER = 100_000_000
"""The format's own limit, in bytes."""

MOST_TENSORS = 1_000_000
MOST_SIDES = 32
INDEX = "model.safetensors.index.json"

BITS: Mapping[str, int] = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip
"""Bits an element of every number format that the format knows."""

_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.safetensors")


def read_safetensors(path: Path) -> Tensors:
    """What one safetensors file lists."""
    tensors, metadata = _read(path)
    missing = _others(path)
    said = (f"{path.name} is one of several files; those beside it are not counted",) if missing else ()
    return Tensors(kind="safetensors", files=(path.name,), tensors=tensors, metadata=metadata, doubts=said)


def read_index(path: Path) -> Tensors:
    """What the files listed in an index hold together; files that are not there are named as missing."""
    table = read_json(path, most_bytes=MOST_HEADER)
    placed = _weight_map(table, path)
    names = sorted(set(placed.values()))
    there = [name for name in names if (path.parent / name).is_file()]
    if not there:
        raise BadFile(
            f"{path}: none of the {len(names):,} files that it lists is there, so shapes and bytes are not known. "
            "Put at least one of them beside it."
        )
    found: dict[str, Tensor] = {}
    metadata: dict[str, object] = {}
    extra = 0
    for name in there:
        tensors, own = _read(path.parent / name)
        metadata |= own
        for tensor in tensors:
            if tensor.name in found:
                raise BadFile(f"{path}: tensor '{shorten(tensor.name)}' lies in two files, one of them {name}.")
            where = placed.get(tensor.name)
            if where not in {None, name}:
                raise BadFile(f"{path}: tensor '{shorten(tensor.name)}' is listed in {where} but lies in {name}.")
            extra += where is None
            found[tensor.name] = tensor
    _check_all_there(path, placed, found, set(there))
    tensors = tuple(found.values())
    doubts = (*_missing(names, there), *_unlisted(extra), *_total(table, tensors, whole=len(there) == len(names)))
    return Tensors(kind="safetensors", files=tuple(there), tensors=tensors, metadata=metadata, doubts=doubts)


def read_shards(paths: Iterable[Path]) -> Tensors:
    """What files without an index hold together ("model-00001-of-00004.safetensors")."""
    found: dict[str, Tensor] = {}
    metadata: dict[str, object] = {}
    listed = sorted(paths)
    for path in listed:
        tensors, own = _read(path)
        metadata |= own
        for tensor in tensors:
            if tensor.name in found:
                raise BadFile(f"{path}: tensor '{shorten(tensor.name)}' lies in another of the files too.")
            found[tensor.name] = tensor
    names = tuple(path.name for path in listed)
    parts = [_SHARD.fullmatch(name) for name in names]
    due = max((int(part.group(3)) for part in parts if part), default=len(names))
    said = (f"{due - len(names):,} of {due:,} files are missing; counted is what is there",) if due > len(names) else ()
    return Tensors(kind="safetensors", files=names, tensors=tuple(found.values()), metadata=metadata, doubts=said)


def _others(path: Path) -> bool:
    """Whether the name says that there are more files."""
    part = _SHARD.fullmatch(path.name)
    return part is not None and int(part.group(3)) > 1


def _read(path: Path) -> tuple[tuple[Tensor, ...], dict[str, object]]:
    """(tensors, metadata) of one file."""
    with open_header(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        first = stream.read(8)
        if len(first) < 8:
            raise BadFile(f"{path}: {size} bytes are too few for a safetensors file.")
        length = int.from_bytes(first, "little")
        if length > MOST_HEADER:
            raise BadFile(
                f"{path}: claims a header of {length:,} bytes; at most {MOST_HEADER:,} are allowed. "
                "It is broken, or no safetensors file."
            )
        if length > size - 8:
            raise BadFile(f"{path}: claims a header of {length:,} bytes but has {size:,}; it was cut off.")
        text = stream.read(length)
    if len(text) != length:
        raise BadFile(f"{path}: the header was cut off while it was read.")
    return _parse(text, str(path), size - 8 - length)


def _parse(header: bytes, name: str, room: int) -> tuple[tuple[Tensor, ...], dict[str, object]]:
    """What a header lists, held against the `room` bytes behind it."""
    if not header.startswith(b"{"):
        raise BadFile(f"{name}: the header is no JSON object; it is broken, or no safetensors file.")
    if header.count(b'"data_offsets"') > MOST_TENSORS:
        raise BadFile(f"{name}: lists more than {MOST_TENSORS:,} tensors, the most that is read.")
    try:
        text = header.decode()
    except UnicodeDecodeError as error:
        raise BadFile(f"{name}: byte {error.start} of the header is not UTF-8.") from error
    table = parse_json(text, f"{name} (header)")
    metadata = table.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(one, str) for one in metadata.values()):
        raise BadFile(f"{name}: __metadata__ must hold texts only.")
    placed = sorted((_tensor(key, entry, name) for key, entry in table.items()), key=lambda pair: pair[0])
    _check_gapless(placed, name, room)
    return tuple(tensor for _, tensor in placed), metadata


def _tensor(key: str, entry: object, name: str) -> tuple[tuple[int, int], Tensor]:
    """((begin, end), tensor) of one entry."""
    called = f"{name}: tensor '{shorten(key)}'"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise BadFile(f"{called} must have dtype, shape and data_offsets, and nothing else.")
    dtype = entry["dtype"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise BadFile(f"{called} has dtype {shorten(repr(dtype))}; known are {', '.join(BITS)}.")
    shape, offsets = _whole(entry["shape"], called, "shape"), _whole(entry["data_offsets"], called, "data_offsets")
    if len(shape) > MOST_SIDES:
        raise BadFile(f"{called} has {len(shape)} dimensions; at most {MOST_SIDES} are read.")
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise BadFile(f"{called} has data_offsets {shorten(str(list(offsets)))}; give begin and end.")
    begin, end = offsets
    tensor = Tensor(key, dtype, shape, end - begin)
    bits = tensor.numbers * BITS[dtype]
    if bits >= 2**67:
        raise BadFile(f"{called}: shape {shorten(str(list(shape)))} is larger than any memory.")
    if bits != 8 * (end - begin):
        raise BadFile(
            f"{called}: {dtype} of shape {shorten(str(list(shape)))} takes {bits / 8:,.10g} bytes, "
            f"but data_offsets say {end - begin:,}."
        )
    return (begin, end), tensor


def _whole(value: object, called: str, what: str) -> tuple[int, ...]:
    good = isinstance(value, list) and all(
        isinstance(one, int) and not isinstance(one, bool) and 0 <= one < 2**64 for one in value
    )
    if not good:
        raise BadFile(f"{called} has {what} {shorten(repr(value))}; give whole numbers from 0 below 2^64.")
    assert isinstance(value, list)
    return tuple(value)


def _check_gapless(placed: Iterable[tuple[tuple[int, int], Tensor]], name: str, room: int) -> None:
    """Refuse overlaps and gaps, and an end that is not that of the file."""
    reached = 0
    for (begin, end), tensor in placed:
        if begin != reached:
            what = "overlaps the one before" if begin < reached else "leaves a gap behind the one before"
            raise BadFile(f"{name}: tensor '{shorten(tensor.name)}' begins at {begin:,}, so it {what} ({reached:,}).")
        reached = end
    if reached != room:
        what = "it was cut off" if reached > room else "something stands behind the tensors"
        raise BadFile(f"{name}: the tensors take {reached:,} bytes, but {room:,} follow the header: {what}.")


def _weight_map(table: Mapping[str, object], path: Path) -> dict[str, str]:
    """Tensor -> file, of names that stay in the folder."""
    placed = table.get("weight_map")
    if not isinstance(placed, dict) or not placed:
        raise BadFile(f"{path}: no 'weight_map' that says which tensor lies in which file.")
    if len(placed) > MOST_TENSORS:
        raise BadFile(f"{path}: lists more than {MOST_TENSORS:,} tensors, the most that is read.")
    for name, file in placed.items():
        good = isinstance(file, str) and file.endswith(".safetensors") and not set(file) & set("/\\\0")
        if not good:
            raise BadFile(
                f"{path}: tensor '{shorten(name)}' is said to lie in {shorten(repr(file))}; "
                "give the name of a .safetensors file in the same folder."
            )
    return placed


def _check_all_there(path: Path, placed: Mapping[str, str], found: Mapping[str, Tensor], there: set[str]) -> None:
    lacking = next((name for name, file in placed.items() if file in there and name not in found), None)
    if lacking is not None:
        raise BadFile(f"{path}: tensor '{shorten(lacking)}' is listed in {placed[lacking]} but is not in it.")


def _missing(names: list[str], there: list[str]) -> tuple[str, ...]:
    if len(there) == len(names):
        return ()
    first = next(name for name in names if name not in there)
    lost = len(names) - len(there)
    return (f"{lost:,} of {len(names):,} files are missing (the first: {first}); counted is what is there",)


def _unlisted(extra: int) -> tuple[str, ...]:
    return (f"{extra:,} tensors lie in the files but are not in the index, so nothing loads them",) if extra else ()


def _total(table: Mapping[str, object], tensors: Iterable[Tensor], *, whole: bool) -> tuple[str, ...]:
    """A doubt where the index names another total than the files have."""
    metadata = table.get("metadata")
    said = metadata.get("total_size") if isinstance(metadata, dict) else None
    held = sum(tensor.bytes for tensor in tensors)
    if isinstance(said, bool) or not isinstance(said, int | float):
        return ()
    if whole and said != held:
        return (f"the index says {said:,.0f} bytes in total, the files hold {held:,}",)
    return () if whole else (f"the index says {said:,.0f} bytes in total, of which {held:,} are there",)
