"""Amounts of a document as they are written, and the nouns they are counted in."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from typing import TYPE_CHECKING

from isoflop.errors import AmbiguousInput, BadInput, UnitError, shorten
from isoflop.quantity import NUMBER, Quantity, Unit, Value, read, read_tie
from isoflop.quantity.unit_words import MONTH_SLACK, YEAR_SLACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Nouns = Mapping[str, Unit]

NOUN = "noun"
"""What a napkin file writes for a noun that is made of nothing else."""

_DEEPEST = 10
_MONTHS = frozenset({"mo", "month", "months"})
_YEARS = frozenset({"y", "yr", "yrs", "year", "years"})
_ABOUT = re.compile(r"^\s*(?:about|around|roughly|approximately|approx\.?|circa|ca\.?|some)\s+(?=[$\d])", re.IGNORECASE)
_LARGEST_RATE = 1e19
"""Of an ambiguous FLOPS: less than this is taken for a rate, more for the work of a training run."""


def own_dimension(noun: str) -> Unit:
    """A noun as a dimension of its own."""
    return Unit(dims=((noun, Fraction(1)),), scale=1.0, text=noun)


def own_dimensions(nouns: Iterable[str]) -> dict[str, Unit]:
    """Every noun as a dimension of its own: how amounts are read, so that none is tied before it is checked."""
    return {noun: own_dimension(noun) for noun in nouns}


def read_nouns(written: Mapping[str, str]) -> dict[str, Unit]:
    """What nouns are made of, each as far down as it goes: with a pod of 8 slices of 32 chips, a pod is 256 chips.

    Raises: BadInput for a noun that is made of itself or declared in a unit nobody knows.
    """
    own = own_dimensions(written)
    ties: dict[str, Unit] = {}
    for noun, text in written.items():
        if text.strip() == NOUN:
            continue
        if text.strip().split(" ", 1)[-1] in own:
            number = read(text, None, own)
            ties[noun] = Unit(dims=number.unit.dims, scale=number.spread.median, text=text.strip())
        else:
            ties[noun] = read_tie(text)
    return {noun: _resolved(noun, ties) for noun in ties}


def _resolved(noun: str, ties: Nouns) -> Unit:
    found, chain = ties[noun], [noun]
    while inside := next((name for name, _ in found.dims if name in ties), None):
        chain.append(inside)
        if len(chain) > _DEEPEST or inside == noun:
            raise BadInput(f"unit {noun} = '{shorten(ties[noun].text)}' is made of itself: {' of '.join(chain)}")
        found = tie(found, {inside: ties[inside]})
    if noun in dict(found.dims):
        raise BadInput(f"unit {noun} = '{shorten(ties[noun].text)}' is made of itself")
    return found


def tie(unit: Unit, nouns: Nouns) -> Unit:
    """The unit with every noun replaced by what it is made of."""
    found = unit
    for name, exponent in unit.dims:
        if name in nouns:
            found = found / own_dimension(name) ** exponent * nouns[name] ** exponent
    return found


def tie_factor(unit: Unit, nouns: Nouns) -> float:
    """What a value in base units of `unit` is multiplied by when its nouns are tied: 1/32 for $/s/slice."""
    factor = 1.0
    for name, exponent in unit.dims:
        if name in nouns:
            factor *= nouns[name].scale ** float(exponent)
    return factor


def amount(
    given: str | float,
    *,
    of: Quantity | None = None,
    unit: Unit | None = None,
    nouns: Iterable[str] = (),
) -> Value:
    """One amount as written, nouns untied: for the quantity it is said to be, else in the unit due, else as it stands.

    Where words have two readings and nothing decides, the usual one is taken and a note says so: "7B" is a number,
    FLOPS below 1e19 a rate. Raises: BadInput for what is no amount.
    """
    own = own_dimensions(nouns)
    if not isinstance(given, str):
        return read(given, of or unit or NUMBER)
    _refuse_foreign_digits(given)
    given = _ABOUT.sub("~", given)
    for due in (of, unit):
        if due is not None:
            try:
                return read(given, due, own)
            except UnitError:
                continue
            except BadInput:  # a share above 1, say: to be found wrong, it has to be read
                if isinstance(due, Quantity):
                    return amount(given, unit=due.unit, nouns=nouns)
                raise
    try:
        return read(given, None, own)
    except AmbiguousInput:
        return _usual(given, own)


def _refuse_foreign_digits(given: str) -> None:
    """Digits of other scripts look like others than they are; superscripts are meant."""
    for char in given if not given.isascii() else "":
        if char.isdecimal() and not char.isascii():
            called = unicodedata.name(char, "a digit")
            raise BadInput(f"'{shorten(given)}': '{char}' is {called}; write {unicodedata.decimal(char)}.")


def _usual(given: str, own: Nouns) -> Value:
    number = None
    for due in (NUMBER, Unit(dims=(("FLOP", Fraction(1)),), text="FLOP")):
        try:
            number = read(given, due, own)
        except UnitError:
            continue
        break
    if number is None:
        return read(given, None, own)  # raises, showing both readings
    if number.unit.is_number:
        return _noted(number, f"'{given.strip()}' is taken as a number")
    if number.spread.median >= _LARGEST_RATE:
        return _noted(number, f"'{given.strip()}' is taken as work, in FLOP")
    rate = Unit(dims=(("FLOP", Fraction(1)), ("s", Fraction(-1))), text="FLOP/s")
    return _noted(read(given, rate, own), f"'{given.strip()}' is taken as a rate, in FLOP/s")


def _noted(value: Value, note: str) -> Value:
    return Value(
        spread=value.spread,
        unit=value.unit,
        text=value.text,
        notes=(*value.notes, note),
        sigfigs=value.sigfigs,
        slack=value.slack,
    )


def calendar_slack(value: Value) -> float:
    """The relative half-width that months and years in the unit vary by; the digits left out."""
    words = set(re.findall("[a-z]+", value.unit.text))
    return MONTH_SLACK * bool(words & _MONTHS) + YEAR_SLACK * bool(words & _YEARS)


def digit_slack(value: Value) -> float:
    """The relative half-width that the written digits leave open."""
    return max(value.slack - calendar_slack(value), 0.0)


def written_number(value: Value) -> float:
    """The number as it stands in the document, in the unit it is written in: 33849 of $33,849/month."""
    return value.spread.median / value.unit.scale if value.unit.scale else value.spread.median
