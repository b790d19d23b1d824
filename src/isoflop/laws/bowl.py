"""Chinchilla above a valley in learning rate and batch: for runs that swept them, every run taken as it is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from isoflop.laws.curves import OF_PARAMS, OF_TOKENS, PLAIN
from isoflop.laws.shape import EXPONENT, Box, Term

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.quantity import FloatArray

COLUMNS = ("params", "tokens", "learning_rate", "batch_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """Loss = (E + A / N^alpha + B / D^beta) (1 + q), q what a learning rate and a batch off their best cost.

    With x and y how far ln(rate) and ln(batch) are from best, each best a product of powers of N and D, q is
    ((k x + m y)^2 + (l y)^2) e^(s x + t y): a bowl that may be steeper on one side. The batch is in tokens or in
    sequences of one length. Neglects that the bowl may narrow with size; on 2,702 public runs what this form misses is
    0.6 % of loss. Source: [stepfun2025] for bests that are powers; the bowl is ours.
    """

    batch: str = "batch_tokens"

    title: ClassVar[str] = "Loss = (E + A / params^alpha + B / tokens^beta) (1 + bowl in learning rate and batch)"
    coordinates: ClassVar[tuple[str, ...]] = (
        "ln_E", "ln_A", "ln_B", "alpha", "beta", "ln_rate", "rate_params", "rate_tokens", "ln_batch", "batch_params",
        "batch_tokens", "ln_k", "m", "ln_l", "s", "t",
    )  # fmt: skip
    centring: ClassVar[tuple[Term, ...]] = (OF_PARAMS, OF_TOKENS)
    source: ClassVar[str] = "stepfun2025"

    @property
    def name(self) -> str:
        """The name, as in --law."""
        return "tuned" if self.batch == "batch_tokens" else "tuned-sequences"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it needs."""
        return ("params", "tokens", "learning_rate", self.batch)

    @property
    def bounds(self) -> Mapping[str, Box]:
        """Exponents of the law as everywhere, those of the bests and the lopsidedness within reason."""
        wide = dict.fromkeys(("rate_params", "rate_tokens", "batch_params", "batch_tokens"), (-3.0, 3.0))
        box = {"alpha": EXPONENT, "beta": EXPONENT, "ln_k": (-9.0, 2.0), "ln_l": (-9.0, 2.0), "m": (-3.0, 3.0)}
        return MappingProxyType({**box, **wide, "s": (-1.0, 1.0), "t": (-1.0, 1.0)})

    def _logs(self, columns: Mapping[str, FloatArray]) -> list[FloatArray]:
        return [np.log(columns[name]) for name in self.inputs]

    def log_loss(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """ln(loss)."""
        e, a, b, alpha, beta, *bowl = (at[..., index, None] for index in range(len(self.coordinates)))
        size, data, rate, batch = self._logs(columns)
        x = rate - (bowl[0] + bowl[1] * size + bowl[2] * data)
        y = batch - (bowl[3] + bowl[4] * size + bowl[5] * data)
        off = _off(x, y, bowl[6:])[0]
        terms = np.stack(np.broadcast_arrays(e, a - alpha * size, b - beta * data))
        largest = np.real(terms).max(axis=0)
        found: FloatArray = largest + np.log(np.exp(terms - largest).sum(axis=0)) + np.log1p(off)
        return found

    def log_gradient(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """Derivatives of ln(loss), by hand: sixteen constants, thousands of rows."""
        e, a, b, alpha, beta, *bowl = (at[..., index, None] for index in range(len(self.coordinates)))
        size, data, rate, batch = self._logs(columns)
        x = rate - (bowl[0] + bowl[1] * size + bowl[2] * data)
        y = batch - (bowl[3] + bowl[4] * size + bowl[5] * data)
        terms = np.stack(np.broadcast_arrays(e, a - alpha * size, b - beta * data))
        shares = np.exp(terms - terms.max(axis=0))
        shares /= shares.sum(axis=0)
        off, by_x, by_y, others = _off(x, y, bowl[6:])
        scale = 1.0 / (1.0 + off)
        by_x, by_y = -by_x * scale, -by_y * scale
        parts = (
            *shares, -size * shares[1], -data * shares[2], by_x, by_x * size, by_x * data, by_y, by_y * size,
            by_y * data, *(other * scale for other in others),
        )  # fmt: skip
        return np.stack(np.broadcast_arrays(*parts), axis=-1)

    def starts(self, columns: Mapping[str, FloatArray], loss: FloatArray) -> FloatArray:
        """Chinchilla's starts, with bests through the middle of the runs that move as in the published laws."""
        plain = PLAIN.starts(columns, loss)[6::6]
        size, data, rate, batch = (float(one.mean()) for one in self._logs(columns))
        found = []
        for falls, width in product((-0.7, 0.0), (0.05, 0.2)):
            bests = (rate - falls * size - 0.3 * data, falls, 0.3, batch - 0.5 * data, 0.0, 0.5)
            found += [[*row, *bests, np.log(width), 0.0, np.log(width), 0.0, 0.0] for row in plain]
        return np.array(found)


def _off(
    x: FloatArray, y: FloatArray, bowl: list[FloatArray]
) -> tuple[FloatArray, FloatArray, FloatArray, list[FloatArray]]:
    """The bowl, its derivatives by x and y, and by its five constants."""
    k, mixed, width, s, t = np.exp(bowl[0]), bowl[1], np.exp(bowl[2]), bowl[3], bowl[4]
    tilt = s * x + t * y
    lean = np.exp(np.where(np.real(tilt) > _STEEP, _STEEP + 0.0 * tilt, tilt))
    first, second = k * x + mixed * y, width * y
    off = (first * first + second * second) * lean
    by_x = 2.0 * first * k * lean + s * off
    by_y = (2.0 * first * mixed + 2.0 * second * width) * lean + t * off
    others = [2.0 * first * k * x * lean, 2.0 * first * y * lean, 2.0 * second * second * lean, x * off, y * off]
    return off, by_x, by_y, others


_STEEP = 50.0
