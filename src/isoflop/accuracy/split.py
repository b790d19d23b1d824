"""How layers are shared out to pipeline stages, as the column pp_split says it."""

from __future__ import annotations

import re

from isoflop.errors import MissingData, shorten

LONGEST = 4096
"""Characters of a layout string once it is written out; there are at most about a thousand stages and layers."""

ENDS = "embedding and loss each count as one layer"
_REPEATED = re.compile(r"\(([EtmL|]*)\)\*(\d{1,4})|([EtmL|])\*(\d{1,4})")
_FIRST_LAST = re.compile(r"first=(\d{1,4}),\s*last=(\d{1,4})")


def split_of(text: str, stages: int, layers: int, further: int = 0) -> tuple[tuple[int, ...], int]:
    """(layers of each stage, empty for evenly; whether embedding and head count as a layer each).

    `layers` are those of the main stack; `further` ones predict further tokens and stand at the last stage. A layout
    string has E for the embedding, t for a layer, m for one that predicts further tokens, L for the loss, and a bar
    between (virtual) stages. Raises: MissingData for a text that is not understood.

    >>> split_of("layout Et*4|(t*4|)*2tmL", 4, 13, 1)
    ((4, 4, 4, 2), 0)
    >>> split_of("first=7,last=6", 8, 61)
    ((7, 8, 8, 8, 8, 8, 8, 6), 0)
    """
    text = text.strip()
    if not text:
        even = stages > 1 and further and layers % stages == 0
        return (*[layers // stages] * (stages - 1), layers // stages + further) if even else (), 0
    if text == ENDS:
        return (), 1
    ends = _FIRST_LAST.fullmatch(text)
    if ends:
        first, last = int(ends[1]), int(ends[2])
        if stages < 3 or (layers - first - last) % (stages - 2) or layers <= first + last:
            raise MissingData(f"column pp_split: {text} leaves {layers - first - last} layers for {stages - 2} stages")
        return (first, *[(layers - first - last) // (stages - 2)] * (stages - 2), last + further), 0
    if text.startswith("layout "):
        return _counted(_written_out(text.removeprefix("layout ").replace(" ", "")), further), 0
    raise MissingData(f"column pp_split: '{shorten(text)}' is not understood")


def _written_out(text: str) -> str:
    """Without repetitions."""
    wanted = text
    while found := _REPEATED.search(text):
        piece, times = (found[1], int(found[2])) if found[2] else (found[3], int(found[4]))
        if len(text) + len(piece) * times > LONGEST:
            raise MissingData(f"column pp_split: '{shorten(wanted)}' is longer than {LONGEST} letters written out")
        text = text[: found.start()] + piece * times + text[found.end() :]
    if set(text) - set("EtmL|"):
        raise MissingData(f"column pp_split: '{shorten(wanted)}' is not understood")
    return text


def _counted(text: str, further: int) -> tuple[int, ...]:
    """Layers of each stage; those for further tokens count where the model trains them."""
    return tuple(part.count("t") + (part.count("m") if further else 0) for part in text.split("|"))
