"""The published laws, by name, and a user's own, by path."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.errors import AmbiguousInput, UnknownName, shorten
from isoflop.laws.law_file import law_of, read_entry, read_law
from isoflop.quantity import parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws.entry import Published


def published(name: str) -> Published:
    """The published law of this name, alias or unique beginning of one.

    >>> published("hoffmann2022").name
    'hoffmann2022-tex'
    """
    laws = published_laws()
    wanted = name.strip().lower()
    known = {alias: law.name for law in laws.values() for alias in (law.name, *law.aliases)}
    if wanted in known:
        return laws[known[wanted]]
    begin = {target for alias, target in known.items() if wanted and alias.startswith(wanted)}
    if len(begin) > 1:
        raise AmbiguousInput(
            f"'{shorten(name)}' begins the names of several laws: {', '.join(sorted(begin))}. Give one of them."
        )
    if not begin:
        raise UnknownName("law", name, known, listing="isoflop.laws.published_laws()")
    return laws[begin.pop()]


def find_law(name: str) -> Published:
    """A published law by name, or the user's own: the path of a .toml file, or of a fit (.json)."""
    if name.lower().endswith(".json"):
        from isoflop.laws.fit_file import fitted_law

        return fitted_law(name)
    return read_law(name) if name.lower().endswith(".toml") else published(name)


@cache
def published_laws() -> Mapping[str, Published]:
    """Every published law by name, in the order of published.toml."""
    place = "isoflop/laws/published.toml"
    text = files("isoflop.laws").joinpath("published.toml").read_text(encoding="utf-8")
    entries = {name: read_entry(table, f"{place}: {name}") for name, table in parse_toml(text, place).items()}
    return MappingProxyType({name: law_of(name, entry, f"{place}: {name}", entries) for name, entry in entries.items()})
