"""Which modules a list of names and patterns means, as quantisation configs write them.

Four forms: `re:...` is a regular expression for the beginning of a name; a pattern with backslashes, brackets or
anchors is one too; `*` stands for anything; a plain text is one or several whole components of a name in a row.
An expression that is not understood is left out, and said to be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isoflop.errors import BadInput
from isoflop.model.storage.expressions import Expression, expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_WORK = 2_000_000
"""Looks at a name for an expression; a file that asks for more is no config."""

_MATCH = 20
"""A match takes as long as so many looks, and so does reading an expression."""

_EXPRESSION = re.compile(r"[\\^$()\[\]|+]")


class Patterns:
    """A list of patterns that remembers which of them matched something; `unread` are those that are not followed."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(dict.fromkeys(texts))
        self.unread: list[str] = []
        self._seen: set[str] = set()
        self._plain: set[str] = set()
        self._lengths: set[int] = set()
        self._work = 0
        self._expressions: list[tuple[str, Expression]] = []
        for text in self.texts:
            self._add(text)

    def _add(self, text: str) -> None:
        written = _expression(text)
        if written is None:
            self._plain.add(text)
            self._lengths.add(text.count(".") + 1)
            return
        self._spend(_MATCH)
        compiled = expression(written)
        if compiled is None:
            self.unread.append(text)
        else:
            self._expressions.append((text, compiled))

    def hit(self, paths: Sequence[str]) -> bool:
        """Whether any of the patterns means any of the names."""
        found = False
        for path in paths:
            for text in self._plain_hits(path):
                found = True
                self._seen.add(text)
        for text, one in self._expressions:
            if found and text in self._seen:
                continue
            if any(self._matches(one, path) for path in paths):
                found = True
                self._seen.add(text)
        return found

    def _matches(self, one: Expression, path: str) -> bool:
        self._spend(1)
        if not one.may_match(path):
            return False
        self._spend(_MATCH)
        return one.match(path)

    def _spend(self, looks: int) -> None:
        self._work += looks
        if self._work > MOST_WORK:
            raise BadInput(f"{len(self.texts):,} patterns for names of modules are too many to follow")

    def _plain_hits(self, path: str) -> Iterable[str]:
        if not self._plain:
            return ()
        words = path.split(".")
        runs = (
            ".".join(words[start : start + length])
            for length in self._lengths
            for start in range(len(words) - length + 1)
        )
        return [run for run in runs if run in self._plain]

    def unmatched(self) -> tuple[str, ...]:
        """Patterns that meant none of the names asked for so far."""
        return tuple(text for text in self.texts if text not in self._seen and text not in self.unread)


def _expression(text: str) -> str | None:
    """The regular expression that a pattern is, None for a plain name."""
    if text.startswith("re:"):
        return text.removeprefix("re:")
    if _EXPRESSION.search(text):
        return rf"(?:.*\.)?(?:{text.lstrip('^')})" if "|" in text else text
    if "*" in text or "?" in text:
        inner = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
        return rf"(?:.*\.)?{inner}(?:\..*)?$"
    return None
