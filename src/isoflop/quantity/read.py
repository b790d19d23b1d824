"""Reads values as people write them, in one grammar at every door.

    7B    1.4T tokens    $4k    $33,849/month/32 chips    3700 PF-days    80 GiB    40%    2.15 x 10^25 FLOP
    90-100 days            hard bounds, every value between equally likely; also [30%, 45%]
    0.3 to 0.5             5 to 95 % interval
    40% ± 5%               half width of the 90 % interval; also +-
    ~1e25                  the 90 % interval is x/÷ 1.25
    0.318 (0.175 to 0.579) median and 90 % interval

Every reading of a unit's text is tried against what is due; exactly one must fit. A value that carries no unit takes
the one of its quantity, and says so in its notes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from numbers import Real as AnyReal
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import AmbiguousInput, BadInput, UnitError, shorten
from isoflop.quantity.domain import check_domain, check_plausible_unit, spread_of
from isoflop.quantity.fitting import POWERS, Fit, Nouns, due, fits
from isoflop.quantity.glossary import Quantity
from isoflop.quantity.literal import Number, Written, split
from isoflop.quantity.spread import Centred, Interval, Point, Range, Samples, Spread
from isoflop.quantity.unit_grammar import Reading
from isoflop.quantity.unit_words import BINARY
from isoflop.quantity.units import NUMBER, Unit, noun_readings, readings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.quantity.types import FloatArray

ABOUT = 1.25
"""The factor that "~" stands for, either way, at 90 %."""

LOOSEST = 0.125
"""The most slack that written digits give: "1e22" is not meant as anything from 5e21 to 1.5e22."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value as it was read: `spread` in base units, and how that came about.

    `unit` is the one written (without k, M, ...), `text` the whole as written, `notes` say how it was read where that
    is not obvious. `sigfigs` counts the digits meant. `slack` is the relative half-width within which nothing
    contradicts it: half a unit of the last digit written, and what months and years vary by.
    """

    spread: Spread
    unit: Unit
    text: str
    notes: tuple[str, ...] = ()
    sigfigs: int | None = None
    slack: float = 0.0


def read(
    given: str | float | FloatArray | Spread | Value,
    of: Quantity | Unit | None = None,
    ties: Mapping[str, Unit] | None = None,
) -> Value:
    """What was given as a Value of a quantity or unit (None: whatever it says it is).

    Numbers, arrays and spreads are taken in base units; text is read in the grammar above.

    >>> read("$4k").spread, read("90-100 days").unit.text, read("1.4T tokens").spread.median
    (Point(value=4000.0), 'days', 1400000000000.0)
    """
    if isinstance(given, str):
        return _read_text(given, of, ties)
    if isinstance(given, Value):
        spread = given.spread
    elif isinstance(given, Point | Range | Interval | Centred | Samples):
        spread = given
    elif isinstance(given, np.ndarray) and given.ndim:
        spread = _samples(given)
    else:
        spread = Point(_float(given))
    check_domain(spread, of, "")
    if isinstance(given, Value):
        return given
    unit = of.unit if isinstance(of, Quantity) else (of or NUMBER).base
    text = f"{spread.value!r}" if isinstance(spread, Point) else f"{spread.low:g} to {spread.high:g}"
    return Value(
        spread=spread,
        unit=unit,
        text=text,
        notes=(f"a number: taken in {of.unit_text if isinstance(of, Quantity) else unit.text}",),
    )


def _samples(given: FloatArray) -> Samples:
    if given.dtype.kind not in "iuf":
        raise BadInput(f"an array of {given.dtype} is refused; samples are numbers.")
    return Samples(given)


def _float(given: object) -> float:
    if isinstance(given, np.ndarray):
        given = given.item()
    if isinstance(given, bool | np.bool_) or not isinstance(given, AnyReal):
        raise BadInput(
            f"a {type(given).__name__} is no value; give a number, text like '1.4T tokens', or an array of samples."
        )
    try:
        value = float(given)
    except OverflowError as error:
        raise BadInput("an integer beyond 1.8e308 was given; no quantity is that large.") from error
    if not np.isfinite(value):
        raise BadInput(f"{value} was given; values must be finite numbers.")
    return value


def _nouns(of: Quantity | Unit | None, ties: Mapping[str, Unit] | None) -> Nouns:
    nouns = noun_readings(ties)
    if isinstance(of, Quantity) and of.domain == "count" and of.unit.is_number:
        nouns += ((of.name, Reading((), 1.0, words=1)), (of.name.removesuffix("s"), Reading((), 1.0, words=1)))
    return nouns


def _read_text(text: str, of: Quantity | Unit | None, ties: Mapping[str, Unit] | None) -> Value:
    written, nouns = split(text), _nouns(of, ties)
    try:
        chosen = _chosen(written, of, nouns, text)
    except UnitError as error:
        raise type(error)(f"'{shorten(text.strip())}': {error}") from error
    values = [_value(number, one) for number, one in zip(written.numbers, chosen, strict=True)]
    main = chosen[0]
    if main.bare and isinstance(of, Quantity):
        check_plausible_unit(values[0], of, text)
    spread, form_note = _spread(written, values, of, text)
    check_domain(spread, of, text)
    notes = dict.fromkeys((*(note for one in chosen for note in one.notes), *_multiplier_notes(written, chosen)))
    sigfigs, slack = _precision(written, of) if written.form == "point" else (None, 0.0)
    return Value(
        spread=spread,
        unit=main.unit,
        text=text.strip(),
        notes=(*notes, *form_note),
        sigfigs=sigfigs,
        slack=slack + max(one.slack for one in chosen),
    )


def _value(number: Number, one: Fit) -> float:
    if one.power is not None:
        return number.times_ten_to(one.power)
    value = number.times_ten_to(0) * one.scale
    if not np.isfinite(value):
        raise BadInput(f"'{shorten(number.written)}' in this unit is too large: values up to about 1.8e308 are read.")
    return value


def _chosen(written: Written, of: Quantity | Unit | None, nouns: Nouns, text: str) -> list[Fit]:
    """How each number's unit is read; numbers without one share that of the last (or else the first) that has one."""
    numbers = written.numbers
    if len(numbers) == 1:
        return [_one(numbers[0], of, nouns, text)]
    if written.form == "plus_minus" and _is_relative(written):
        return [_one(numbers[0], of, nouns, text)] * 2
    full = [number for number in numbers if _has_unit(number, nouns)] or [number for number in numbers if number.unit]
    owner = full[-1] if full else numbers[0]
    main = _one(owner, of, nouns, text)
    return [main if number.unit == owner.unit else _partner(number, main, of, nouns, text) for number in numbers]


def _one(number: Number, of: Quantity | Unit | None, nouns: Nouns, text: str) -> Fit:
    """The one reading of a number's unit that fits."""
    found = fits(number.unit, of, nouns)
    if len(found) == 1:
        return found[0]
    both = " or ".join(f"'{number.times_ten_to(0) * one.scale:g} {one.unit.base}'".replace(" 1'", "'") for one in found)
    for_what = f" for {of.name}" if isinstance(of, Quantity) else ""
    raise AmbiguousInput(
        f"'{shorten(text)}' can be read in two ways{for_what}: as {both}. Write the one that is meant."
    )


def _has_unit(number: Number, nouns: Nouns) -> bool:
    return bool(number.unit.strip("$")) and any(one.words or one.percent for one in readings(number.unit, nouns))


def _partner(number: Number, main: Fit, of: Quantity | Unit | None, nouns: Nouns, text: str) -> Fit:
    """The unit of a number that stands beside another with unit `main`: its own, or a multiplier before the other's."""
    if not number.unit.strip("$"):
        if main.multiplier != 1.0 and number.complete:
            scale = main.scale / main.multiplier
            return main._replace(scale=scale, power=POWERS.get(scale), multiplier=1.0)
        if main.multiplier != 1.0:
            factor = f"{main.multiplier:g}"
            raise AmbiguousInput(
                f"'{shorten(text)}' can be read in two ways: '{number.digits}' may stand for itself or for "
                f"{number.digits} x {factor}. Write the multiplier at each number, as in 1M to 2M."
            )
        return main
    own = readings(number.unit, nouns)
    wanted = due(of).unit
    exact = wanted is not None and any(one.dims == wanted.dims for one in own)
    multipliers = [one for one in own if not one.words and not one.percent]
    if multipliers and not main.bare and not exact:
        scale = multipliers[0].scale * main.scale / main.multiplier
        return main._replace(scale=scale, power=POWERS.get(scale), multiplier=multipliers[0].scale)
    return _one(number, of, nouns, text)


def _spread(
    written: Written, values: list[float], of: Quantity | Unit | None, text: str
) -> tuple[Spread, tuple[str, ...]]:
    """The spread that the values make in this form, and the note that names the form."""
    first = values[0]
    if written.form == "point":
        return Point(first), ()
    if written.form == "about":
        return _about(first, of, text), ("~: 90 % interval, x/÷ 1.25",)
    if written.form == "range":
        _in_order(values, text)
        return Range(*values), ("hard range: every value between is equally likely",)
    if written.form == "plus_minus":
        half = _half_width(written, values, of, text)
        if half < 0:
            raise BadInput(f"'{shorten(text)}' has a negative half-width; write 40% ± 5%.")
        return spread_of(first - half, first, first + half, of, text), ("±: half-width of the 90 % interval",)
    _in_order([values[1], first, values[2]] if written.form == "centred" else values, text)
    if written.form == "centred":
        return spread_of(values[1], first, values[2], of, text), ("median and 90 % interval",)
    return spread_of(first, None, values[1], of, text), ("5 to 95 % interval",)


def _in_order(values: list[float], text: str) -> None:
    if values != sorted(values):
        raise BadInput(f"'{shorten(text)}' runs backwards: write the smaller value first.")


def _about(value: float, of: Quantity | Unit | None, text: str) -> Spread:
    if isinstance(of, Quantity) and of.domain == "fraction" and value * ABOUT >= 1:
        # Towards 1 the same factor is taken on what is missing to it: ~90 % goes up to 92 %.
        return spread_of(value / ABOUT, value, 1 - (1 - value) / ABOUT, of, text)
    return spread_of(
        *((value / ABOUT, value, value * ABOUT) if value > 0 else (value * ABOUT, value, value / ABOUT)), of, text
    )


def _is_relative(written: Written) -> bool:
    """Whether a percentage stands after ± behind a value that is none."""
    value, width = (number.unit.endswith(("%", "percent")) for number in written.numbers)
    return width and not value


def _half_width(written: Written, values: list[float], of: Quantity | Unit | None, text: str) -> float:
    """The half-width after ±. A percentage of a value that is none is relative to it, unless both can be shares."""
    if not _is_relative(written):
        return values[1]
    share = written.numbers[1].times_ten_to(-2)
    number = of.unit.is_number if isinstance(of, Quantity) else of is None or of.is_number
    if number and abs(values[0]) <= 1:
        raise AmbiguousInput(
            f"'{shorten(text)}' can be read in two ways: ± {share * abs(values[0]):g} (relative) or ± {share:g} "
            "(absolute). Write both as percentages, or both as numbers."
        )
    return abs(values[0]) * share


def _multiplier_notes(written: Written, chosen: list[Fit]) -> list[str]:
    """What 32k and 32Ki stand for, since both are written for 32,768."""
    notes = []
    for number, one in zip(written.numbers, chosen, strict=True):
        factor = one.multiplier
        if factor == 1e3 and "$" not in number.unit:
            value = number.times_ten_to(3)
            notes.append(
                f"{number.digits}k is {value:,.10g}; {number.digits}Ki would be {number.times_ten_to(0) * 1024:,.10g}"
            )
        elif factor in BINARY.values():
            notes.append(f"{number.digits}{_binary_name(factor)} is {number.times_ten_to(0) * factor:,.10g}")
    return notes


def _binary_name(factor: float) -> str:
    return next(name for name, value in BINARY.items() if value == factor)


def _precision(written: Written, of: Quantity | Unit | None) -> tuple[int | None, float]:
    """Digits meant, and half a unit of the last one relative to the value; a whole count written out is exact."""
    number = written.numbers[0]
    sigfigs, whole = number.significant
    if not whole or (number.plain and not number.unit and isinstance(of, Quantity) and of.domain == "count"):
        return sigfigs, 0.0
    return sigfigs, min(0.5 / whole, LOOSEST)


def read_tie(text: str) -> Unit:
    """What a noun is tied to, as in slice='32 chip'.

    >>> read_tie("32 chip").scale
    32.0
    """
    value = read(text)
    if not isinstance(value.spread, Point) or value.unit.is_number or value.spread.value <= 0:
        raise BadInput(f"'{shorten(text)}' is no tie; a tie is one number and a unit, as in slice='32 chip'.")
    return Unit(dims=value.unit.dims, scale=value.spread.value, text=text.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A device by the name it was given, and how many of it; `count` None where only the device was named."""

    count: int | None
    device: str


_CLUSTER = re.compile(
    r"(?:(?P<count>\d[\d,_]*)(?:\s*[×*]\s*|x\s*|\s+x\s+|\s+))?(?P<device>[A-Za-z0-9./~][\w.+ \-/()~]*)", re.ASCII
)
MOST_CHIPS = 10**9


def read_cluster(text: str) -> Cluster:
    """Devices and their number: "64xH100-SXM", "8 h100-sxm", "h100".

    >>> read_cluster("64 x H100-SXM")
    Cluster(count=64, device='H100-SXM')
    """
    plain = text.strip()
    match = _CLUSTER.fullmatch(plain) if len(plain) <= 100 else None
    if match is None or (match["count"] is None and plain.isdigit()):
        raise BadInput(f"'{shorten(text)}' names no devices; write 64xH100-SXM, '8 h100-sxm' or h100.")
    if match["count"] is None:
        return Cluster(count=None, device=plain)
    count = int(match["count"].replace(",", "").replace("_", ""))
    if not 1 <= count <= MOST_CHIPS:
        raise BadInput(f"'{shorten(text)}' asks for {count:,} devices; between 1 and {MOST_CHIPS:,} are taken.")
    return Cluster(count=count, device=match["device"].strip())
