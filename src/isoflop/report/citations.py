"""Citation keys looked up: what an answer's "kaplan2020 §2.1" stands for, and where to read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.book.sources import sources

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINK = re.compile(r"https?://[^\s\"'<>\\]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One cited work: its key, who wrote what and when, and its address ("" where there is none)."""

    key: str
    text: str
    url: str


def references(cited: Iterable[str]) -> tuple[Reference, ...]:
    """The works behind `cited`, each once, in order of use.

    Left out: definitions, which nobody can look up, and sources that are no key but say themselves where they are from.
    """
    keys = dict.fromkeys(one.partition(" ")[0] for one in cited)
    found = [(key, sources()[key]) for key in keys if key in sources()]
    return tuple(
        Reference(key=key, text=f"{work.authors}{f' ({work.year})' if work.year else ''}, {work.title}", url=work.url)
        for key, work in found
        if work.url
    )


def looked_up(cited: Iterable[str]) -> tuple[str, ...]:
    """Sources to be named in short: all but definitions."""
    return tuple(one for one in cited if (work := sources().get(one.partition(" ")[0])) is None or work.url)


def link(cited: str) -> str:
    """The address of a source, "" where none is known: that of its key, or the text where that is one."""
    work = sources().get(cited.partition(" ")[0])
    if work is not None:
        return work.url
    found = _LINK.fullmatch(cited.partition(" ")[0])
    return found.group() if found else ""
