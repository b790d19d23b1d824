"""What a citation key stands for: title, authors, year, where to read it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, UnknownName
from isoflop.quantity import parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = "sources.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One entry of sources.toml.

    `year` and `url` are missing where there is no such thing (a definition). `note` says how a figure was obtained or
    what to mind.
    """

    title: str
    authors: str
    year: int | None = None
    url: str = ""
    note: str = ""


@cache
def sources() -> Mapping[str, Source]:
    """All sources by key, in the order of the file."""
    return parse_sources(Path(__file__).with_name(_FILE).read_text(encoding="utf-8"), _FILE)


def source(key: str) -> Source:
    """The source that a key stands for; a place after it is ignored.

    Raises: UnknownName, with close matches.
    >>> source("kaplan2020 §2.1").title
    'Scaling Laws for Neural Language Models'
    """
    found = sources().get(key.partition(" ")[0])
    if found is None:
        raise UnknownName("source", key, sources())
    return found


def parse_sources(text: str, name: str) -> Mapping[str, Source]:
    """Sources from TOML text, one table a key; `name` is what errors call it. Raises: BadFile."""
    types = {field.name: int if field.name == "year" else str for field in fields(Source)}
    found = {}
    for key, entry in parse_toml(text, name).items():
        if not isinstance(entry, dict):
            raise BadFile(f"{name}: '{key}' must be a table with title and authors.")
        for field, value in entry.items():
            if field not in types:
                raise BadFile(f"{name}: '{key}.{field}' is not known; a source has: {', '.join(types)}.")
            if type(value) is not types[field]:
                raise BadFile(f"{name}: '{key}.{field}' must be {'a whole number' if types[field] is int else 'text'}.")
        missing = [field for field in ("title", "authors") if not entry.get(field)]
        if missing:
            raise BadFile(f"{name}: '{key}' lacks {' and '.join(missing)}.")
        found[key] = Source(**entry)
    return MappingProxyType(found)
