"""What is known about a value: a point, hard bounds, a 5 to 95 % interval, or samples. All in base units.

Five classes with the same members: `median`, `low`, `high` (the 5 and 95 % points, or the bounds of a hard range),
`is_point`, `is_hard`, `scaled(factor)`, `sample(rng, n)`. Shapes say in which scale a spread is normal: "lognormal" for
what is positive, "logit" for shares (never outside 0 to `top`), "normal" for what can have any sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isfinite, log
from typing import TYPE_CHECKING, Literal

import numpy as np

from isoflop.errors import BadInput

if TYPE_CHECKING:
    from isoflop.quantity.types import FloatArray, Real

Shape = Literal["lognormal", "logit", "normal"]

Z95 = 1.6448536269514722
"""The 95 % point of the standard normal."""


@dataclass(frozen=True, slots=True)
class Point:
    """Exactly one value."""

    value: float

    @property
    def median(self) -> float:
        """The value itself."""
        return self.value

    @property
    def low(self) -> float:
        """The value itself."""
        return self.value

    @property
    def high(self) -> float:
        """The value itself."""
        return self.value

    @property
    def is_point(self) -> bool:
        """Always true."""
        return True

    @property
    def is_hard(self) -> bool:
        """True: a point bounds itself."""
        return True

    def scaled(self, factor: float) -> Point:
        """The same in other units."""
        return Point(self.value * factor)

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:  # noqa: ARG002 (all spreads are drawn alike)
        """The value, `n` times."""
        return np.full(n, self.value, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Range:
    """Hard bounds with every value between equally likely: "90-100 days"."""

    lo: float
    hi: float

    def __post_init__(self) -> None:
        _check_order(self.lo, self.hi)

    @property
    def median(self) -> float:
        """The middle."""
        return self.lo / 2 + self.hi / 2

    @property
    def low(self) -> float:
        """The lower bound."""
        return self.lo

    @property
    def high(self) -> float:
        """The upper bound."""
        return self.hi

    @property
    def is_point(self) -> bool:
        """True where both bounds are the same."""
        return self.lo == self.hi

    @property
    def is_hard(self) -> bool:
        """Always true."""
        return True

    def scaled(self, factor: float) -> Range:
        """The same in other units."""
        return Range(*sorted((self.lo * factor, self.hi * factor)))

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Uniform draws."""
        return rng.uniform(self.lo, self.hi, n)


@dataclass(frozen=True, slots=True)
class Interval:
    """A 90 % interval, normal in the scale of its shape: "0.3 to 0.5". The median lies in the middle of that scale."""

    lo: float
    hi: float
    shape: Shape = "lognormal"
    top: float = 1.0

    def __post_init__(self) -> None:
        _check_order(self.lo, self.hi)
        _check_shape(self.shape, self.lo, self.hi, self.top)

    @property
    def median(self) -> float:
        """Geometric mean, mean of the log odds, or mean, by shape."""
        if self.lo == self.hi:
            return self.lo
        middle = (_forward(self.lo, self.shape, self.top) + _forward(self.hi, self.shape, self.top)) / 2
        return _back(middle, self.shape, self.top)

    @property
    def low(self) -> float:
        """The 5 % point."""
        return self.lo

    @property
    def high(self) -> float:
        """The 95 % point."""
        return self.hi

    @property
    def is_point(self) -> bool:
        """True where both ends are the same."""
        return self.lo == self.hi

    @property
    def is_hard(self) -> bool:
        """True only where it is a point."""
        return self.lo == self.hi

    def scaled(self, factor: float) -> Interval:
        """The same in other units; a share keeps its bounds of 0 and `top`."""
        low, high = sorted((self.lo * factor, self.hi * factor))
        return Interval(low, high, self.shape, self.top * factor)

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Draws whose 5 and 95 % points are `lo` and `hi`."""
        return _two_sided(self, self.median, rng, n)


@dataclass(frozen=True, slots=True)
class Centred:
    """A median with a 90 % interval that need not lie evenly around it: "0.318 (0.175 to 0.579)".

    Two half-normals in the scale of the shape, joined at the median.
    """

    value: float
    lo: float
    hi: float
    shape: Shape = "lognormal"
    top: float = 1.0

    def __post_init__(self) -> None:
        _check_order(self.lo, self.value)
        _check_order(self.value, self.hi)
        _check_shape(self.shape, self.lo, self.hi, self.top)

    @property
    def median(self) -> float:
        """The value it is centred on."""
        return self.value

    @property
    def low(self) -> float:
        """The 5 % point."""
        return self.lo

    @property
    def high(self) -> float:
        """The 95 % point."""
        return self.hi

    @property
    def is_point(self) -> bool:
        """True where both ends are the same."""
        return self.lo == self.hi

    @property
    def is_hard(self) -> bool:
        """True only where it is a point."""
        return self.lo == self.hi

    def scaled(self, factor: float) -> Centred:
        """The same in other units; a share keeps its bounds of 0 and `top`."""
        low, high = sorted((self.lo * factor, self.hi * factor))
        return Centred(self.value * factor, low, high, self.shape, self.top * factor)

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Draws whose 5, 50 and 95 % points are `lo`, `value` and `hi`."""
        return _two_sided(self, self.value, rng, n)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Draws from anything: a posterior, a bootstrap, an earlier answer."""

    array: FloatArray

    def __post_init__(self) -> None:
        array = np.array(self.array, dtype=np.float64)
        if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
            raise BadInput("samples are a flat array of one or more finite numbers.")
        array.flags.writeable = False
        object.__setattr__(self, "array", array)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Samples) and np.array_equal(self.array, other.array)

    def __hash__(self) -> int:
        return hash(self.array.tobytes())

    @property
    def median(self) -> float:
        """The middle sample."""
        return float(np.median(self.array))

    @property
    def low(self) -> float:
        """The 5 % point."""
        return float(np.quantile(self.array, 0.05))

    @property
    def high(self) -> float:
        """The 95 % point."""
        return float(np.quantile(self.array, 0.95))

    @property
    def is_point(self) -> bool:
        """True where all samples are the same."""
        return bool((self.array == self.array[0]).all())

    @property
    def is_hard(self) -> bool:
        """True only where it is a point."""
        return self.is_point

    def scaled(self, factor: float) -> Samples:
        """The same in other units."""
        return Samples(self.array * factor)

    def sample(self, rng: np.random.Generator, n: int) -> FloatArray:
        """The samples as they are where `n` is their number (joint draws stay joint), else draws from them."""
        return self.array if n == self.array.size else rng.choice(self.array, n)


Spread = Point | Range | Interval | Centred | Samples


def _check_order(low: float, high: float) -> None:
    if not (isfinite(low) and isfinite(high)):
        raise BadInput(f"a spread from {low:g} to {high:g} is refused: both ends must be finite.")
    if low > high:
        raise BadInput(f"a spread from {low:g} to {high:g} runs backwards: write the smaller end first.")


def _check_shape(shape: Shape, low: float, high: float, top: float) -> None:
    if low == high or shape == "normal":
        return
    if shape == "lognormal" and low <= 0:
        raise BadInput(f"a log-normal interval from {low:g} to {high:g} reaches zero; give a lower end above 0.")
    if shape == "logit" and not 0 < low <= high < top:
        raise BadInput(f"an interval of a share lies strictly between 0 and {top:g}; {low:g} to {high:g} does not.")


def _forward(value: float, shape: Shape, top: float) -> float:
    if shape == "normal":
        return value
    return log(value) if shape == "lognormal" else log(value / (top - value))


def _back(place: float, shape: Shape, top: float) -> float:
    if shape == "normal":
        return place
    return exp(place) if shape == "lognormal" else top / (1 + exp(-place))


def _two_sided(spread: Interval | Centred, median: float, rng: np.random.Generator, n: int) -> FloatArray:
    if spread.lo == spread.hi:
        return np.full(n, spread.lo, dtype=np.float64)
    low, middle, high = (_forward(value, spread.shape, spread.top) for value in (spread.lo, median, spread.hi))
    draws = rng.standard_normal(n) / Z95
    places: Real = middle + draws * np.where(draws > 0, high - middle, middle - low)
    if spread.shape == "normal":
        return np.asarray(places, dtype=np.float64)
    if spread.shape == "lognormal":
        return np.exp(places)
    return np.asarray(spread.top / (1 + np.exp(-places)), dtype=np.float64)
