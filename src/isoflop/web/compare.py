"""Pinned answers beside each other: up to four, each the words that gave it, all in the address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from isoflop.errors import BadInput
from isoflop.web.request import known

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.web.fields import Shown, View

MOST = 4
PIN = "pin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """One answer that is kept beside the others: its words, its rows by label, and the address without it."""

    words: Mapping[str, str]
    rows: Mapping[str, str]
    address: str
    without: str

    @property
    def title(self) -> str:
        """What was asked, short."""
        return ", ".join(" ".join(text.split())[:40] for text in self.words.values())


def pins_of(view: View, pairs: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """The words of every pinned answer. Raises: BadInput for more than four, or words that the view has not."""
    pins = [known(view, parse_qsl(text)) for key, text in pairs if key == PIN]
    if len(pins) > MOST:
        raise BadInput(f"{len(pins)} answers are pinned; at most {MOST} stand side by side")
    return pins


def address(view: View, words: Mapping[str, str], pins: Sequence[Mapping[str, str]]) -> str:
    """The address of an answer with others pinned beside it."""
    pairs = [*words.items(), *((PIN, urlencode(sorted(one.items()))) for one in pins)]
    return f"/{view.name}?{urlencode(pairs)}"


def side_by_side(
    view: View, words: Mapping[str, str], pins: Sequence[Mapping[str, str]], answers: Sequence[Shown]
) -> list[Pinned]:
    """The pinned answers in their order."""
    return [
        Pinned(
            words=one,
            rows={row.label: row.value for block in shown.blocks for row in block.rows},
            address=address(view, one, pins),
            without=address(view, words, [*pins[:place], *pins[place + 1 :]]),
        )
        for place, (one, shown) in enumerate(zip(pins, answers, strict=True))
    ]
