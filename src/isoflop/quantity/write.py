"""Writes values for people, in their units and a few digits, and for machines, exactly.

Whatever is written here reads back: within rounding from `write`, `write_interval` and `write_spread`, to the last bit
from `write_exact`. Counts are written without a unit (the quantity's name says what is counted): 1.14T, 50,257. Money:
$4,000, $100M, $1.45/chip/h. Shares: 40 %. Everything else: a number and the unit that fits it best: 3.6 days, 80 GiB.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor, isfinite, log10, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

from isoflop.errors import BadInput
from isoflop.quantity.domain import shape_of
from isoflop.quantity.fitting import fits
from isoflop.quantity.glossary import Quantity
from isoflop.quantity.spread import Centred, Interval, Point, Range, Samples, Spread
from isoflop.quantity.unit_words import NOUNS

if TYPE_CHECKING:
    from isoflop.quantity.units import Unit

Style = Literal["count", "money", "share", "plain"]

MULTIPLIERS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
WHOLE_BELOW = 1e6
"""Whole counts below this are written out in full: 50,257."""

TOO_LARGE = 1e16
TOO_SMALL = 1e-3
COMMAS_BELOW = 1e6
MOST_DIGITS = 8
_FROM = {"years": 2.0}
"""A unit is used from 1 of it on, years from 2: until then people say days."""

_SINGULAR = {
    "minutes": "minute",
    "hours": "hour",
    "days": "day",
    "years": "year",
    "chip-hours": "chip-hour",
    "chips": "chip",
}


class _Shown(NamedTuple):
    """A unit that people read: its text behind the number, its scale, and how numbers in it are written."""

    text: str
    scale: float
    style: Style
    start: float = 1.0


def write(value: float, of: Quantity | Unit, digits: int = 3, *, shown: str = "") -> str:
    """A value in base units as people write it, rounded to `digits`; `shown` names another unit than the usual.

    >>> from isoflop.quantity import quantity
    >>> write(4000, quantity("train_cost")), write(1.14e12, quantity("params")), write(311000, quantity("train_time"))
    ('$4,000', '1.14T', '3.6 days')
    >>> write(1.094e21, quantity("train_flops")), write(1.094e21, quantity("train_flops"), shown="PF-days")
    ('1.09e21 FLOP', '12.7 PF-days')
    """
    unit = _alternative(of, shown) if shown else _pick(value, _units(of), digits)
    return _joined(_number(value / unit.scale, unit.style, digits), unit)


def write_interval(low: float, high: float, of: Quantity | Unit, digits: int = 3, *, hard: bool = False) -> str:
    """Both ends in one unit, with as many digits as show their distance: "32 to 49 %"; hard bounds: "90-100 days".

    >>> from isoflop.quantity import quantity
    >>> write_interval(0.32, 0.49, quantity("mfu")), write_interval(90 * 86400, 100 * 86400, quantity("train_time"))
    ('32 to 49 %', '90 to 100 days')
    """
    if low == high:
        return write(low, of, digits)
    link = "-" if hard and low >= 0 else " to "
    texts, unit = _ends(low, high, _units(of), _telling(low, high, digits))
    if texts[0] == texts[1]:
        return write(high, of, digits)
    if unit is None:
        return link.join(texts)
    first, last = (_signed("$", text) if unit.style == "money" else text for text in texts)
    if link == "-" and "e-" in first + last:
        return f"[{first}, {last}]{_suffix(unit, '')}"
    return f"{first}{link}{last}{_suffix(unit, texts[1])}"


def write_spread(spread: Spread, of: Quantity | Unit, digits: int = 3) -> str:
    """A spread for people: "40 %", "90-100 days", "0.3 to 0.5", "2.3 (2.27 to 2.34) nats/token"."""
    low, high = spread.low, spread.high
    if low == high:
        return write(spread.median, of, digits)
    if isinstance(spread, Range | Interval):
        return write_interval(low, high, of, digits, hard=isinstance(spread, Range))
    return write_centred(spread.median, low, high, of, digits)


def write_centred(value: float, low: float, high: float, of: Quantity | Unit, digits: int = 3) -> str:
    """A value and its 90 % interval in one unit.

    >>> from isoflop.quantity import quantity
    >>> write_centred(2.3, 2.27, 2.34, quantity("loss"))
    '2.3 (2.27 to 2.34) nats/token'
    """
    unit = _pick(value, _units(of), digits)
    whole = all((one / unit.scale).is_integer() for one in (value, low, high))
    middle, first, last = (_number(one / unit.scale, unit.style, digits, whole=whole) for one in (value, low, high))
    if unit.style == "money":
        middle, first, last = (_signed("$", one) for one in (middle, first, last))
    suffix = _suffix(unit, "")
    return f"{middle} ({first} to {last}){suffix}"


def write_exact(value: float | Spread, of: Quantity | Unit) -> str:
    """A value or spread in base units, to the last bit: `read(write_exact(x, q), q).spread == x`.

    >>> from isoflop.quantity import quantity
    >>> write_exact(0.1, quantity("mfu")), write_exact(Range(2.0, 3.0), quantity("train_time"))
    ('0.1', '[2.0, 3.0] s')
    """
    unit = of.unit_text if isinstance(of, Quantity) else of.base.text
    suffix = "" if unit == "1" else f" {unit}"
    if isinstance(value, Point | int | float):
        return f"{float(value.value if isinstance(value, Point) else value)!r}{suffix}"
    if isinstance(value, Range):
        return f"[{value.lo!r}, {value.hi!r}]{suffix}"
    if isinstance(value, Samples) or value.shape != shape_of(of, value.lo) or value.top != 1.0:
        raise BadInput("samples, and spreads of another shape than their quantity's, have no exact written form.")
    ends = f"{value.lo!r} to {value.hi!r}"
    return f"{value.value!r} ({ends}){suffix}" if isinstance(value, Centred) else f"{ends}{suffix}"


def _units(of: Quantity | Unit) -> tuple[_Shown, ...]:
    """The units that a quantity is shown in, smallest first; a plain unit is shown in itself."""
    if isinstance(of, Quantity):
        return _units_of_quantity(of)
    text = "" if of.is_number and of.scale == 1.0 else of.text
    return (_Shown(text, of.scale, _style(of, text)),)


@lru_cache(maxsize=1024)
def _units_of_quantity(of: Quantity) -> tuple[_Shown, ...]:
    if of.domain == "count":
        return (_Shown("", 1.0, "count"),)
    return tuple(_shown(of, text) for text in of.display)


@lru_cache(maxsize=1024)
def _shown(of: Quantity, text: str) -> _Shown:
    found = fits(text if text != "1" else "", of)[0]
    return _Shown("" if text == "1" else text, found.scale, _style(of.unit, text), _FROM.get(text, 1.0))


def _alternative(of: Quantity | Unit, text: str) -> _Shown:
    if isinstance(of, Quantity):
        return _shown(of, text)
    found = fits(text, of)[0]
    return _Shown(text, found.scale, _style(of, text))


def _style(unit: Unit, text: str) -> Style:
    if text.startswith("$"):
        return "money"
    if text == "%":
        return "share"
    first = text.replace("-", "/").replace(" ", "/").partition("/")[0].removesuffix("s")
    return "count" if first in NOUNS and unit.dims else "plain"


def _pick(value: float, units: tuple[_Shown, ...], digits: int) -> _Shown:
    """The largest unit of which there is at least one, after rounding."""
    size = abs(value)
    for unit in reversed(units):
        if _rounded(size / unit.scale, digits) >= unit.start:
            return unit
    return units[0]


def _telling(low: float, high: float, digits: int) -> int:
    """As many digits as show the distance between two values to one digit, and no fewer than `digits`."""
    needed = ceil(log10(max(abs(low), abs(high)) / (high - low))) + 1 if high > low else digits
    return max(digits, min(needed, MOST_DIGITS))


def _ends(low: float, high: float, units: tuple[_Shown, ...], digits: int) -> tuple[tuple[str, str], _Shown | None]:
    """Texts of both ends and the unit behind them; None where each end carries its own."""
    unit = _pick(sqrt(low) * sqrt(high) if low > 0 else high, units, digits)
    if 0 < low < unit.scale / 10 and _pick(low, units, digits) != unit:
        return (_in_own_unit(low, units, digits), _in_own_unit(high, units, digits)), None
    ends = low / unit.scale, high / unit.scale
    whole = ends[0].is_integer() and ends[1].is_integer()
    first, last = (_number(end, unit.style, digits, whole=whole) for end in ends)
    if last[-1:].isalpha() and not first[-1:].isalpha() and "," not in first and unit.style != "money":
        # "950 to 12k" could be 950k: the smaller end takes the smallest multiplier too, or an exponent.
        first = f"{_decimal(ends[0] / 1e3, digits)}k" if ends[0] >= 1 else _scientific(ends[0], digits)
    return (first, last), unit


def _in_own_unit(value: float, units: tuple[_Shown, ...], digits: int) -> str:
    """A value in the unit that fits it best."""
    unit = _pick(value, units, digits)
    return _joined(_number(value / unit.scale, unit.style, digits), unit)


def _joined(number: str, unit: _Shown) -> str:
    if unit.style == "money":
        return _signed("$", number) + _suffix(unit, number)
    return number + _suffix(unit, number)


def _suffix(unit: _Shown, number: str) -> str:
    if unit.style == "money":
        return unit.text[1:]
    text = _SINGULAR.get(unit.text, unit.text) if number == "1" else unit.text
    return f" {text}" if text else ""


def _signed(currency: str, number: str) -> str:
    return f"-{currency}{number[1:]}" if number.startswith("-") else currency + number


def _rounded(size: float, digits: int) -> float:
    return float(f"{size:.{digits - 1}e}") if isfinite(size) else size


def _number(value: float, style: Style, digits: int, *, whole: bool = True) -> str:
    """The digits of a value already in its unit; `whole` lets whole counts and sums stand in full."""
    if value < 0:
        return "-" + _number(-value, style, digits, whole=whole)
    if value == 0 or not isfinite(value):
        return f"{value:g}"
    if whole and style in {"count", "money"} and value < WHOLE_BELOW and value == floor(value):
        return f"{int(value):,}"
    size = _rounded(value, digits)
    if size >= TOO_LARGE or size < (TOO_SMALL if style != "share" else 1e-6):
        return _scientific(value, digits)
    if style == "money" and 0.01 <= size < 1000:
        whole_part, _, cents = f"{value:.{max(2, _decimals(value, digits))}f}".partition(".")
        return f"{whole_part}.{cents.rstrip('0').ljust(2, '0')}"
    if style in {"count", "money"} and size >= (1e4 if style == "count" else 1e6):
        factor, letter = next((factor, letter) for factor, letter in MULTIPLIERS if size >= factor)
        return _decimal(value / factor, digits) + letter
    return _decimal(value, digits) if size < COMMAS_BELOW else _scientific(value, digits)


def _decimals(value: float, digits: int) -> int:
    return digits - 1 - floor(log10(_rounded(value, digits)))


def _decimal(value: float, digits: int) -> str:
    """Rounded to `digits`, but below 10,000 never coarser than whole; zeros at the end are dropped."""
    decimals = _decimals(value, digits)
    if decimals > 0:
        return f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return f"{round(value, 0 if value < 1e4 else decimals):,.0f}"


def _scientific(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent)}"
