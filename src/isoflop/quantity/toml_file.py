"""The one reader of TOML files: capped in size and depth, finite numbers only; errors name the file and the key."""

from __future__ import annotations

import os
import re
from itertools import repeat
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import tomli

from isoflop.errors import BadFile, shorten

if TYPE_CHECKING:
    from os import PathLike

MOST_BYTES = 1_000_000
DEEPEST = 32
LARGEST_INTEGER = 2**63 - 1

Table = dict[str, object]

# What decides nesting, and what can hide it: strings and comments are consumed whole. A string that is never closed is
# consumed too (the parser refuses it later), so that no text is scanned twice and the time stays linear.
_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"{3,5}|\\?\Z)'
    r"|'''.*?(?:'{3,5}|\Z)"
    r'|"(?:[^"\\\n]|\\[^\n])*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*|[\[\]{}.,=\n]",
    re.DOTALL,
)
# The start of a line `key =`: nesting is zero there, or the parser stops, for inside a value no line begins so.
_STATEMENT = re.compile(r"\n[A-Za-z_][\w.-]*[ \t]*=")


def read_text(path: str | PathLike[str], *, most_bytes: int = MOST_BYTES) -> str:
    """The text of a regular UTF-8 file of at most `most_bytes`; a larger one is refused without being read whole."""
    try:
        if not os.path.isfile(path):  # noqa: PTH113 - as often as there are files in the catalogue: a Path costs as much as the read
            place = Path(path)
            what = "a folder" if place.is_dir() else "not a regular file" if place.exists() else "not there"
            raise BadFile(f"{shorten(str(path), most=200)}: {what}. Give the path of a text file.")
        with open(path, "rb") as stream:  # noqa: PTH123 - the same
            size = min(os.fstat(stream.fileno()).st_size, most_bytes)
            data = stream.read(size + 1)  # not most_bytes + 1: setting a megabyte aside takes longer than reading
            if len(data) > size:
                data += stream.read(most_bytes - size)
    except (OSError, ValueError) as error:
        if isinstance(error, BadFile):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it cannot be opened"
        raise BadFile(f"{shorten(str(path), most=200)}: {reason}. Give the path of a readable text file.") from error
    if len(data) > most_bytes:
        raise BadFile(
            f"{path}: larger than {most_bytes:,} bytes, the most that is read. Split it, or remove what is not needed."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8 text.") from error


def read_toml(path: str | PathLike[str], *, most_bytes: int = MOST_BYTES) -> Table:
    """The tables of a TOML file, after all checks of `parse_toml`."""
    return parse_toml(read_text(path, most_bytes=most_bytes), str(path))


def parse_toml(text: str, name: str) -> Table:
    """The tables of TOML text; `name` is what errors call it. Refuses deep nesting, huge integers, infinite and NaN."""
    _check_depth(text, name)
    try:
        tables = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise BadFile(f"{name}: not valid TOML: {shorten(str(error), most=160)}.") from error
    except RecursionError as error:  # the depth check is stricter; this only guards against a form it does not see
        raise BadFile(f"{name}: nested deeper than {DEEPEST} levels.") from error
    except (ValueError, OverflowError) as error:
        raise BadFile(f"{name}: a number in it cannot be read: {shorten(str(error), most=160)}.") from error
    if not _all_fine(tables):
        _check_values(tables, name, ())
    return tables


def _check_depth(text: str, name: str) -> None:
    """Refuse deep brackets and long dotted keys before the parser sees them: it recurses, and is slow on the latter."""
    if _is_surely_shallow(text):
        return
    depth = dots = 0
    for match in _PIECE.finditer(text):
        piece = match.group()
        if piece in "[{":
            depth, dots = depth + 1, 0
        elif piece in "]}":
            depth = max(depth - 1, 0)
        elif piece == ".":
            dots += 1
        elif piece in ",=\n":
            dots = 0
        if depth > DEEPEST or dots > DEEPEST:
            line = text.count("\n", 0, match.start()) + 1
            raise BadFile(f"{name}: line {line} is nested deeper than {DEEPEST} levels, the most that is read.")


def _is_surely_shallow(text: str) -> bool:
    """Whether there are too few dots in a line, and too few brackets in a statement, to go deep, strings included.

    Where no string has several lines, a statement ends before the next line that begins with `key =`. Most files need
    no closer look, and this takes a tenth of its time.
    """
    if text.count(".") > DEEPEST and max(map(str.count, text.split("\n"), repeat("."))) > DEEPEST:
        return False
    if _brackets(text) <= DEEPEST:
        return True
    return '"""' not in text and "'''" not in text and max(map(_brackets, _STATEMENT.split(text))) <= DEEPEST


def _brackets(text: str) -> int:
    return text.count("[") + text.count("{")


def _all_fine(tables: Table) -> bool:
    """Whether `_check_values` has nothing to say; it keeps the keys for its message, which takes longer."""
    level: list[object] = [tables]
    for _ in range(DEEPEST + 1):
        inner: list[object] = []
        for value in level:
            if isinstance(value, str):  # most of them
                continue
            if isinstance(value, dict):
                inner += value.values()
            elif isinstance(value, list):
                inner += value
            elif isinstance(value, float):
                if not isfinite(value):
                    return False
            elif isinstance(value, int) and abs(value) > LARGEST_INTEGER:
                return False
        if not inner:
            return True
        level = inner
    return False


def _check_values(value: object, name: str, key: tuple[str, ...]) -> None:
    if isinstance(value, dict):
        if len(key) > DEEPEST:
            raise BadFile(f"{name}: {_written(key)} is nested deeper than {DEEPEST} levels, the most that is read.")
        for part, inner in value.items():
            _check_values(inner, name, (*key, part))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _check_values(inner, name, (*key, str(place)))
    elif isinstance(value, float) and not isfinite(value):
        raise BadFile(f"{name}: {_written(key)} is {value}; numbers must be finite (below about 1.8e308).")
    elif isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise BadFile(
            f"{name}: {_written(key)} is an integer beyond 64 bits; write it as a decimal number, like 3.14e23."
        )


def _written(key: tuple[str, ...]) -> str:
    return f"'{shorten('.'.join(key), most=120)}'"
