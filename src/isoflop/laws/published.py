"""The published laws, by name, and a user's own, by path."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.errors import AmbiguousInput, UnknownName, shorten
from isoflop.laws.law_file import law_of, read_entry, read_law
from isoflop.quantity import parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws.entry import Published
    from isoflop.laws.law_file import Entry

_PLACE = "isoflop/laws/published.toml"


def published(name: str) -> Published:
    """The published law of this name, alias or unique beginning of one.

    >>> published("hoffmann2022").name
    'hoffmann2022-tex'
    """
    wanted = name.strip().lower()
    known = {alias: key for key, entry in _entries().items() for alias in (key, *entry.aliases)}
    if wanted in known:
        return _law(known[wanted])
    begin = {target for alias, target in known.items() if wanted and alias.startswith(wanted)}
    if len(begin) > 1:
        raise AmbiguousInput(
            f"'{shorten(name)}' begins the names of several laws: {', '.join(sorted(begin))}. Give one of them."
        )
    if not begin:
        raise UnknownName("law", name, known, listing="isoflop laws published")
    return _law(begin.pop())


def find_law(name: str) -> Published:
    """A published law by name, or the user's own: the path of a .toml file, or of a fit (.json)."""
    if name.lower().endswith(".json"):
        from isoflop.laws.fit_file import fitted_law

        return fitted_law(name)
    return read_law(name) if name.lower().endswith(".toml") else published(name)


@cache
def published_laws() -> Mapping[str, Published]:
    """Every published law by name, in the order of published.toml."""
    return MappingProxyType({name: _law(name) for name in _entries()})


@cache
def _entries() -> Mapping[str, Entry]:
    text = Path(__file__).with_name("published.toml").read_text(encoding="utf-8")
    return {name: read_entry(table, f"{_PLACE}: {name}") for name, table in parse_toml(text, _PLACE).items()}


@cache
def _law(name: str) -> Published:
    """One law by itself: a plan needs few of them, and not the forms of the others."""
    entries = _entries()
    return law_of(name, entries[name], f"{_PLACE}: {name}", entries)
