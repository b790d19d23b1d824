"""Splits written values into numbers and units, and says what kind of spread they make. It knows no units."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from isoflop.errors import BadInput, shorten

LONGEST = 200

Form = Literal["point", "about", "range", "interval", "plus_minus", "centred"]

_PLAIN = str.maketrans({
    "\u2212": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-",  # minus sign and dashes
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2248": "~",  # narrow spaces, almost equal
})  # fmt: skip
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_NUMBER = re.compile(r"(?:\d[\d,_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?")
_LEAD = re.compile(r"\s*(?P<sign>[+-]?)\s*(?P<currency>(?:US)?\$|USD\b)?\s*(?P<second>[+-]?)")
_TEN = re.compile(r"10\s*(?:(?:\^|\*\*)\s*\(?(?P<plain>[+-]?\d{1,4})\)?|(?P<raised>[⁰¹²³⁴-⁹⁻]{1,5}))(?![\d.])")
_TIMES_TEN = re.compile(r"\s*[x×*·]\s*(?=10\s*(?:\^|\*\*|[⁰¹²³⁴-⁹⁻]))")
_PLUS_MINUS = re.compile(r"±|\+/-|\+-")
_TO = re.compile(r"\s+to\s+")
_ONE_OVER = re.compile(r"1\s*/")
_GROUPS = re.compile(r"\d{1,3}(?:,\d{3})+")


@dataclass(frozen=True, slots=True)
class Number:
    """One number as written: `digits` with an optional point, times ten to `exponent`; `unit` is the text after it.

    A currency sign before the number stands at the start of `unit`. `plain` says that it was written out in full, as
    a whole number; `complete` that it cannot share the multiplier of a number beside it: 4,000 in "4,000 to 12k",
    or 1e3.
    """

    digits: str
    exponent: int
    unit: str
    plain: bool
    complete: bool = False

    def times_ten_to(self, power: int) -> float:
        """The value with `power` further zeros, rounded once."""
        try:
            value = float(f"{self.digits}e{self.exponent + power}")
        except OverflowError:  # an exponent beyond what float() takes at all
            value = float("inf")
        if value in {float("inf"), float("-inf")}:
            raise BadInput(f"'{shorten(self.written)}' is too large: numbers up to about 1.8e308 are read.")
        if value == 0 and self.digits.strip("+-0."):
            raise BadInput(f"'{shorten(self.written)}' is too small: it cannot be told from 0.")
        return value

    @property
    def written(self) -> str:
        """The number as it would be written in plain e-notation."""
        return f"{self.digits}e{self.exponent}" if self.exponent else self.digits

    @property
    def significant(self) -> tuple[int, int]:
        """How many digits are meant, and the whole number they make.

        Zeros at the end of a whole number fill up places: 3700 has two digits, but never fewer than two are taken
        where two are written.
        """
        whole, point, decimals = self.digits.lstrip("+-").partition(".")
        digits = (whole + decimals).lstrip("0")
        if not point and len(digits) > 2:
            digits = digits.rstrip("0").ljust(2, "0")
        return len(digits), int(digits or "0")


@dataclass(frozen=True, slots=True)
class Written:
    """A written value: its form and its numbers (ends of a range in order; value first where it is centred)."""

    form: Form
    numbers: tuple[Number, ...]


def split(text: str) -> Written:
    """The form and numbers of a written value; raises BadInput where there is no number."""
    if len(text) > LONGEST:
        raise BadInput(
            f"a value of {len(text)} characters is refused: {LONGEST} are read. It starts '{shorten(text)}'."
        )
    plain = text.translate(_PLAIN).strip()
    if not plain:
        raise BadInput("an empty value was given. Write a number with its unit, like '7B', '$4k' or '3.6 days'.")
    if plain[0] == "[":
        return _bracketed(plain, text)
    if plain[0] == "~":
        return Written("about", (number(plain[1:], text),))
    if _PLUS_MINUS.search(plain):
        value, width, *more = _PLUS_MINUS.split(plain)
        if more:
            raise _unreadable(text)
        return Written("plus_minus", (number(value, text), number(width, text)))
    if _TO.search(plain):
        return _to(plain, text)
    first, after = _number_at(plain, text)
    hyphen = _range_hyphen(plain, after)
    if hyphen is None:
        return Written("point", (_with_unit(first, plain[after:], text),))
    low = _with_unit(first, plain[after:hyphen], text)
    return Written("range", _sharing((low, number(plain[hyphen + 1 :], text))))


def number(text: str, whole: str) -> Number:
    """The one number of `text`; `whole` is what errors quote."""
    found, after = _number_at(text, whole)
    return _with_unit(found, text[after:], whole)


def _number_at(text: str, whole: str) -> tuple[Number, int]:
    """The number at the start of `text`, its unit holding the currency only, and the place where it ends."""
    lead = _LEAD.match(text)
    assert lead is not None
    place = lead.end()
    sign = "-" if "-" in (lead["sign"] + lead["second"]) else ""
    currency = "$" if lead["currency"] else ""
    ten = _TEN.match(text, place)
    if ten:
        return Number(sign + "1", _raised(ten), currency, plain=False, complete=True), ten.end()
    match = _NUMBER.match(text, place)
    if match is None:
        raise _unreadable(whole)
    mantissa, _, power = match.group().lower().partition("e")
    exponent, end = int(power or "0"), match.end()
    times_ten = _TIMES_TEN.match(text, end)
    if times_ten:
        ten = _TEN.match(text, times_ten.end())
        if ten is None:
            raise _unreadable(whole)
        exponent, end = exponent + _raised(ten), ten.end()
    plain, complete = exponent == 0 and "." not in mantissa, exponent != 0 or "," in mantissa
    return Number(sign + _without_separators(mantissa, whole), exponent, currency, plain, complete), end


def _raised(ten: re.Match[str]) -> int:
    try:
        return int(ten["plain"] or ten["raised"].translate(_SUPERSCRIPTS))
    except ValueError as error:
        raise BadInput(f"'{shorten(ten.group())}' is no power of ten; write 10^25 or 1e25.") from error


def _without_separators(mantissa: str, whole: str) -> str:
    if "_" in mantissa:
        if "__" in mantissa or "_." in mantissa or "._" in mantissa or mantissa[-1] == "_":
            raise _unreadable(whole)
        mantissa = mantissa.replace("_", "")
    if "," in mantissa:
        before = mantissa.partition(".")[0]
        if not _GROUPS.fullmatch(before):
            raise BadInput(
                f"'{shorten(whole)}' cannot be read: a comma separates thousands (33,849), a point decimals (1.5)."
            )
        mantissa = mantissa.replace(",", "")
    return mantissa


def _with_unit(found: Number, rest: str, whole: str) -> Number:
    unit = rest.strip()
    if unit and (unit[0].isdigit() or unit[0] in ".,") and not (rest[0].isspace() and _ONE_OVER.match(unit)):
        raise BadInput(
            f"'{shorten(whole)}' cannot be read: two numbers stand side by side. "
            "Thousands are separated by commas (33,849)."
        )
    if found.unit and unit.startswith(("$", "USD")):
        raise _unreadable(whole)
    return replace(found, unit=found.unit + unit)


def _range_hyphen(text: str, start: int) -> int | None:
    """The place of the hyphen of "90-100 days": one with a number after it, unlike those of "PF-days" and "s^-1"."""
    place = text.find("-", start)
    while place >= 0:
        before, after = text[:place].rstrip(), text[place + 1 :].lstrip()
        if after and (after[0].isdigit() or after[0] in "$.") and before[-1] not in "^*/(":
            return place
        place = text.find("-", place + 1)
    return None


def _bracketed(plain: str, text: str) -> Written:
    inside, closed, unit = plain[1:].partition("]")
    ends = inside.split(", ") if ", " in inside else inside.split(",")
    if not closed or len(ends) != 2:
        raise BadInput(f"'{shorten(text)}' cannot be read: a range in brackets looks like [30%, 45%] or [2, 3] days.")
    low, high = number(ends[0], text), number(ends[1], text)
    if unit.strip():
        high = replace(high, unit=f"{high.unit} {unit.strip()}".strip())
    return Written("range", _sharing((low, high)))


def _to(plain: str, text: str) -> Written:
    """'a to b', and 'value (a to b)'."""
    before, after, *more = _TO.split(plain)
    if more:
        raise _unreadable(text)
    middle, opened, low = before.rpartition("(")
    if not opened:
        return Written("interval", _sharing((number(before, text), number(after, text))))
    high, closed, unit = after.partition(")")
    if not closed or not middle.strip():
        raise _unreadable(text)
    last = number(high, text)
    if unit.strip():
        last = replace(last, unit=f"{last.unit} {unit.strip()}".strip())
    return Written("centred", _sharing((number(middle, text), number(low, text), last)))


def _sharing(numbers: tuple[Number, ...]) -> tuple[Number, ...]:
    """A currency sign before the first number holds for all: "$2-3/chip/h". Numbers with their own are complete."""
    own = ["$" in one.unit or "USD" in one.unit for one in numbers]
    if not numbers[0].unit.startswith("$"):
        return numbers
    if all(own):
        return tuple(replace(one, complete=True) for one in numbers)
    return tuple(one if has else replace(one, unit="$" + one.unit) for one, has in zip(numbers, own, strict=True))


def _unreadable(text: str) -> BadInput:
    if any(char in text for char in "€£¥₹₩"):
        return BadInput(f"'{shorten(text)}': money is held in US dollars; convert it first and write $4k.")
    return BadInput(
        f"'{shorten(text)}' cannot be read as a value. Values look like 7B, 1.4T tokens, $4k, 3700 PF-days, "
        "90-100 days, 0.3 to 0.5, 40% ± 5%, ~1e25."
    )
