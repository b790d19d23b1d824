"""How far a question lies outside the runs that a law was fitted on, in decades."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from isoflop.quantity import quantity as words
from isoflop.quantity import write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.quantity import Real


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedOn:
    """Ranges of the runs behind a law, by glossary quantity in base units; `of` says which runs these are.

    An empty `ranges` means that they are not recorded, and then `warnings` says so instead of staying silent.
    """

    of: str
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=lambda: MappingProxyType({}))

    def decades_outside(self, quantity: str, value: Real) -> Real:
        """Powers of ten above (positive) or below (negative) the range of `quantity`; 0 inside, or if none is recorded.

        >>> FittedOn(of="runs", ranges={"params": (1e8, 1e10)}).decades_outside("params", 1e12)
        2.0
        """
        if quantity not in self.ranges:
            return value * 0.0
        low, high = self.ranges[quantity]
        above = np.maximum(np.log10(value / high), 0.0)
        outside = above + np.minimum(np.log10(value / low), 0.0)
        return outside if np.ndim(outside) else float(outside)

    def warnings(self, law: str, **values: float) -> tuple[str, ...]:
        """One sentence for each of `values` (by glossary name, base units) outside its range; `law` is its name."""
        if not self.ranges:
            return (f"how far this is from the runs behind {law} is not known: {self.of}",)
        found = []
        for quantity, value in values.items():
            distance = float(self.decades_outside(quantity, value))
            if abs(distance) >= NEGLIGIBLE:
                of = words(quantity)
                low, high = (write(end, of) for end in self.ranges[quantity])
                side = "above" if distance > 0 else "below"
                found.append(
                    f"{quantity} {write(value, of)} lies {abs(distance):.1f} decades {side} the runs behind {law}"
                    f" ({low} to {high})"
                )
        return tuple(found)


NEGLIGIBLE = 0.05
"""Decades beyond a range that are not worth a warning: 12 %, about the rounding of the ranges themselves."""
