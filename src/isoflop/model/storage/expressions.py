r"""Regular expressions from files of others, matched in time that no expression can blow up.

Python's own engine tries one way after the other, which a hostile expression makes exponential. Here all places that a
beginning of the expression can reach in the text are kept at once, as the bits of one integer; every piece turns such a
set into the next. Known are characters, `.`, classes, groups, `|`, `* + ? {m,n}`, `^ $`, looking ahead, and
`\d \w \s` with their opposites; whatever else is written makes an expression unknown (None).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Test = Callable[[str], bool]
    Piece = Callable[["_Text", int], int]

MOST_LENGTH = 400
MOST_DEPTH = 16
MOST_REPEATS = 1_000

_CLASSES: dict[str, Test] = {
    "d": str.isdigit,
    "w": lambda char: char.isalnum() or char == "_",
    "s": str.isspace,
}


class _Unknown(Exception):
    """The expression has something that is not read here."""


class _Text:
    """A text, and which of its places hold what a test asks for; bit i is the place before character i."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.end = 1 << len(text)
        self._masks: dict[Test, int] = {}

    def mask(self, test: Test) -> int:
        """Places before a character that passes."""
        found = self._masks.get(test)
        if found is None:
            found = sum(1 << place for place, char in enumerate(self.text) if test(char))
            self._masks[test] = found
        return found


class Expression:
    """An expression that is held against the beginning of a text."""

    def __init__(self, piece: Piece, needed: tuple[str, ...]) -> None:
        self._piece = piece
        self._needed = needed

    def may_match(self, text: str) -> bool:
        """Whether the text has all that it needs to."""
        return all(one in text for one in self._needed)

    def match(self, text: str) -> bool:
        """Whether the text begins with what the expression means."""
        return self._piece(_Text(text), 1) != 0


def expression(text: str) -> Expression | None:
    """The expression, None where it is broken or has something that is not read here."""
    if len(text) > MOST_LENGTH:
        return None
    try:
        return Expression(_Parser(text).whole(), required(text))
    except _Unknown:
        return None


def required(text: str) -> tuple[str, ...]:
    """Runs of letters, digits and _ that everything has that an expression means: a quick test before it is tried."""
    found, run, depth, place = [], "", 0, 0
    while place < len(text):
        char = text[place]
        depth += (char == "(") - (char == ")")
        if char == "|" and not depth:
            return ()
        if (char.isalnum() or char == "_") and not depth:
            run += char
        else:
            found.append(run[:-1] if char in "*?{" else run)
            run = ""
        if char == "\\":
            place += 1
        elif char in "[{":
            place = max(text.find("]" if char == "[" else "}", place + 2), place)
        place += 1
    return tuple(one for one in (*found, run) if one)


def _char(test: Test) -> Piece:
    return lambda text, places: (places & text.mask(test)) << 1


def _sequence(pieces: list[Piece]) -> Piece:
    def run(text: _Text, places: int) -> int:
        for piece in pieces:
            if not places:
                break
            places = piece(text, places)
        return places

    return run


def _either(branches: list[Piece]) -> Piece:
    def run(text: _Text, places: int) -> int:
        found = 0
        for branch in branches:
            found |= branch(text, places)
        return found

    return run


def _repeated(piece: Piece, least: int, most: int) -> Piece:
    def run(text: _Text, places: int) -> int:
        for _ in range(least):
            after = piece(text, places)
            if after == places:
                break
            places = after
        reached = places
        for _ in range(most - least):
            after = reached | piece(text, reached)
            if after == reached:
                break
            reached = after
        return reached

    return run


def _ahead(piece: Piece, *, wanted: bool) -> Piece:
    def run(text: _Text, places: int) -> int:
        found, place = 0, 1
        while place <= places:
            if places & place and (piece(text, place) != 0) == wanted:
                found |= place
            place <<= 1
        return found

    return run


class _Parser:
    """Reads an expression from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.depth = 0
        self.looking = False

    def whole(self) -> Piece:
        piece = self._branches()
        if self.place < len(self.text):
            raise _Unknown
        return piece

    def _take(self, *words: str) -> str:
        """The first of the words that comes next, "" where none does."""
        for word in words:
            if self.text.startswith(word, self.place):
                self.place += len(word)
                return word
        return ""

    def _next(self) -> str:
        if self.place >= len(self.text):
            raise _Unknown
        self.place += 1
        return self.text[self.place - 1]

    def _branches(self) -> Piece:
        found = [self._line()]
        while self._take("|"):
            found.append(self._line())
        return found[0] if len(found) == 1 else _either(found)

    def _line(self) -> Piece:
        found: list[Piece] = []
        while self.place < len(self.text) and self.text[self.place] not in "|)":
            found.append(self._counted(self._atom()))
        return _sequence(found)

    def _counted(self, piece: Piece) -> Piece:
        sign = self._take("*", "+", "?", "{")
        if not sign:
            return piece
        bounds = {"*": (0, MOST_REPEATS), "+": (1, MOST_REPEATS), "?": (0, 1)}.get(sign) or self._bounds()
        if self._take("+", "*", "{"):
            raise _Unknown
        self._take("?")  # as few as will do: the set of places is the same
        return _repeated(piece, *bounds)

    def _bounds(self) -> tuple[int, int]:
        end = self.text.find("}", self.place)
        least, comma, most = self.text[self.place : max(end, self.place)].partition(",")
        self.place = end + 1
        if end < 0 or not least.isdecimal() or len(least) > 3 or not (most.isdecimal() or not most) or len(most) > 3:
            raise _Unknown
        first = int(least)
        last = int(most) if most else MOST_REPEATS if comma else first
        if last < first:
            raise _Unknown
        return first, last

    def _atom(self) -> Piece:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return _char(self._class())
        if char == "\\":
            return _char(self._escaped())
        if char == ".":
            return _char(_anything)
        if char == "^":
            return lambda _, places: places & 1
        if char == "$":
            return lambda text, places: places & text.end
        if char in "*+?{":
            raise _Unknown
        return _char(char.__eq__)

    def _group(self) -> Piece:
        kind = self._take("?:", "?=", "?!", "?P<")
        if kind == "?P<":
            while self._next() != ">":
                pass
        elif self.text.startswith("?", self.place):
            raise _Unknown
        looks = kind in {"?=", "?!"}
        self.depth += 1
        if self.depth > MOST_DEPTH or (looks and self.looking):
            raise _Unknown
        self.looking = self.looking or looks
        piece = self._branches()
        if self._next() != ")":
            raise _Unknown
        self.depth -= 1
        if not looks:
            return piece
        self.looking = False
        return _ahead(piece, wanted=kind == "?=")

    def _escaped(self) -> Test:
        char = self._next()
        if char.lower() in _CLASSES:
            test = _CLASSES[char.lower()]
            return test if char.islower() else lambda one: not test(one)
        if char.isalnum():
            raise _Unknown
        return char.__eq__

    def _class(self) -> Test:
        other = bool(self._take("^"))
        tests: list[Test] = []
        while not tests or not self._take("]"):
            char = self._next()
            test = self._escaped() if char == "\\" else char.__eq__
            if self.text.startswith("-", self.place) and not self.text.startswith("-]", self.place):
                self.place += 1
                last = self._next()
                if char == "\\" or last in "\\[":
                    raise _Unknown
                test = _between(char, last)
            tests.append(test)
        return lambda one: any(test(one) for test in tests) != other


def _anything(char: str) -> bool:
    return char != "\n"


def _between(first: str, last: str) -> Test:
    return lambda char: first <= char <= last
