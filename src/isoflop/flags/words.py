"""`name=value` words, and the question that they put with the settings in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadInput, shorten
from isoflop.flags import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from isoflop.ask import Question

WISHES = ("provider", "commitment", "region", "as_of")
"""Flags that choose a price."""


def split(words: Iterable[str]) -> dict[str, str]:
    """`("tokens=4T", "mfu=0.4")` as a mapping. A word without '=' and a name given twice are refused."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise BadInput(f"'{shorten(word)}' is not name=value; write for example tokens=4T or train_cost='$100m'")
        key = key.strip().replace("-", "_")
        if key in found:
            raise BadInput(f"'{shorten(key)}' is given twice: {shorten(found[key])} and {shorten(value)}")
        found[key] = value.strip()
    return found


def ask(words: Mapping[str, str | float], *, without: str = "", usual: Mapping[str, str] | None = None) -> Question:
    """The words bound, with settings, then the command's own `usual` choices, for what they leave open.

    `without` is what is asked for, so no setting may give it.
    """
    from isoflop.ask import Usual, bind

    own = {key: Usual(value, "isoflop plan") for key, value in (usual or {}).items()}
    return bind(words, settings={key: value for key, value in {**own, **settings.load()}.items() if key != without})
