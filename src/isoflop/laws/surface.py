"""A fitted law without a closed form as the rest of the house takes laws: allocation and inverse by search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from isoflop.errors import MissingData
from isoflop.laws.interface import FLOPS_PER_PARAM_TOKEN, Allocation, Convention, positive
from isoflop.laws.splitting import LARGEST, SMALLEST, lowest

if TYPE_CHECKING:
    from isoflop.laws.shape import Shape
    from isoflop.quantity import FloatArray, Real


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Loss over params and tokens of any fitted shape; further inputs have the values in `given`."""

    shape: Shape
    at: FloatArray
    given: tuple[tuple[str, float], ...] = ()
    convention: Convention = field(default_factory=Convention)

    def need(self, name: str) -> None:
        """MissingData where the form follows more than params and tokens; `name` is the law's."""
        given = {"params", "tokens", "flops", "tokens_per_param", *(key for key, _ in self.given)}
        lacking = [key for key in self.shape.inputs if key not in given]
        if lacking:
            values = " ".join(f"{key}=..." for key in self.shape.inputs)
            raise MissingData(
                f"{name} follows {', '.join(lacking)} too, so nothing is planned with it; ask: isoflop laws predict"
                f" {name} {values}"
            )

    @property
    def irreducible_loss(self) -> float:
        """The loss at 1e18 params and 1e20 tokens: what the form tends to, in nats per token."""
        return float(self.loss(1e18, 1e20))

    def loss(self, params: Real, tokens: Real) -> Real:
        """Final loss in nats per token."""
        size, data = np.broadcast_arrays(np.asarray(params, dtype=np.float64), np.asarray(tokens, dtype=np.float64))
        flat = {"params": size.ravel(), "tokens": data.ravel()}
        flat["flops"] = FLOPS_PER_PARAM_TOKEN * flat["params"] * flat["tokens"]
        flat["tokens_per_param"] = flat["tokens"] / flat["params"]
        flat |= {name: np.full(flat["params"].shape, value) for name, value in self.given}
        found = np.exp(np.asarray(self.shape.log_loss(self.at, flat))).reshape(size.shape)
        return found if found.ndim else float(found)

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
        """Refused: the best splits of such a law lie on no power of compute."""
        raise MissingData(
            f"the best splits under {self.shape.name} lie on no straight line, so they enter no equation: give"
            " allocation=20 (tokens per parameter) or allocation=none, or plan with a fit of --law chinchilla."
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
