"""A law as something to fit: its inputs, its coordinates, ln(loss) with its derivatives, and where to start.

Most laws are sums of powers, ln(loss) = ln sum_k exp(ln c_k + sum_j s_j e_j ln x_j): a `PowerSum` is that table of
terms and nothing else, and the core reads value, gradient and curvature from it. Any other law is a class of one's own
with the members of `Shape`; `gradient_of` gives its derivatives by complex steps where it brings none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.quantity import FloatArray

Columns = MappingProxyType[str, "FloatArray"]
Box = tuple[float, float]

EXPONENT: Box = (1e-3, 3.0)
"""Where an exponent of a power is looked for; a fit that ends at either end is refused, not reported."""

GRID = (0.12, 0.25, 0.35, 0.5, 0.8)
"""Exponents that fits start from."""

MOST_STARTS = 125


@runtime_checkable
class Shape(Protocol):
    """What a law needs to be fitted: implement this in one class to fit a law of your own.

    `inputs` are names of columns of the runs, `coordinates` the constants in the form they are fitted in (ln_A, not A,
    for what is positive). `at` holds coordinates along its last axis; `log_loss` broadcasts its leading axes against
    the rows, which come last.
    """

    @property
    def name(self) -> str:
        """The name, as in --law."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it needs, by glossary name."""

    @property
    def coordinates(self) -> tuple[str, ...]:
        """The constants, in the order of `at`."""

    @property
    def bounds(self) -> Mapping[str, Box]:
        """Where coordinates may lie; those not named are free."""

    def log_loss(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """ln(loss), of shape (..., rows)."""

    def starts(self, columns: Mapping[str, FloatArray], loss: FloatArray) -> FloatArray:
        """Where to start from: an array of shape (starts, coordinates)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """A factor column ** (sign * exponent); `exponent` names a coordinate."""

    column: str
    exponent: str
    sign: float = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """exp(scale) times powers of columns; `scale` names a coordinate. A term without powers is a floor."""

    scale: str
    powers: tuple[Power, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSum:
    """A law whose loss is a sum of products of powers."""

    name: str
    title: str
    coordinates: tuple[str, ...]
    terms: tuple[Term, ...]
    source: str = ""
    bounds: Mapping[str, Box] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns of its powers, each once."""
        return tuple(dict.fromkeys(power.column for term in self.terms for power in term.powers))

    def log_design(self, columns: Mapping[str, FloatArray]) -> FloatArray:
        """The matrix of each row and term whose product with the coordinates is ln(term): rows x terms x coordinates.

        `columns` hold logarithms.
        """
        rows = len(next(iter(columns.values())))
        place = {name: index for index, name in enumerate(self.coordinates)}
        design = np.zeros((rows, len(self.terms), len(self.coordinates)))
        for k, term in enumerate(self.terms):
            design[:, k, place[term.scale]] = 1.0
            for power in term.powers:
                design[:, k, place[power.exponent]] += power.sign * columns[power.column]
        return design

    def log_loss(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """ln(loss), of shape (..., rows)."""
        logs = {name: np.log(columns[name]) for name in self.inputs}
        terms = [self._log_term(term, at, logs) for term in self.terms]
        largest = reduce(np.maximum, [np.real(term) for term in terms])
        return largest + np.log(sum(np.exp(term - largest) for term in terms))

    def _log_term(self, term: Term, at: FloatArray, logs: Mapping[str, FloatArray]) -> FloatArray:
        place = {name: index for index, name in enumerate(self.coordinates)}
        value = at[..., place[term.scale], None] + sum(
            (power.sign * at[..., place[power.exponent], None] * logs[power.column] for power in term.powers), 0.0
        )
        return np.asarray(value)

    def starts(self, columns: Mapping[str, FloatArray], loss: FloatArray) -> FloatArray:
        """Exponents on a grid; for each of them the scales that fit best in least squares, kept positive."""
        logs = {name: np.log(columns[name]) for name in self.inputs}
        exponents = [name for name in self.coordinates if name not in {term.scale for term in self.terms}]
        values = GRID if len(exponents) <= 2 else GRID[::2] if len(exponents) == 3 else GRID[1:4:2]
        grid = list(product(values, repeat=len(exponents)))
        if len(grid) > MOST_STARTS:
            grid = grid[:: -(-len(grid) // MOST_STARTS)]
        found = np.empty((len(grid), len(self.coordinates)))
        for row, choice in enumerate(grid):
            known = dict(zip(exponents, choice, strict=True))
            found[row] = [known.get(name, 0.0) for name in self.coordinates]
            found[row] += self._scales(found[row], logs, loss)
        return found

    def _scales(self, at: FloatArray, logs: Mapping[str, FloatArray], loss: FloatArray) -> FloatArray:
        """Ln of the scales at given exponents: least squares of relative errors; a negative one becomes a small one."""
        shapes = np.stack([np.broadcast_to(self._log_term(term, at, logs), loss.shape) for term in self.terms], axis=1)
        middle = shapes.mean(axis=0)
        powers = np.exp(np.clip(shapes - middle, -50.0, 50.0)) / loss[:, None]
        shares = np.linalg.lstsq(powers, np.ones(len(loss)), rcond=None)[0]
        least = 0.02 * float(np.median(loss))
        added = np.zeros(len(self.coordinates))
        for k, term in enumerate(self.terms):
            added[self.coordinates.index(term.scale)] = np.log(max(shares[k], least)) - middle[k]
        return added


def centring(shape: Shape) -> tuple[Term, ...]:
    """Terms whose scale may be taken at the middle of the runs: those of a sum, and what another shape names."""
    if isinstance(shape, PowerSum):
        return shape.terms
    found: tuple[Term, ...] = getattr(shape, "centring", ())
    return found


def gradient_of(shape: Shape, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
    """Derivatives of ln(loss) by the coordinates, (..., rows, coordinates): the shape's own, or by complex steps.

    A complex step has no cancellation, so it is exact to rounding, but needs `log_loss` to be analytic: no abs, min or
    max of what depends on `at`.
    """
    own = getattr(shape, "log_gradient", None)
    if own is not None:
        found: FloatArray = own(at, columns)
        return found
    step = 1e-20
    parts = []
    for index in range(at.shape[-1]):
        moved = at.astype(np.complex128)
        moved[..., index] += 1j * step
        parts.append(np.imag(shape.log_loss(moved, columns)) / step)  # type: ignore[arg-type]  # complex on purpose
    return np.stack(parts, axis=-1)
