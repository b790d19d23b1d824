"""Keys of a settings file, read by name and checked; it remembers which were read, so that the others can be listed."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from isoflop.errors import BadFile, shorten
from isoflop.quantity.toml_file import read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE = Path(__file__).with_name("keys.toml")
LARGEST = 2**40
_AUTO = frozenset({"", "auto", "null", "none", "None"})


class ToolKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of `keys.toml`: `marks` are keys that only this tool has, `inert` those that leave memory alone."""

    title: str
    marks: tuple[str, ...] = ()
    inert: tuple[str, ...] = ()
    sizes: dict[str, str] = {}


@cache
def tool_keys() -> dict[str, ToolKeys]:
    """What is known of each tool's keys, by tool."""
    try:
        return msgspec.convert(read_toml(FILE), dict[str, ToolKeys])
    except msgspec.ValidationError as error:
        raise BadFile(f"{FILE}: {error}") from error


@dataclass(slots=True)
class Keys:
    """The entries of one file. Getters take several names of one setting and give the first that is there.

    `written`: how a key stands in the file, where it is called by another name here.
    """

    values: Mapping[str, object]
    file: str
    written: Mapping[str, str] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)

    def get(self, *names: str) -> object:
        """The value under the first of these names; None where there is none, or it is left to the tool ("auto")."""
        found: object = None
        for name in names:
            self.read.add(name)
            value = self.values.get(name)
            if found is None and value is not None and not (isinstance(value, str) and value in _AUTO):
                found = value
        return found

    def has(self, *names: str) -> bool:
        """Whether any of these names is there."""
        return any(name in self.values for name in names)

    def whole(self, *names: str, least: int = 1) -> int | None:
        """A whole number of at least `least`."""
        value = self.get(*names)
        if value is None:
            return None
        try:
            number = float(str(value))
        except ValueError:
            number = 0.5
        if isinstance(value, bool) or not number.is_integer() or not least <= number < LARGEST:
            raise self.wrong(names, value, f"a whole number from {least} up")
        return int(number)

    def number(self, *names: str) -> float | None:
        """A number."""
        value = self.get(*names)
        if value is None:
            return None
        try:
            number = float(str(value))
        except ValueError:
            number = float("nan")
        if isinstance(value, bool) or not abs(number) < LARGEST:
            raise self.wrong(names, value, "a number")
        return number

    def flag(self, *names: str) -> bool | None:
        """True or false."""
        value = self.get(*names)
        if value is None or isinstance(value, bool):
            return value
        said = str(value).lower()
        if said in {"true", "1", "yes", "on"}:
            return True
        if said in {"false", "0", "no", "off"}:
            return False
        raise self.wrong(names, value, "true or false")

    def word(self, *names: str) -> str:
        """A text in lower case, "" where there is none."""
        value = self.get(*names)
        return "" if value is None else str(value).strip().lower()

    def texts(self, *names: str) -> tuple[str, ...]:
        """A list of texts; one with commas is cut."""
        value = self.get(*names)
        if value is None or value is False:
            return ()
        listed = value if isinstance(value, list) else str(value).strip("[]").split(",")
        return tuple(str(one).strip().strip("'\"") for one in listed)

    def wrong(self, names: Sequence[str], value: object, wanted: str) -> BadFile:
        """What to raise for a value that cannot be."""
        there = next((name for name in names if name in self.values), names[0])
        return BadFile(f"{self.file}: {self.written.get(there, there)} = {shorten(str(value))}: give {wanted}.")

    def unread(self, inert: Sequence[str]) -> tuple[str, ...]:
        """Keys that nobody read and that are not known to leave memory alone."""
        return tuple(
            self.written.get(key, key)
            for key in self.values
            if key not in self.read and not any(fnmatchcase(key.lower(), pattern) for pattern in inert)
        )
