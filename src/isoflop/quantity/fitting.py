"""Chooses among the readings of a unit's text those that fit what is due, and says what is wrong where none does."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from isoflop.errors import UnitError, shorten
from isoflop.quantity.unit_grammar import Reading
from isoflop.quantity.unit_words import NOUNS
from isoflop.quantity.units import Unit, readings

if TYPE_CHECKING:
    from isoflop.quantity.glossary import Quantity
    from isoflop.quantity.unit_grammar import Dims

Nouns = tuple[tuple[str, Reading], ...]

IMPLIED = frozenset({"chip", "sequence", "param", "token", "request"})
"""Nouns that may be left out of "per chip" and the like, with a note; never where money is in it."""


class Due(NamedTuple):
    """What a value has to be: the unit, its text, what it is called, and units to suggest. `unit` None: anything."""

    unit: Unit | None
    text: str = ""
    name: str = "the value"
    suggestions: tuple[str, ...] = ()


class Fit(NamedTuple):
    """A reading that fits. `power` is set where the scale is exactly ten to it; `bare` where no unit was written."""

    scale: float
    power: int | None
    multiplier: float
    slack: float
    notes: tuple[str, ...]
    unit: Unit
    bare: bool


POWERS = {float(f"1e{power}"): power for power in range(-24, 25)}


def due(of: Quantity | Unit | None) -> Due:
    """What a value has to be to stand for a quantity, in a unit, or (None) for anything."""
    if of is None:
        return Due(None)
    if isinstance(of, Unit):
        return Due(of, of.text)
    return Due(of.unit, of.unit_text, of.name, tuple(unit for unit in of.display if unit != of.unit_text))


def fits(text: str, of: Quantity | Unit | None, nouns: Nouns = ()) -> tuple[Fit, ...]:
    """The different readings of a unit's text that fit what is due, remembered; UnitError where none does."""
    # Equal units may be written differently, and what is remembered holds their text: it is part of the key.
    return _fits(text, of, of.text if isinstance(of, Unit) else "", nouns)


@lru_cache(maxsize=4096)
def _fits(text: str, of: Quantity | Unit | None, _of_text: str, nouns: Nouns) -> tuple[Fit, ...]:
    found, wanted = readings(text, nouns), due(of)
    kept = [one for one in (_fitted(reading, wanted) for reading in found) if one is not None]
    if not kept:
        raise UnitError(_misfit(text, found[0], wanted))
    return tuple({(one.scale, one.unit.dims): one for one in kept}.values())


def _fitted(reading: Reading, due: Due) -> Fit | None:
    if due.unit is None:
        return None if reading.hidden else _as_fit(reading, reading.scale, bare=not reading.words)
    if reading.dims == due.unit.dims:
        if not reading.words and due.unit.is_number and not reading.percent:
            return _as_fit(reading, reading.scale * due.unit.scale, bare=True, unit=due.unit)
        return _as_fit(reading, reading.scale, bare=False)
    if not reading.dims:
        if reading.words or reading.percent:
            return None
        note = f"no unit was given: read as {due.text}"
        return _as_fit(reading, reading.scale * due.unit.scale, bare=True, unit=due.unit, note=note)
    missing = _missing(reading.dims, due.unit.dims)
    if missing is None or "USD" in dict(due.unit.dims):
        return None
    return _as_fit(reading, reading.scale, bare=False, note="read as per " + " and per ".join(missing))


def _as_fit(reading: Reading, scale: float, *, bare: bool, unit: Unit | None = None, note: str = "") -> Fit:
    notes = (*reading.notes, note) if note else reading.notes
    own = Unit(dims=reading.dims, scale=reading.scale / reading.multiplier, text=reading.text or "1")
    return Fit(scale, POWERS.get(scale), reading.multiplier, reading.slack, notes, unit or own, bare)


def _missing(given: Dims, due: Dims) -> list[str] | None:
    """The nouns that `given` lacks below the line to be `due`, or None where that is not all it lacks."""
    left = _left_over(due, given)
    if left and all(name in IMPLIED and exponent == -1 for name, exponent in left.items()):
        return sorted(left)
    return None


def _left_over(one: Dims, other: Dims) -> dict[str, Fraction]:
    left = dict(one)
    for name, exponent in other:
        left[name] = left.get(name, Fraction(0)) - exponent
    return {name: exponent for name, exponent in left.items() if exponent}


def _misfit(text: str, given: Reading, due: Due) -> str:
    assert due.unit is not None
    unit = Unit(dims=given.dims, scale=1.0).base.text if given.dims else ("share" if given.percent else "pure number")
    example = f", for example {' or '.join(due.suggestions)}" if due.suggestions else ""
    hint = _hint(text, given, due)
    wrong = f"'{shorten(text)}' is of the kind {unit}, but {due.name} takes {due.text}{example}."
    return f"{wrong} {hint}" if hint else wrong


def _hint(text: str, given: Reading, due: Due) -> str:
    """What most likely went wrong, from what is left over when the unit is divided by the one due."""
    assert due.unit is not None
    left = _left_over(given.dims, due.unit.dims)
    nouns = [name for name in left if name in NOUNS]
    if len(left) == 2 and len(nouns) == 2 and sum(left.values()) == 0:
        given_noun, due_noun = _own_noun(given.dims, left)
        usual = {"chip": "32", "token": "1.33" if given_noun == "word" else ""}.get(due_noun)
        if usual:
            return (
                f"How many {due_noun}s a {given_noun} has is not known: "
                f"tie the noun, for example {given_noun}='{usual} {due_noun}'."
            )
    if len(left) == len(nouns) == 1 and left[nouns[0]] == 1 and given.dims:
        return f"Say per what: write it per {nouns[0]}, as in '{(due.suggestions or (due.text,))[-1]}'."
    if set(left) == {"s"} and "FLOP" in dict(given.dims):
        return "FLOP is work, FLOP/s is a rate: multiply or divide by the time."
    if set(left) == {"kg", "kgCO2e"}:
        return "Emissions are written with their gas: kg CO2e."
    if text.strip() == "m":
        return "m is minute here; million is M."
    return f"Their ratio leaves {', '.join(_left_words(left))}." if given.dims and due.unit.dims else ""


def _own_noun(given: Dims, left: dict[str, Fraction]) -> tuple[str, str]:
    own = {name for name, _ in given}
    first, second = left
    return (first, second) if first in own else (second, first)


def _left_words(left: dict[str, Fraction]) -> list[str]:
    return [name if exponent > 0 else f"1/{name}" for name, exponent in sorted(left.items())]
