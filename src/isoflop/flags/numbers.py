"""Numbers as people write them, and what they become in every number format."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from isoflop.errors import BadInput, shorten

if TYPE_CHECKING:
    from isoflop.quantize import NumberFormat, Stored

_NAMED = {"pi": math.pi, "π": math.pi, "e": math.e, "tau": math.tau}
_LONGEST = 64


def stored_in(number: float, chosen: tuple[NumberFormat, ...], most: float) -> list[Stored]:
    """Each format alone, and those that are used with a scale with one as well."""
    from isoflop.quantize import store

    found = []
    for one in chosen:
        if one.kind != "table" and not one.block:
            found.append(store(number, one))
        if one.scaled:
            found.append(store(number, one, absmax=most))
    return found


def number_of(text: str) -> float:
    """The value as people write it: 3.14, 1e5, -0.1, pi."""
    clean = text.strip().lower()
    if clean.lstrip("-") in _NAMED:
        return _NAMED[clean.lstrip("-")] * (-1 if clean.startswith("-") else 1)
    try:
        found = float(clean if len(clean) <= _LONGEST else "too long")
    except ValueError as error:
        raise BadInput(f"'{shorten(text)}' is no number; give one such as 3.14159, 1e5, -0.1 or pi.") from error
    if not math.isfinite(found):
        raise BadInput(f"'{shorten(text)}' has no place between numbers; give a finite one.")
    return found


def next_power(number: float) -> float:
    """The power of two at or above the magnitude; 1 for zero."""
    mantissa, exponent = math.frexp(abs(number))
    return max(abs(number), math.ldexp(1.0, min(exponent - (mantissa == 0.5), 1023))) if number else 1.0
