"""The key-value cache of a token: a key and a value for each layer and key-value head, against the shape that is said.

The shape is the text's own where it has layers, key-value heads and their width, else the catalogue's for the one model
that is named. A factor of 2 is only held against anything where the number format is named.
"""

from __future__ import annotations

import re
from math import log
from typing import TYPE_CHECKING

from isoflop import model
from isoflop.audit.world.found import by, finding, middle, near, slip_of
from isoflop.audit.world.known import of_name
from isoflop.audit.world.words import formats
from isoflop.book import memory
from isoflop.quantity import unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.document import Class, Finding
    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Told
    from isoflop.audit.prose.names import Name

_CACHE = re.compile(r"\b(?:KV|key[-/ ]value)\b[- ]?(?:cach\w*)?", re.IGNORECASE)
_WIDTH = re.compile(
    r"\bhead[- _]?(?:dim(?:ension)?s?|size|width)\s*(?:of|is|=|:)?\s*(?P<after>[0-9]{2,4})\b|"
    r"\b(?P<before>[0-9]{2,4})[- ](?:dim(?:ensional)?)?\s*(?:per head|head dim\w*|heads? of width)",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(?:per layer|each layer|one layer|single layer|compress\w*|laten\w*|MLA|shar\w+|evict\w*|sliding|window|"
    r"tensor[- ]parallel|per GPU|each GPU|sav\w+|reduc\w+|instead|without|vs\.?|versus|than|only the keys|"
    r"keys alone)\b",
    re.IGNORECASE,
)


def caches(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Bytes of a token's cache that its model's shape gives otherwise."""
    for place, told in enumerate(text):
        said = [one for one in told.read.amounts if _is_of_a_token(told, one)]
        near_by = [one for one in text[max(0, place - 2) : place] if one.scope == told.scope]
        words = " ".join(one.sentence.text for one in (*near_by, told))
        if len(said) != 1 or said[0].number.bound or not _CACHE.search(words) or _OTHER.search(told.sentence.text):
            continue
        elements = _of_text([*near_by, told], words) or _of_catalogue([*near_by, told])
        forms = {name.key for one in (*near_by, told) for name in one.read.names if name.kind == "dtype"}
        if elements is not None and len(forms) <= 1:
            yield from _held(told, said[0], elements, next(iter(forms), ""))


_OF_A_TOKEN = re.compile(
    r"\s*(?:of\s+)?(?:the\s+)?(?:KV[- ]?caches?|caches?|key-value caches?)?\s*(?:per|for each|for every|for one|a)"
    r"\s+token\b",
    re.IGNORECASE,
)


def _is_of_a_token(told: Told, amount: Amount) -> bool:
    """As in "320 KiB per token", "320 KiB of KV cache per token"."""
    return amount.kind == "byte/token" or (
        amount.kind == "byte" and _OF_A_TOKEN.match(told.sentence.text, amount.end) is not None
    )


def _held(told: Told, said: Amount, elements: float, form: str) -> Iterator[Finding]:
    width = formats()[form].bytes if form in formats() else None
    due = elements * (width or 2.0)
    ratio = said.off(due)
    allowed = (1.0,) if width else (0.25, 0.5, 1.0, 2.0)
    if any(abs(log(ratio / value)) < 0.07 for value in allowed):
        return
    slip = _slip(ratio)
    if slip is None:
        return
    reason = f"a key and a value for each layer and key-value head are {due:,.6g} bytes a token; {slip[1]}"
    yield finding(told.sentence, said, slip[0], reason, says=middle(said), recomputed=due, unit=unit("byte/token"))


def _slip(ratio: float) -> tuple[Class, str] | None:
    if near(ratio, 0.5):
        return "input_missing", "likely keys or values left out, or the bytes of another number format"
    if near(ratio, 2.0):
        return "input_doubled", "likely a factor of 2 too many, or the bytes of another number format"
    if near(ratio, 8.0) or near(ratio, 0.125):
        return "bits_for_bytes", "likely bits taken for bytes, or bytes for bits"
    return slip_of(ratio)


def _of_text(block: list[Told], words: str) -> float | None:
    """Elements of a token's cache by the layers, key-value heads and width that are said once."""
    amounts = [(told, one) for told in block for one in told.read.amounts]
    layers = {one.value for _, one in amounts if one.kind == "#layers"}
    heads = {one.value for _, one in amounts if one.kind == "#heads" and _is_cached(one)}
    widths = {match["after"] or match["before"] for match in _WIDTH.finditer(words)}
    if not (len(layers) == len(heads) == len(widths) == 1):
        return None
    return by(memory.kv_bytes_per_token, layers.pop(), heads.pop(), float(widths.pop()), 1.0)


def _is_cached(amount: Amount) -> bool:
    """Whether heads are key-value heads, and not those of the queries."""
    return re.search(r"\b(?:KV|key[-/ ]value)\b", amount.text + amount.about, re.IGNORECASE) is not None


def _of_catalogue(block: list[Told]) -> float | None:
    """Elements of a token's cache by the catalogue, of the one model that is named."""
    named = {(name.key, name.size): name for told in block for name in told.read.names if name.kind == "model"}
    if len(named) != 1:
        return None
    found = {one for one in map(_elements, _presets_of(next(iter(named.values())))) if one}
    return found.pop() if len(found) == 1 else None


def _presets_of(name: Name) -> list[str]:
    return [one.preset for one in of_name(name) if one.preset]


def _elements(preset: str) -> float:
    return float(model.kv_elements_per_token(model.preset(preset).spec))
