"""Lists of modules and what else every quantisation config has."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.model.storage.patterns import Patterns
from isoflop.quantity.toml_file import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from isoflop.model.fields import Fields
    from isoflop.model.storage.scheme import Scheme

MOST_NAMES = 200_000


@cache
def _inert() -> Mapping[str, object]:
    return read_toml(Path(__file__).with_name("inert.toml"))


def ignore(fields: Fields, method: str) -> None:
    """Say which fields of a method leave the bytes alone."""
    names = _inert()[method]
    assert isinstance(names, list)
    fields.ignore(*names)


def kept_of(fields: Fields, *names: str) -> Patterns | None:
    """The modules that a config leaves as they were; None where it has no list. Every expert may be named by itself."""
    fields.ignore(*names)
    name, found = next(((one, fields.values[one]) for one in names if fields.has(one)), ("", None))
    if found is None:
        return None
    if not isinstance(found, list) or len(found) > MOST_NAMES or not all(isinstance(one, str) for one in found):
        raise fields.wrong(name, found, f"a list of at most {MOST_NAMES:,} names of modules")
    return Patterns(found)


def check_bits(fields: Fields, name: str, value: int, known: Iterable[int]) -> None:
    """Refuse a number of bits that the method does not have."""
    known = tuple(known)
    if value not in known:
        raise fields.wrong(name, value, f"one of {', '.join(map(str, known))}")


def unread(fields: Fields, scheme: Scheme) -> Scheme:
    """The scheme with a doubt for every field that nobody looked at, and those that reading raised."""
    names = fields.not_understood()
    said = (f"not understood in the quantisation: {', '.join(names[:5])}",) if names else ()
    return replace(scheme, doubts=(*scheme.doubts, *fields.all_doubts(), *said))


def cache_dtype(fields: Fields, name: str) -> str:
    """The number format of the cache that a `kv_cache_scheme` object asks for."""
    inner = fields.within(name)
    if inner is None:
        return ""
    bits = inner.count("num_bits", default=8)
    kind = inner.word("type", default="float")
    inner.ignore(*inner.values)
    return f"{'fp' if kind == 'float' else 'int'}{bits}"
