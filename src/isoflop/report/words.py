"""Numbers in people's units: the only place of this room that asks the glossary."""

from __future__ import annotations

from math import isfinite

from isoflop.errors import BadInput
from isoflop.quantity import quantity, write, write_centred, write_interval


def finite(value: float, what: str) -> float:
    """`value` as a plain float; NaN and infinity are refused, for no reader of JSON or of a chart takes them."""
    if isfinite(value):
        return float(value)
    raise BadInput(f"{what} came out as {value}, which is no number to show; narrow the inputs that lead to it")


def say(value: float, name: str, digits: int = 3) -> str:
    """`value` (base units of the quantity `name`) for people.

    >>> say(1.14e12, "params")
    '1.14T'
    """
    return write(finite(value, name), quantity(name), digits)


def say_bare(value: float, name: str, unit: str, digits: int = 3) -> str:
    """`value` in `unit` without the unit's name, for columns whose head names it.

    >>> say_bare(989e12, "peak_rate", "TFLOP/s/chip"), say_bare(3.22 / 3600, "price", "$/chip/h")
    ('989', '$3.22')
    """
    return write(finite(value, name), quantity(name), digits, shown=unit).partition(" ")[0].partition("/")[0]


def say_interval(low: float, high: float, name: str, *, hard: bool = False) -> str:
    """Both ends in one unit; `hard` bounds are joined by a dash, as they would be typed.

    >>> say_interval(0.86e12, 1.44e12, "params"), say_interval(90 * 86400.0, 100 * 86400.0, "train_time", hard=True)
    ('860B to 1.44T', '90-100 days')
    """
    return write_interval(finite(low, name), finite(high, name), quantity(name), hard=hard)


def say_around(value: float, low: float, high: float, name: str) -> str:
    """A value with its interval, where it has one, in one unit.

    >>> say_around(2.3, 2.27, 2.34, "loss"), say_around(2.3, 2.3, 2.3, "loss")
    ('2.3 (2.27 to 2.34) nats/token', '2.3 nats/token')
    """
    if low == value == high:
        return say(value, name)
    return write_centred(finite(value, name), finite(low, name), finite(high, name), quantity(name))


def base_unit(name: str) -> str:
    """The base unit of the quantity `name`, in which JSON and CSV give numbers.

    >>> base_unit("price"), base_unit("mfu")
    ('$/chip/s', '1')
    """
    return quantity(name).unit_text


def number(value: float) -> str:
    """A number without a unit, six digits, thousands marked.

    >>> number(1234567.0), number(0.33), number(6.4e-12)
    ('1,234,567', '0.33', '6.4e-12')
    """
    if isfinite(value) and value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:.6g}"


def percent(share: float) -> str:
    """A share as whole percent, smaller ones with one digit.

    >>> percent(0.512), percent(0.004), percent(0.0)
    ('51 %', '0.4 %', '0 %')
    """
    text = f"{100 * share:.0f}" if abs(share) >= 0.01 or share == 0 else f"{100 * share:.1g}"
    return f"{text} %"


def change(ratio: float) -> str:
    """How far a ratio is from 1, as signed percent with one digit behind the point below 10.

    >>> change(1.059), change(0.9998), change(1.37), change(7.4)
    ('+5.9 %', '0.0 %', '+37 %', '7.4x')
    """
    if not 0.2 < ratio < 3:
        return f"{ratio:.2g}x"
    text = f"{100 * (ratio - 1):+.{0 if abs(ratio - 1) >= 0.0995 else 1}f}"
    return f"{'0.0' if text in {'+0.0', '-0.0'} else text} %"


def signed(value: float) -> str:
    """A signed number of up to three digits.

    >>> signed(1.0), signed(-0.4967)
    ('+1', '-0.497')
    """
    return f"{value:+.3g}"


def ratio_words(ratio: float) -> str:
    """How one value stands to another, to be followed by that other.

    >>> ratio_words(1.0004), ratio_words(1.174), ratio_words(0.5)
    ('agrees with', '1.17 times', '0.5 times')
    """
    return "agrees with" if abs(ratio - 1) < 1e-3 else f"{ratio:.3g} times"


def bracketed(numbers: tuple[int, ...]) -> str:
    """Step numbers as a reader follows them.

    >>> bracketed((5, 6, 2))
    '[5], [6], [2]'
    """
    return ", ".join(f"[{one}]" for one in numbers)
