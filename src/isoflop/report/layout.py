"""Fitting text into a terminal: visible width, wrapping with hanging indents, colour, ASCII.

Nothing here knows what an Answer is. Every text that came from a person or a file passes `clean` first, so that no
control sequence reaches the terminal.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NARROWEST = 20
"""Columns below which nothing readable can be laid out; smaller widths are taken as this."""

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_SUPERSCRIPT_RUN = re.compile("[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_PLAIN = {
    "·": "*", "×": "x", "÷": "/", "−": "-", "–": "-", "—": "-", "…": "...", "≤": "<=", "≥": ">=", "≠": "!=",
    "≈": "~", "±": "+-", "∞": "inf", "§": "sec. ", "√": "sqrt", "→": "->", "←": "<-", "‘": "'", "’": "'", "“": '"',
    "”": '"', "€": "EUR", "∂": "d", "∑": "sum", "∏": "prod", "²": "^2", "³": "^3",
}  # fmt: skip


def clean(text: str) -> str:
    """`text` on one line: control and other unprintable characters become spaces, runs of spaces one."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def ascii_text(text: str) -> str:
    """`text` for terminals that show ASCII only: `·` becomes `*`, Greek letters their names, the unknown `?`."""
    powers = _SUPERSCRIPT_RUN.sub(lambda found: "^" + found.group().translate(_SUPERSCRIPTS), text)
    return "".join(char if char.isascii() else _ascii_char(char) for char in powers)


def _ascii_char(char: str) -> str:
    if char in _PLAIN:
        return _PLAIN[char]
    name = unicodedata.name(char, "")
    if name.startswith("GREEK"):
        return name.rsplit(" ", 1)[-1].lower()
    if unicodedata.combining(char):
        return ""
    folded = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode("ascii")
    return folded or "?"


def width_of(text: str) -> int:
    """Columns that `text` takes in a terminal: wide East Asian characters two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def pad(text: str, width: int, *, right: bool = False) -> str:
    """`text` filled with spaces to `width` columns; `right` puts the spaces in front."""
    spaces = " " * max(0, width - width_of(text))
    return spaces + text if right else text + spaces


def wrap(text: str, width: int, *, first: int | None = None) -> list[str]:
    """`text` in lines of at most `width` columns, line one of at most `first`; a longer word is cut. Never no line."""
    limit = width if first is None else first
    lines: list[str] = []
    line = ""
    for word in (piece for whole in _words(text) for piece in _cut(whole, max(2, min(width, limit)))):
        joined = f"{line} {word}" if line else word
        if line and width_of(joined) > limit:
            lines.append(line)
            line, limit = word, width
        else:
            line = joined
    return [*lines, line] if line or not lines else lines


def _words(text: str) -> list[str]:
    """Words at which a line may break: "40 %" is one."""
    words: list[str] = []
    for word in text.split():
        if word.startswith("%") and words:
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


def _cut(word: str, width: int) -> Iterable[str]:
    while width_of(word) > width:
        taken = 0
        size = 0
        for char in word:
            size += _char_width(char)
            if size > width:
                break
            taken += 1
        yield word[:taken]
        word = word[taken:]
    yield word


def hang(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """`text` wrapped to `width` columns, `first` before line one and `rest` (else as many spaces) before the others."""
    rest = " " * width_of(first) if rest is None else rest
    lines = wrap(text, width - width_of(rest), first=width - width_of(first))
    return [(first if index == 0 else rest) + line for index, line in enumerate(lines)]


def flow(chunks: Sequence[tuple[str, str]], width: int, *, indent: str) -> list[str]:
    """Chunks on one line while they fit; what does not fit goes on, under `indent`.

    A chunk is (gap before it, text); the first starts at the margin. A chunk breaks inside only where it is longer
    than a whole line.
    """
    lines: list[str] = []
    for gap, text in chunks:
        if not text:
            continue
        if lines and width_of(lines[-1] + gap + text) <= width:
            lines[-1] += gap + text
        else:
            lines += hang(text, width, indent if lines else "", indent)
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What is written on: `width` columns, with ANSI colour or not, with Unicode or ASCII only."""

    width: int = 80
    color: bool = False
    ascii_only: bool = False

    @property
    def columns(self) -> int:
        """The width that is laid out for."""
        return max(NARROWEST, self.width)

    def text(self, text: str) -> str:
        """`text` made safe for this paper; call it before measuring."""
        cleaned = clean(text)
        return clean(ascii_text(cleaned)) if self.ascii_only else cleaned

    def strong(self, text: str) -> str:
        """A result or a heading."""
        return self._paint(text, "1")

    def faint(self, text: str) -> str:
        """What may be skipped: sources, step numbers."""
        return self._paint(text, "2")

    def loud(self, text: str) -> str:
        """What must not be missed."""
        return self._paint(text, "33")

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text.strip() else text
