"""Which fields of a config file leave shape, FLOP and state alone in every family: `inert.toml`, by reason."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import cache
from pathlib import Path

from isoflop.quantity.toml_file import read_toml

FILE = Path(__file__).with_name("inert.toml")


@cache
def _listed() -> tuple[frozenset[str], re.Pattern[str]]:
    """(names, patterns): a name is looked up at once, patterns have to be tried."""
    listed = [str(name) for names in read_toml(FILE).values() if isinstance(names, list) for name in names]
    patterns = re.compile("|".join(translate(name) for name in listed if "*" in name))
    return frozenset(name for name in listed if "*" not in name), patterns


def is_inert(name: str) -> bool:
    """Whether a field of this name never changes what is counted."""
    names, patterns = _listed()
    return name in names or patterns.match(name) is not None
