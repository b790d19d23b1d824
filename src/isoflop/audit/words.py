"""How an audit writes amounts and factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.quantity import NUMBER, write
from isoflop.quantity.write import MULTIPLIERS

if TYPE_CHECKING:
    from isoflop.quantity import Unit

COUNTED = frozenset({"param", "token", "word"})


def said(value: float, unit: Unit | None) -> str:
    """An amount, given in base units, with three digits in the unit in which it is claimed.

    >>> from isoflop.quantity import unit
    >>> said(6.836e17, unit("FLOP/$")), said(26e12, unit("parameters")), said(3.6e9, unit("GPU-hours"))
    ('6.84e17 FLOP/$', '26T parameters', '1e6 GPU-hours')
    """
    if unit is None:
        return write(value, NUMBER)
    if unit.text[:1].isdigit() and unit.dims:
        return write(value / unit.scale, NUMBER)  # a claim without a unit, in the one that it was taken to have
    counted = len(unit.dims) == 1 and unit.dims[0][0] in COUNTED and unit.dims[0][1] == 1 and unit.scale == 1
    for size, letter in MULTIPLIERS if counted else ():
        if size <= abs(value) < 1e15:
            return f"{value / size:.3g}{letter} {unit.text}"
    return write(value, unit)


def times(ratio: float) -> str:
    """By what factor something is off.

    >>> times(100.4), times(1 / 32), times(1.66)
    ('x100 too large', 'x32 too small', 'x1.66 too large')
    """
    if not 0 < ratio < float("inf"):
        return "zero, of another sign or beyond floats"
    size = ratio if ratio >= 1 else 1 / ratio
    return f"x{_short(size)} too {'large' if ratio >= 1 else 'small'}"


def _short(size: float) -> str:
    if size < 10:
        return f"{size:.3g}"
    return f"{size:,.0f}" if size < 1e6 else f"{size:.3g}"
