"""Amounts of running text as the values that steps hold."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING

from isoflop.audit.prose.kinds import EITHER
from isoflop.quantity import NUMBER, Point, Range, Unit, Value

if TYPE_CHECKING:
    from isoflop.audit.prose.amounts import Amount

LOOSEST = 0.125
LARGEST_RATE = 1e19
"""FLOP/s beyond which FLOPS stands for work."""
_MONTH, _YEAR = 0.04, 0.002


def value_of(amount: Amount, unit: Unit | None = None, scale: float = 1.0) -> Value:
    """The value of an amount, in base units; `unit` where the text around it says more than the amount does.

    `scale` converts from the amount's own base units to those of `unit`.
    """
    parsed = unit or unit_of(amount)
    low, high = amount.low * scale, amount.high * scale
    number = amount.number
    digits = number.digits or 1
    slack = 0.0 if low != high else min(0.5 / _whole(number.low / (number.scaled or 1.0), digits), LOOSEST)
    return Value(
        spread=Point(low) if low == high else Range(low, high),
        unit=parsed,
        text=amount.text,
        sigfigs=number.digits or None,
        slack=max(slack, 0.1 if number.about else 0.0) + _calendar(parsed),
    )


def unit_of(amount: Amount) -> Unit:
    """The unit of an amount; FLOPS beyond any machine's rate are work."""
    parsed = amount.parsed or NUMBER
    if amount.kind == EITHER and amount.low >= LARGEST_RATE:
        dims = tuple((name, power) for name, power in parsed.dims if name != "s")
        return Unit(dims=dims, scale=parsed.scale, text=parsed.text.removesuffix("/s"))
    return parsed


def _whole(value: float, digits: int) -> float:
    """The digits written, as a whole number: 2.12e16 is 212."""
    if value <= 0:
        return 1.0
    return max(1.0, float(round(value / 10.0 ** (floor(log10(value)) - digits + 1))))


def _calendar(unit: Unit) -> float:
    return _MONTH * ("month" in unit.text) + _YEAR * ("year" in unit.text)
