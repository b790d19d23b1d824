"""A fitted law without a closed form as the rest of the house takes laws: allocation and inverse by search."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from isoflop.errors import MissingData
from isoflop.laws.interface import FLOPS_PER_PARAM_TOKEN, Allocation, Convention, positive
from isoflop.laws.splitting import LARGEST, SMALLEST, lowest

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.laws.shape import Shape
    from isoflop.quantity import FloatArray, Real


DERIVED = ("params", "tokens", "flops", "tokens_per_param")
"""Inputs that params and tokens give."""

_STEP = 3e-4  # of ln(params) and ln(tokens) in differences: off by 1e-8 of an exponent
_FEWEST, _MOST = float(np.log(1e4)), float(np.log(1e20))  # tokens that are looked at
_GRID = 49
_TABLE = 700
_HALVINGS = 44
_FAR = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Loss over params and tokens of any fitted shape; further inputs have the values in `given`.

    `at` are the coordinates, or a matrix of joint draws of them (draws x coordinates): the loss of these broadcasts
    with the last axis of its inputs, as that of a form with arrays for coefficients does.
    """

    shape: Shape
    at: FloatArray
    given: tuple[tuple[str, float], ...] = ()
    convention: Convention = field(default_factory=Convention)

    @property
    def further(self) -> tuple[str, ...]:
        """Inputs beside params and tokens that have no value yet."""
        known = {*DERIVED, *(key for key, _ in self.given)}
        return tuple(key for key in self.shape.inputs if key not in known)

    @property
    def splits(self) -> bool:
        """Whether the loss follows params and tokens both, so that compute can be split between them."""
        inputs = set(self.shape.inputs)
        return {"params", "tokens"} <= inputs or {"flops", "tokens_per_param"} <= inputs

    def bound(self, **values: float) -> Surface:
        """The same with values for further inputs."""
        return replace(self, given=tuple({**dict(self.given), **values}.items()))

    def need(self, name: str) -> None:
        """MissingData where no loss of params and tokens is left to ask for; `name` is the law's."""
        if not self.splits:
            only = f"{name} follows {', '.join(self.shape.inputs)}, not params and tokens, so it splits no compute: "
            raise MissingData(f"{only}give allocation=20 (tokens per parameter), or plan with a fit of chinchilla")
        if self.further:
            values = " ".join(f"{key}=..." for key in self.further)
            raise MissingData(f"{name} follows {', '.join(self.further)} too: give {values}")

    @property
    def irreducible_loss(self) -> float:
        """The loss at 1e18 params and 1e20 tokens: what the form tends to, in nats per token."""
        return float(self.loss(1e18, 1e20))

    def loss(self, params: Real, tokens: Real) -> Real:
        """Final loss in nats per token."""
        with np.errstate(over="ignore"):
            product = FLOPS_PER_PARAM_TOKEN * np.asarray(params, dtype=np.float64) * tokens
        return self.loss_at(params=params, tokens=tokens, flops=product, tokens_per_param=tokens / params)

    def loss_at(self, **inputs: Real) -> Real:
        """Final loss in nats per token, from the shape's own inputs by name."""
        held: dict[str, Real] = {**dict(self.given), **inputs}
        names = [name for name in self.shape.inputs if name in held]
        values = [np.asarray(held[name], dtype=np.float64) for name in names]
        if self.at.ndim > 1:  # draws stand along the last axis
            values.append(np.zeros(len(self.at)))
        whole = np.broadcast_arrays(*values)
        rows = (len(self.at), -1) if self.at.ndim > 1 else (-1,)
        columns = {
            name: np.moveaxis(one, -1, 0).reshape(rows) if self.at.ndim > 1 else one.ravel()
            for name, one in zip(names, whole, strict=False)
        }
        with np.errstate(all="ignore"):  # far from any run a form leaves the range of floats; that is a high loss
            log = np.nan_to_num(np.asarray(self.shape.log_loss(self.at, columns)), nan=_FAR)
        found = np.exp(np.clip(log, -_FAR, _FAR))
        if self.at.ndim > 1:
            found = np.moveaxis(found.reshape(len(self.at), *whole[0].shape[:-1]), 0, -1)
        found = found.reshape(whole[0].shape)
        return found if found.ndim else float(found)

    def best_tokens(self, params: Real) -> Real:
        """The tokens that a model of this size is best trained on, by bisection; not a number where there are none.

        There a step in tokens gains what a step in params of the same cost does.
        """
        size = np.asarray(params, dtype=np.float64)
        up, down = np.exp(_STEP), np.exp(-_STEP)

        def owed(x: FloatArray) -> FloatArray:
            """What tokens gain above what params gain: positive where more tokens are due."""
            data = np.exp(x)
            by_data = np.log(self.loss(size, data * down)) - np.log(self.loss(size, data * up))
            by_size = np.log(self.loss(size * down, data)) - np.log(self.loss(size * up, data))
            return np.asarray(by_data - by_size)

        grid = np.linspace(_FEWEST, _MOST, _GRID)
        with np.errstate(all="ignore"):
            due = np.stack([owed(np.full(size.shape, x)) for x in grid]) > 0
            turns = due[:-1] & ~due[1:]
            open_ = turns.any(axis=0)
            # From above: far below the runs a form may turn again where it means nothing.
            last = _GRID - 2 - np.argmax(turns[::-1], axis=0)
            low, high = grid[last], grid[last + 1]
            for _ in range(_HALVINGS):
                middle = 0.5 * (low + high)
                more = owed(middle) > 0
                low, high = np.where(more, middle, low), np.where(more, high, middle)
        found = np.where(open_, np.exp(0.5 * (low + high)), np.nan)
        return found if found.ndim else float(found)

    def best_line(self) -> Callable[[Real], Real]:
        """`best_tokens` as a curve through a table of sizes: cheap to ask again and again.

        The same to 1e-6 where the form is smooth, to 2e-4 where it has a corner (repeated data).
        """
        x = np.linspace(SMALLEST, LARGEST, _TABLE)
        y = np.log(np.asarray(self.best_tokens(np.exp(x))))
        whole = np.isfinite(y)
        x, y = x[whole], y[whole]
        if len(x) < _GRID:
            raise MissingData(f"{self.shape.name} has no best split at most sizes; give allocation=20 or none")

        def asked(params: Real) -> Real:
            with np.errstate(all="ignore"):
                found = np.exp(_cubic(x, y, np.log(np.asarray(params, dtype=np.float64))))
            return found if found.ndim else float(found)

        return asked

    def gradient(self, params: Real, tokens: Real) -> tuple[Real, Real]:
        """Derivatives by params (nat/token/param) and by tokens (nat/token^2), by central differences."""
        step = 1e-5
        up, down = np.exp(step), np.exp(-step)
        by_params = (self.loss(params * up, tokens) - self.loss(params * down, tokens)) / (2 * step * params)
        by_tokens = (self.loss(params, tokens * up) - self.loss(params, tokens * down)) / (2 * step * tokens)
        return by_params, by_tokens

    def allocate(self, flops: Real, flops_per_param_token: Real = FLOPS_PER_PARAM_TOKEN) -> Allocation:
        """The split of `flops` with the lowest loss, by search over ln(params)."""
        product = positive("flops", flops) / positive("flops_per_param_token", flops_per_param_token)
        high = np.minimum(LARGEST, np.log(product) - SMALLEST)
        found = lowest(lambda x: np.asarray(self.loss(np.exp(x), product / np.exp(x))), np.asarray(SMALLEST), high)
        params = np.exp(found.at)
        size: Real = params if np.ndim(params) else float(params)
        return Allocation(params=size, tokens=product / size, loss=self.loss(size, product / size))

    def expansion_path(self) -> NoReturn:
        """Refused: the best splits of such a law lie on no power of compute; `best_tokens` follows them."""
        raise MissingData(
            f"the best splits under {self.shape.name} lie on no straight line; allocate gives them one by one."
        )

    def minimum_loss(self, flops: Real, flops_per_param_token: Real = FLOPS_PER_PARAM_TOKEN) -> Real:
        """The lowest loss that `flops` can reach, in nats per token."""
        return self.allocate(flops, flops_per_param_token).loss

    def minimum_flops(self, loss: Real, flops_per_param_token: Real = FLOPS_PER_PARAM_TOKEN) -> Real:
        """The least FLOP that reach `loss`, by bisection between 1e12 and 1e40; infinite where none does."""
        wanted = np.asarray(loss, dtype=np.float64)
        low, high = np.full(wanted.shape, np.log(1e12)), np.full(wanted.shape, np.log(1e32))
        out = np.asarray(self.minimum_loss(np.exp(high), flops_per_param_token)) > wanted
        for _ in range(60):
            middle = 0.5 * (low + high)
            reached = np.asarray(self.minimum_loss(np.exp(middle), flops_per_param_token)) <= wanted
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        found = np.where(out, np.inf, np.exp(high))
        return found if found.ndim else float(found)


def _cubic(x: FloatArray, y: FloatArray, at: FloatArray) -> FloatArray:
    """Hermite's cubic through evenly spaced points, slopes by differences; straight on outside."""
    step = (x[-1] - x[0]) / (len(x) - 1)
    slope = np.gradient(y, x, edge_order=2)
    left = np.clip(np.nan_to_num((at - x[0]) / step).astype(np.int64), 0, len(x) - 2)
    t = (at - x[left]) / step
    low, high = y[left], y[left + 1]
    rise = high - low
    first, last = step * slope[left] - rise, rise - step * slope[left + 1]
    found = low + t * rise + t * (1.0 - t) * (first * (1.0 - t) + last * t)
    found = np.where(t < 0.0, low + t * step * slope[left], found)
    return np.asarray(np.where(t > 1.0, high + (t - 1.0) * step * slope[left + 1], found))
