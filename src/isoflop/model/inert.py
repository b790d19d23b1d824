"""Which fields of a config file leave shape, FLOP and state alone in every family: `inert.toml`, by reason."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from isoflop.quantity.toml_file import read_toml

FILE = Path(__file__).with_name("inert.toml")


@cache
def _patterns() -> tuple[frozenset[str], tuple[str, ...]]:
    """(names, patterns): a name is looked up at once, a pattern has to be tried."""
    listed = [str(name) for names in read_toml(FILE).values() if isinstance(names, list) for name in names]
    return frozenset(name for name in listed if "*" not in name), tuple(name for name in listed if "*" in name)


@cache
def is_inert(name: str) -> bool:
    """Whether a field of this name never changes what is counted."""
    names, patterns = _patterns()
    return name in names or any(fnmatchcase(name, pattern) for pattern in patterns)
