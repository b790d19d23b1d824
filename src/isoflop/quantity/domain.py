"""What a quantity's domain allows: checks on values, and the spread that low, middle and high make in it."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

from isoflop.errors import AmbiguousInput, BadInput, shorten
from isoflop.quantity.glossary import Quantity
from isoflop.quantity.spread import Centred, Interval, Samples, Spread
from isoflop.quantity.units import Unit, unit

if TYPE_CHECKING:
    from isoflop.quantity.spread import Shape


def check_domain(spread: Spread, of: Quantity | Unit | None, text: str) -> None:
    """Refuse values that a quantity cannot have: zero or less, a share above 1."""
    if not isinstance(of, Quantity) or of.domain == "real":
        return
    low, high = spread.low, spread.high
    if isinstance(spread, Samples):
        low, high = float(spread.array.min()), float(spread.array.max())
    what = f"'{shorten(text)}'" if text else f"{low:g}" if low <= 0 else f"{high:g}"
    if of.domain == "fraction" and not 0 < low <= high <= 1:
        hint = f" Write {high:g}% or {high / 100:g}." if 1 < high <= 100 and "%" not in text else ""
        raise BadInput(f"{of.name} is a share, above 0 and at most 1 (100 %); {what} is not.{hint}")
    if low <= 0:
        raise BadInput(f"{of.name} is above 0; {what} is not. Give a positive value, in {of.unit_text} for example.")


def check_plausible_unit(value: float, of: Quantity, text: str) -> None:
    """Refuse a bare number that makes no sense in the base unit but does in one that people use: price=1.99."""
    low, high = of.plausible
    if low <= value <= high or low <= 0:
        return
    middle = log(low * high) / 2
    scales = {shown: unit(shown).scale for shown in of.display if of.unit.dims}
    fitting = [shown for shown, scale in scales.items() if scale != 1.0 and low <= value * scale <= high]
    if fitting:
        shown = min(fitting, key=lambda one: abs(log(value * scales[one]) - middle))
        bare = text.strip()
        raise AmbiguousInput(
            f"'{shorten(bare)}' has no unit, and {of.name} is held in {of.unit_text}, where it would be far outside "
            f"{low:g} to {high:g}. Write '{_with_unit(bare, shown)}' or '{_with_unit(bare, of.unit_text)}'."
        )


def _with_unit(number: str, shown: str) -> str:
    return f"${number}{shown[1:]}" if shown.startswith("$") else f"{number} {shown}"


def shape_of(of: Quantity | Unit | None, low: float) -> Shape:
    """The scale in which an interval of a quantity is normal; without a quantity, its sign decides."""
    if isinstance(of, Quantity):
        return "logit" if of.domain == "fraction" else "normal" if of.domain == "real" else "lognormal"
    return "lognormal" if low > 0 else "normal"


def spread_of(low: float, middle: float | None, high: float, of: Quantity | Unit | None, text: str) -> Spread:
    """The 90 % interval from `low` to `high`, around `middle` where that is given."""
    shape = shape_of(of, low)
    name = of.name if isinstance(of, Quantity) else "the value"
    if shape == "logit" and low < high and not 0 < low <= high < 1:
        top = f"{high:g}" if high > 1 else "1"
        raise BadInput(
            f"'{shorten(text)}' reaches {'0' if low <= 0 else top}, but a 90 % interval of a share lies strictly "
            f"between 0 and 1. Give other ends, or hard bounds as in [30%, 45%]; for {name} write 40% or 0.4."
        )
    if shape == "lognormal" and low <= 0:
        raise BadInput(
            f"'{shorten(text)}' reaches {low:g}, but {name} is above 0. Give a lower end above 0, as in 1 to 3."
        )
    if middle is None or low == high:
        return Interval(low, high, shape)
    return Centred(middle, low, high, shape)
