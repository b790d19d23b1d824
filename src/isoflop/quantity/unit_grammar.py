"""Reads the text of a unit into every reading it has: "FLOP/s/chip", "$/month/32 chips", "PF-days", "kg CO2e/kWh".

    unit   = group { ("*" | "/" | "per") group }        from left to right
    group  = factor { [" " | "-"] factor }              binds tighter: "$/chip-hour" is $/(chip hour)
    factor = (word | number | "(" unit ")") [ "^" exponent ]

One exception is made because everybody writes it: in "PF/s-day" the day multiplies. Words with several readings (`B` is
byte or billion, `FLOPS` work or rate) give several readings of the whole; who asks decides which fit.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from isoflop.errors import UnitError, UnknownName, shorten
from isoflop.quantity.unit_words import LONG_TIMES, MONEY_MULTIPLIERS, SHORT_TIMES, Atom, unit_words

if TYPE_CHECKING:
    from collections.abc import Mapping

Dims = tuple[tuple[str, Fraction], ...]

LONGEST = 200
DEEPEST = 8
MOST_READINGS = 32
LARGEST_EXPONENT = 9
FOREIGN = frozenset({"eur", "euro", "euros", "gbp", "pound", "pounds", "jpy", "yen", "cny", "rmb", "chf", "inr", "€"})
CURRENCY = frozenset({"$", "USD", "usd"})
_EXPONENTS = str.maketrans("\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b", "0123456789-")
_SUPERSCRIPT = re.compile("[\u207b\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+")
_TOKEN = re.compile(
    r"(?P<number>(?:\d[\d,_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<word>[A-Za-zµ\u03bc][A-Za-z0-9_\u2082µ\u03bc]*|[$%€\u00a2\u2030])"
    r"|(?P<sign>\*\*|[-*/^()·×\u22c5])"
)


class Reading(NamedTuple):
    """One way to read a unit's text. `scale` holds all factors, `multiplier` those of them that are k, M, Ki, ...

    `words` counts unit words; it is 0 for a pure number. `percent` marks a pure number written as a share.
    """

    dims: Dims
    scale: float
    multiplier: float = 1.0
    slack: float = 0.0
    notes: tuple[str, ...] = ()
    words: int = 0
    hidden: bool = False
    even: bool = False
    percent: bool = False
    text: str = ""


ONE = Reading((), 1.0)


def times(one: Reading, other: Reading) -> Reading:
    """The product of two readings."""
    dims = dict(one.dims)
    for name, exponent in other.dims:
        dims[name] = dims.get(name, Fraction(0)) + exponent
    return Reading(
        tuple(sorted((name, exponent) for name, exponent in dims.items() if exponent)),
        one.scale * other.scale,
        one.multiplier * other.multiplier,
        one.slack + other.slack,
        one.notes + other.notes,
        one.words + other.words,
        one.hidden or other.hidden,
        one.even or other.even,
        one.percent or other.percent,
    )


def power(one: Reading, exponent: Fraction) -> Reading:
    """A reading raised to a power; what it multiplies by is then part of the unit."""
    try:
        scale = one.scale ** float(exponent)
    except (OverflowError, ZeroDivisionError):  # refused, with all other scales beyond floats, at the end of parse
        scale = float("inf")
    return one._replace(
        dims=tuple((name, old * exponent) for name, old in one.dims if exponent),
        scale=scale,
        multiplier=1.0,
        slack=one.slack * abs(float(exponent)),
    )


class _Token(NamedTuple):
    kind: str
    text: str


def _tokens(text: str) -> list[_Token]:
    plain = _SUPERSCRIPT.sub(lambda match: "^" + match.group().translate(_EXPONENTS), text)
    plain = plain.replace("CO2-e", "CO2e")
    tokens: list[_Token] = []
    place = 0
    while place < len(plain):
        if plain[place].isspace():
            place += 1
            continue
        match = _TOKEN.match(plain, place)
        if match is None:
            raise UnitError(_cannot_read(text, f"'{shorten(plain[place])}' has no meaning in a unit"))
        kind, word = match.lastgroup or "", match.group()
        tokens.append(_Token("sign", "/") if word == "per" else _Token(kind, "*" if word in "·×\u22c5" else word))
        place = match.end()
    return tokens


def _cannot_read(text: str, why: str) -> str:
    return (
        f"'{shorten(text)}' cannot be read as a unit: {why}. "
        "Units look like FLOP/s/chip, $/chip/h, GiB, tokens, PF-days, kg CO2e/kWh."
    )


def plain_number(text: str) -> float:
    """The value of a number written with or without thousands separators; refuses '1,5' and '1__0'."""
    whole = text.replace("_", "")
    if "," in whole:
        head, *groups = whole.partition(".")[0].split(",")
        if not 1 <= len(head) <= 3 or any(len(group) != 3 for group in groups):
            raise UnitError(
                f"'{shorten(text)}' is no number: a comma separates thousands (33,849), a point decimals (1.5)."
            )
        whole = whole.replace(",", "")
    value = float(whole)
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 (NaN is the only value unlike itself)
        raise UnitError(f"'{shorten(text)}' is too large for a number here; the largest is about 1.8e308.")
    return value


class _Parser:
    """One pass over the tokens of one unit; every method gives all readings of what it consumed."""

    def __init__(self, text: str, nouns: Mapping[str, Reading]) -> None:
        self.text, self.nouns, self.words = text, nouns, unit_words()
        self.tokens = _tokens(text)
        self.place = 0
        self.depth = 0
        self.first_of_group = ""
        self.lead: set[int] = set()  # places of the multipliers that stand before the first unit word

    def peek(self, ahead: int = 0) -> _Token:
        place = self.place + ahead
        return self.tokens[place] if place < len(self.tokens) else _Token("end", "")

    def fail(self, why: str) -> UnitError:
        return UnitError(_cannot_read(self.text, why))

    def unit(self) -> list[Reading]:
        found = [ONE] if self.peek() == ("sign", "/") else self.group(divided=False)[0]
        while self.peek().kind == "sign" and self.peek().text in "*/":
            divided = self.peek().text == "/"
            self.place += 1
            inside, outside = self.group(divided=divided)
            if divided:
                if self.first_of_group in SHORT_TIMES:  # PF/s: what is divided by a second is work
                    found = [reading for reading in found if not (reading.even and _is_rate(reading))] or found
                inside = [power(reading, Fraction(-1)) for reading in inside]
            found = self.product(self.product(found, inside), outside)
        return found

    def product(self, ones: list[Reading], others: list[Reading]) -> list[Reading]:
        if len(ones) * len(others) > MOST_READINGS:
            raise self.fail("it has too many readings; write it with fewer ambiguous words")
        return [times(one, other) for one in ones for other in others]

    def group(self, *, divided: bool) -> tuple[list[Reading], list[Reading]]:
        """Factors side by side; the second list is what a hyphen after "/s" takes out of the denominator."""
        first = self.first_of_group = self.peek().text
        inside, outside = self.factor(previous="", divided=divided), [ONE]
        while True:
            hyphen = self.peek() == ("sign", "-")
            after = self.peek(1 if hyphen else 0)
            if after.kind == "number":
                raise self.fail(f"the number {after.text} stands behind a unit")
            if after.kind != "word" and after != ("sign", "("):
                return inside, outside
            previous = self.tokens[self.place - 1].text
            self.place += hyphen
            long_time = hyphen and after.text in LONG_TIMES
            found = self.factor(previous=previous, divided=divided)
            if divided and long_time and first in SHORT_TIMES:
                outside = self.product(outside, found)
            else:
                if long_time:
                    inside = [reading for reading in inside if _is_rate(reading)] or inside
                inside = self.product(inside, found)

    def factor(self, *, previous: str, divided: bool) -> list[Reading]:
        token = self.peek()
        self.place += 1
        if token == ("sign", "("):
            found = self.bracket()
        elif token.kind == "word":
            found = self.word(token.text, previous, divided=divided)
        elif token.kind == "number":
            found = [Reading((), plain_number(token.text), words=1)]
        else:
            raise self.fail(f"something is missing {'at its end' if token.kind == 'end' else f'before {token.text!r}'}")
        if self.peek().text in {"^", "**"}:
            self.place += 1
            exponent = self.exponent()
            found = [power(reading, exponent) for reading in found]
        return found

    def bracket(self) -> list[Reading]:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.fail(f"brackets are nested deeper than {DEEPEST}")
        found = self.unit()
        if self.peek() != ("sign", ")"):
            raise self.fail("a bracket is not closed")
        self.place += 1
        self.depth -= 1
        return found

    def exponent(self) -> Fraction:
        found = re.match(r"^\(?(-?[\d.]{1,6}(?:/\d{1,3})?)\)?$", self.exponent_text())
        try:
            exponent = Fraction(found.group(1)) if found else None
        except (ValueError, ZeroDivisionError):
            exponent = None
        if exponent is None or abs(exponent) > LARGEST_EXPONENT:
            raise self.fail(
                f"an exponent is a number between -{LARGEST_EXPONENT} and {LARGEST_EXPONENT}, as in token^2"
            )
        return exponent

    def exponent_text(self) -> str:
        start = self.place
        if self.peek() == ("sign", "("):
            while self.peek().kind != "end" and self.peek().text != ")":
                self.place += 1
        elif self.peek() == ("sign", "-"):
            self.place += 1
        self.place += 1
        return "".join(token.text for token in self.tokens[start : self.place])

    def word(self, word: str, previous: str, *, divided: bool) -> list[Reading]:
        tied = self.nouns.get(word) or (self.nouns.get(word[:-1]) if word.endswith("s") else None)
        if tied is not None:
            return [tied]
        if previous in CURRENCY and word in MONEY_MULTIPLIERS:
            atoms: tuple[Atom, ...] = (Atom((), MONEY_MULTIPLIERS[word], multiplier=True),)
            note = ("m after $ is million",) if word == "m" else ()
        else:
            known = self.words.get(word)
            if known is None and word.lower() in FOREIGN:
                raise self.fail("money is held in US dollars; convert it first and write $")
            if known is None:
                raise UnknownName("unit", word, (*self.words, *self.nouns))
            # "7 B params": before another word, B can only be billion. A tonne of CO2e stays a tonne.
            before_word = self.peek().kind == "word" and word in {"B", "b"}
            atoms, note = tuple(atom for atom in known if atom.multiplier or not before_word), ()
        if not divided and self.depth == 0 and any(atom.multiplier for atom in atoms):
            self.lead.add(self.place - 1)
        return [_of_atom(atom, word, note, lead=not divided and self.depth == 0) for atom in atoms]


def _is_rate(reading: Reading) -> bool:
    """Whether it is per second and nothing else in time: what a hyphenated day multiplies, as in PF-day."""
    return ("s", Fraction(-1)) in reading.dims


def _of_atom(atom: Atom, word: str, notes: tuple[str, ...], *, lead: bool) -> Reading:
    return Reading(
        dims=tuple((name, Fraction(exponent)) for name, exponent in atom.dims),
        scale=atom.scale,
        multiplier=atom.scale if atom.multiplier and lead else 1.0,
        slack=atom.slack,
        notes=notes + ((atom.note,) if atom.note else ()),
        words=0 if atom.multiplier else 1,
        hidden=atom.hidden,
        even=atom.even,
        percent=word in {"%", "percent", "\u2030"},
    )


def _is_odd(reading: Reading) -> bool:
    """Whether no figure is ever quoted in it: mass without CO2e, work times time, time squared."""
    dims = dict(reading.dims)
    seconds = dims.get("s", Fraction(0))
    return "kg" in dims or abs(seconds) > 1 or (seconds > 0 and dims.get("FLOP", Fraction(0)) > 0)


def parse(text: str, nouns: Mapping[str, Reading]) -> tuple[Reading, ...]:
    """Every reading of a unit's text, the preferred first; odd ones only where nothing else is left."""
    if not text.strip() or text.strip() == "1":
        return (ONE._replace(text="1" if text.strip() else ""),)
    if len(text) > LONGEST:
        raise UnitError(
            f"a unit of {len(text)} characters is refused: {LONGEST} are read. It starts '{shorten(text)}'."
        )
    parser = _Parser(text, nouns)
    found = parser.unit()
    if parser.peek().kind != "end":
        raise parser.fail(f"'{parser.peek().text}' stands where a unit should end")
    if not all(isfinite(reading.scale) and reading.scale > 0 for reading in found):
        raise parser.fail("its factors are too large or too small together")
    kept = [reading for reading in found if not _is_odd(reading)] or found
    unique = {(reading.dims, reading.scale): reading for reading in reversed(kept)}
    bare = _without(parser)
    return tuple(
        reading._replace(text=bare if reading.multiplier != 1.0 else text.strip())
        for reading in reversed(unique.values())
    )


def _without(parser: _Parser) -> str:
    """The unit's text without the multipliers before it: "T tokens" is "tokens"."""
    kept = [token.text for place, token in enumerate(parser.tokens) if place not in parser.lead]
    text = ""
    for piece in kept:
        glue = " " if text and (piece[0].isalnum() and text[-1].isalnum()) else ""
        text += glue + piece
    return text
