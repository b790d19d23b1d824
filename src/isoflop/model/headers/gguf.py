"""Headers of GGUF files (llama.cpp), versions 2 and 3, in both byte orders.

A file is counts, metadata (typed values by key), a list of tensors, and the tensors, each beginning at a multiple of
the alignment. Only the header is read, and no count in it is believed before the file has room for what it counts.
"""

from __future__ import annotations

import os
import re
import struct
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, shorten
from isoflop.model.headers.source import open_header
from isoflop.model.headers.tensors import Many, Tensor, Tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

MOST_ENTRIES = 100_000
MOST_TENSORS = 1_000_000
MOST_NAME = 1_024
MOST_TEXT = 10_000
"""Longer texts (chat templates) are not kept, only how long they are."""

MOST_KEPT = 4_096
"""Longer lists (words of a tokenizer) are not kept, only how long they are."""

MOST_KEPT_IN_ALL = 2_000_000
MOST_LISTED = 50_000_000
MOST_NESTED = 2
MOST_SPLITS = 1_000
MOST_ALIGNMENT = 2**20

TYPES: Mapping[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip
"""Number of a type -> its name, elements of a block, bytes of a block."""

_VALUES = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_TEXT, _LIST = 8, 9
_SPLIT = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")
_WINDOW = 2**20


class _Header:
    """A file read from its beginning, in one byte order, that never reads or sets aside more than the file has."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.stream = stream
        self.name = name
        self.size = os.fstat(stream.fileno()).st_size
        self.place = 0
        self.order = "<"
        self.listed = 0
        self.kept = 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if count > self.size - self.place:
            raise BadFile(f"{self.name}: the header goes on beyond the end of the file; it is cut off or broken.")
        found = self.stream.read(count)
        if len(found) != count:
            raise BadFile(f"{self.name}: the file was cut off while it was read.")
        self.place += count
        return found

    def skip(self, count: int) -> None:
        """Pass over bytes without reading them."""
        if count > self.size - self.place:
            raise BadFile(f"{self.name}: the header goes on beyond the end of the file; it is cut off or broken.")
        self.place += count
        self.stream.seek(self.place)

    def number(self, code: str) -> int | float | bool:
        """The next number, by its code in `struct`."""
        found: int | float | bool = struct.unpack(self.order + code, self.take(struct.calcsize("=" + code)))[0]
        return found

    def whole(self, code: str) -> int:
        """The next whole number."""
        return int(self.number(code))

    def name_text(self, what: str) -> str:
        """The next text, as the name of something."""
        length = self.whole("Q")
        if length > MOST_NAME:
            raise BadFile(f"{self.name}: {what} of {length:,} bytes; at most {MOST_NAME:,} are read.")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError as error:
            raise BadFile(f"{self.name}: {what} is not UTF-8.") from error

    def text(self) -> str | Many:
        """The next text, or how long it is."""
        length = self.whole("Q")
        if not self.keeps(length, MOST_TEXT):
            self.skip(length)
            return Many(length)
        return self.take(length).decode(errors="replace")

    def keeps(self, count: int, most: int) -> bool:
        """Whether a text or a list of this length is kept."""
        fits = count <= most and self.kept + count <= MOST_KEPT_IN_ALL
        self.kept += count if fits else 0
        return fits

    def skip_texts(self, count: int) -> None:
        """Pass over texts: their lengths have to be read, in windows."""
        window, at = b"", 0
        length = struct.Struct(self.order + "Q")
        start = self.place
        for _ in range(count):
            if at + 8 > len(window):
                start += at
                self.place = start
                self.stream.seek(start)
                window, at = self.stream.read(_WINDOW), 0
                if len(window) < 8:
                    raise BadFile(f"{self.name}: a list of texts goes on beyond the end of the file.")
            at += 8 + length.unpack_from(window, at)[0]
            if start + at > self.size:
                raise BadFile(f"{self.name}: a list of texts goes on beyond the end of the file.")
        self.place = start + at
        self.stream.seek(self.place)


def read_gguf(path: Path) -> Tensors:
    """What a GGUF file lists; of a model in several files what those beside it list too."""
    first = _read(path)
    count = first.metadata.get("split.count")
    if not isinstance(count, int) or count <= 1:
        return first
    named = _SPLIT.fullmatch(path.name)
    if named is None or int(named.group(3)) != count or count > MOST_SPLITS:
        said = f"this is one of {count:,} files of a model, and its name does not say where the others are"
        return Tensors(kind="gguf", files=first.files, tensors=first.tensors, metadata=first.metadata, doubts=(said,))
    return _joined(path, named.group(1), count)


def _joined(path: Path, stem: str, count: int) -> Tensors:
    """All files of a model that are there."""
    names = [f"{stem}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]
    there = [name for name in names if (path.parent / name).is_file()]
    found: dict[str, Tensor] = {}
    metadata: dict[str, object] = {}
    for name in there:
        part = _read(path.parent / name)
        metadata = {**part.metadata, **metadata}
        for tensor in part.tensors:
            if tensor.name in found:
                raise BadFile(f"{path}: tensor '{shorten(tensor.name)}' lies in two files, one of them {name}.")
            found[tensor.name] = tensor
    lost = count - len(there)
    due = metadata.get("split.tensors.count")
    doubts = [f"{lost:,} of {count:,} files are missing; counted is what is there"] if lost else []
    if not lost and isinstance(due, int) and due != len(found):
        doubts.append(f"the files say {due:,} tensors in total, but hold {len(found):,}")
    return Tensors(
        kind="gguf", files=tuple(there), tensors=tuple(found.values()), metadata=metadata, doubts=tuple(doubts)
    )


def _read(path: Path) -> Tensors:
    """One file."""
    with open_header(path) as stream:
        header = _Header(stream, shorten(str(path), most=200))
        _start(header)
        tensors, entries = header.whole("Q"), header.whole("Q")
        left = header.size - header.place
        # The least that an entry takes is a length, a character, a type and a byte; a tensor one a length, a
        # number of sides, a type and an offset.
        for what, given, most, least in (
            ("tensors", tensors, MOST_TENSORS, 24),
            ("entries of metadata", entries, MOST_ENTRIES, 13),
        ):
            if given > most or given * least > left:
                raise BadFile(f"{header.name}: claims {given:,} {what}, more than the file has room for or is read.")
        metadata: dict[str, object] = {}
        for _ in range(entries):
            key = header.name_text("a key")
            if key in metadata:
                raise BadFile(f"{header.name}: key '{shorten(key)}' stands there twice.")
            metadata[key] = _value(header, header.whole("I"), 0)
        infos = [_info(header) for _ in range(tensors)]
        alignment = _alignment(metadata, header)
        _check_places(header, infos, alignment)
    listed = tuple(tensor for tensor, _ in infos)
    if len({tensor.name for tensor in listed}) < len(listed):
        raise BadFile(f"{header.name}: two tensors have the same name.")
    return Tensors(kind="gguf", files=(path.name,), tensors=listed, metadata=metadata)


def _start(header: _Header) -> None:
    """Magic, version and byte order."""
    if header.size < 24 or header.take(4) != b"GGUF":
        raise BadFile(f"{header.name}: no GGUF file (it does not begin with 'GGUF').")
    version = header.whole("I")
    if version and version % 2**16 == 0:
        header.order = ">"
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
    if version not in {2, 3}:
        raise BadFile(f"{header.name}: GGUF of version {version:,}; versions 2 and 3 are read. Convert it again.")


def _value(header: _Header, kind: int, depth: int) -> object:
    if kind == _TEXT:
        return header.text()
    if kind == _LIST:
        return _list(header, depth + 1)
    if kind not in _VALUES:
        raise BadFile(f"{header.name}: a value of type {kind:,}, which GGUF does not have.")
    return header.number(_VALUES[kind])


def _list(header: _Header, depth: int) -> object:
    """A list of values of one type, or how many there are."""
    if depth > MOST_NESTED:
        raise BadFile(f"{header.name}: lists nested deeper than {MOST_NESTED}.")
    kind, count = header.whole("I"), header.whole("Q")
    size = struct.calcsize("=" + _VALUES[kind]) if kind in _VALUES else 8
    header.listed += count
    if header.listed > MOST_LISTED or count * size > header.size - header.place:
        raise BadFile(f"{header.name}: claims a list of {count:,} values, more than the file has room for or is read.")
    if kind == _TEXT:
        header.skip_texts(count)
        return Many(count)
    kept = header.keeps(count, MOST_KEPT)
    if kind in _VALUES and not kept:
        header.skip(count * size)
        return Many(count)
    if not kept:
        raise BadFile(f"{header.name}: a list of {count:,} lists is more than is read.")
    found = [_value(header, kind, depth) for _ in range(count)]
    return Many(count) if kind == _LIST else found


def _info(header: _Header) -> tuple[Tensor, int]:
    """(tensor, where it begins)."""
    name = header.name_text("the name of a tensor")
    called = f"{header.name}: tensor '{shorten(name)}'"
    sides = header.whole("I")
    if sides > 4:
        raise BadFile(f"{called} has {sides:,} dimensions; GGUF has 4 at most.")
    inner_first = [header.whole("Q") for _ in range(sides)]
    kind, offset = header.whole("I"), header.whole("Q")
    if kind not in TYPES:
        raise BadFile(f"{called} is of type {kind:,}, which is not known here or was given up.")
    dtype, block, size = TYPES[kind]
    numbers = 1
    for side in inner_first:
        numbers *= side
    if numbers >= 2**63:
        raise BadFile(f"{called}: shape {shorten(str(inner_first))} is larger than any memory.")
    row = inner_first[0] if inner_first else 1
    if row % block:
        raise BadFile(f"{called}: rows of {row:,} do not divide into {dtype}'s blocks of {block}.")
    return Tensor(name, dtype, tuple(reversed(inner_first)), numbers // block * size), offset


def _alignment(metadata: Mapping[str, object], header: _Header) -> int:
    found = metadata.get("general.alignment", 32)
    good = isinstance(found, int) and not isinstance(found, bool) and 1 <= found <= MOST_ALIGNMENT
    if not good:
        raise BadFile(f"{header.name}: general.alignment is {shorten(repr(found))}; give a number up to a million.")
    assert isinstance(found, int)
    return found


def _check_places(header: _Header, infos: list[tuple[Tensor, int]], alignment: int) -> None:
    """Refuse tensors that overlap, leave more room than the alignment asks for, or do not end with the file."""
    if not infos:
        return
    start = -(-header.place // alignment) * alignment
    reached = 0
    for tensor, offset in sorted(infos, key=lambda pair: pair[1]):
        due = -(-reached // alignment) * alignment
        if offset != due:
            what = "overlaps the one before" if offset < due else "leaves a gap behind the one before"
            raise BadFile(
                f"{header.name}: tensor '{shorten(tensor.name)}' begins at {offset:,}, so it {what} ({due:,})."
            )
        reached = offset + tensor.bytes
    room = header.size - start
    if reached > room:
        raise BadFile(f"{header.name}: the tensors take {reached:,} bytes, but {max(room, 0):,} are there: cut off.")
    if room - reached >= alignment:
        raise BadFile(f"{header.name}: {room - reached:,} bytes stand behind the tensors; nothing lists them.")
