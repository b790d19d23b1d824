"""Units as frozen values: a scale and exponents over base dimensions, where every noun that is counted is a dimension.

Multiplying, dividing and raising units to powers gives units. `unit("FLOP/s/chip")` reads text; `ties={"slice":
unit("chip") * 32}` makes a noun a multiple of another for that call only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from isoflop.errors import AmbiguousInput, UnitError, shorten
from isoflop.quantity import unit_grammar
from isoflop.quantity.unit_grammar import Dims, Reading
from isoflop.quantity.unit_words import BASE, NOUNS, unit_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    Ties = Mapping[str, "Unit"]

_WRITTEN = {"USD": "$", "kgCO2e": "kgCO2e"}
_ORDER = {name: place for place, name in enumerate(("USD", "kgCO2e", "J", "FLOP", "byte", "nat", "kg", *NOUNS, "s"))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """`scale` base units of `dims`; two units are equal where these two are, however they are written.

    `dims` is sorted by name and holds no zero exponents. `text` reads back as the same unit.
    """

    dims: Dims = ()
    scale: float = 1.0
    text: str = field(default="1", compare=False)

    def __mul__(self, other: Unit | float) -> Unit:
        if not isinstance(other, Unit):
            return _composed(self.dims, self.scale * other)
        return _composed(_added(self.dims, other.dims, 1), self.scale * other.scale)

    __rmul__ = __mul__

    def __truediv__(self, other: Unit | float) -> Unit:
        if not isinstance(other, Unit):
            return _composed(self.dims, self.scale / other)
        return _composed(_added(self.dims, other.dims, -1), self.scale / other.scale)

    def __rtruediv__(self, other: float) -> Unit:
        return (self**-1) * other

    def __pow__(self, exponent: Fraction | float) -> Unit:
        whole = Fraction(exponent).limit_denominator(1000)
        dims = tuple((name, old * whole) for name, old in self.dims) if whole else ()
        return _composed(dims, self.scale ** float(whole))

    def __str__(self) -> str:
        return self.text

    def __hash__(self) -> int:
        # Exponents are left out: hashing fractions takes longer than all the rest of a reading.
        return hash((self.scale, *(name for name, _ in self.dims)))

    def same_kind(self, other: Unit) -> bool:
        """Whether a value in one can be written in the other."""
        return self.dims == other.dims

    @property
    def is_number(self) -> bool:
        """True where nothing is left but a factor."""
        return not self.dims

    @property
    def base(self) -> Unit:
        """The base unit of the same kind, written in its shortest form."""
        return _composed(self.dims, 1.0)


def _added(ones: Dims, others: Dims, sign: int) -> Dims:
    if not others:
        return ones
    dims = dict(ones)
    for name, exponent in others:
        dims[name] = dims.get(name, Fraction(0)) + sign * exponent
    return tuple(sorted((name, exponent) for name, exponent in dims.items() if exponent))


@lru_cache(maxsize=4096)
def _composed(dims: Dims, scale: float) -> Unit:
    return Unit(dims=dims, scale=scale, text=_text(dims, scale))


def _text(dims: Dims, scale: float) -> str:
    ordered = sorted(dims, key=lambda pair: (_ORDER.get(pair[0], len(_ORDER)), pair[0]))
    above = " ".join(_factor(name, exponent) for name, exponent in ordered if exponent > 0)
    # Per second comes first, as people write it: FLOP/s/chip.
    ordered.sort(key=lambda pair: pair[0] != "s")
    below = "".join("/" + _factor(name, -exponent) for name, exponent in ordered if exponent < 0)
    factor = "" if scale == 1.0 else repr(scale)
    return (
        " ".join(part for part in (factor, above) if part) + below
        if (factor or above)
        else (f"1{below}" if below else "1")
    )


def _factor(name: str, exponent: Fraction) -> str:
    word = _WRITTEN.get(name, name)
    if exponent == 1:
        return word
    return f"{word}^{exponent}" if exponent.denominator == 1 else f"{word}^({exponent})"


def _of_reading(reading: Reading, text: str) -> Unit:
    return Unit(dims=reading.dims, scale=reading.scale, text=text or "1")


def noun_readings(ties: Ties | None) -> tuple[tuple[str, Reading], ...]:
    """Ties as words of the unit grammar; refuses to tie what is no noun."""
    if not ties:
        return ()
    known = unit_words()
    for noun in ties:
        if noun in BASE and noun not in NOUNS:
            raise UnitError(
                f"'{noun}' is a unit of measure and cannot be tied; nouns can: {', '.join(NOUNS)}, or a new word."
            )
        if noun not in NOUNS and noun in known:
            raise UnitError(f"'{noun}' already is a unit; tie one of {', '.join(NOUNS)}, or a new word.")
        if not noun.isidentifier():
            raise UnitError(f"'{shorten(noun)}' is no word that can be tied; a tie looks like slice='32 chip'.")
    return tuple((noun, Reading(unit.dims, unit.scale, words=1)) for noun, unit in sorted(ties.items()))


@lru_cache(maxsize=4096)
def readings(text: str, nouns: tuple[tuple[str, Reading], ...] = ()) -> tuple[Reading, ...]:
    """Every reading of a unit's text (see unit_grammar), remembered."""
    return unit_grammar.parse(text, dict(nouns))


@lru_cache(maxsize=4096)
def _unit(text: str, nouns: tuple[tuple[str, Reading], ...]) -> Unit:
    found = readings(text, nouns)
    first = found[0]
    if first.even and len(found) > 1:
        both = " or ".join(_of_reading(reading, "").base.text for reading in found)
        raise AmbiguousInput(f"'{shorten(text)}' can be {both}. Write FLOP for work and FLOP/s for a rate.")
    return _of_reading(first, text.strip())


def unit(text: str, ties: Ties | None = None) -> Unit:
    """The unit that a text names, remembered; words with two readings take the usual one (`B` is byte).

    >>> unit("GiB").scale, unit("FLOP/s/chip") == unit("FLOP") / unit("s") / unit("chip")
    (1073741824.0, True)
    >>> unit("$/slice/h", {"slice": unit("chip") * 32}).dims == unit("$/chip/h").dims
    True
    """
    return _unit(text, noun_readings(ties))


NUMBER = Unit()
"""The unit of pure numbers."""
