"""What is asked of a split: what may be spent or reached, what is served later, how much data there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput
from isoflop.laws.interface import FLOPS_PER_PARAM_TOKEN, positive
from isoflop.laws.lifetime import SERVE_FLOPS_PER_PARAM_TOKEN
from isoflop.laws.valley import WITHIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.quantity import FloatArray

FULL_BITS = 16.0

DEARER = 0.1
"""Compute above the least that counts as nearly the cheapest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Either `flops` (FLOP; an array holds samples, its median first is the point) or `loss` (nats/token) to reach.

    `serve_tokens` are served over the model's life, each FLOP of them costing `serve_ratio` times one of training (a
    lower utilisation or another price). `unique_tokens` are the data there are, seen at most `epochs` times. `within`
    is what counts as nearly the best: 0.5 % of the loss where none is given, 10 % of the compute where a loss is asked.
    """

    flops: float | None = None
    flops_samples: FloatArray | None = None
    loss: float | None = None
    serve_tokens: float = 0.0
    serve_ratio: float = 1.0
    unique_tokens: float | None = None
    epochs: float | None = None
    flops_per_param_token: float = FLOPS_PER_PARAM_TOKEN
    serve_flops_per_param_token: float = SERVE_FLOPS_PER_PARAM_TOKEN
    within: float | None = None
    level: float = 0.8

    def __post_init__(self) -> None:
        if (self.flops is None) == (self.loss is None):
            raise BadInput(
                "give either what may be spent (flops, or a budget or deadline) or a loss to reach, not both"
            )
        for name in ("flops", "loss", "unique_tokens", "epochs", "within"):
            value = getattr(self, name)
            if value is not None:
                positive(name, value)
        for name in ("serve_ratio", "flops_per_param_token", "serve_flops_per_param_token"):
            positive(name, getattr(self, name))
        if not 0 <= self.serve_tokens < float("inf"):
            raise BadInput(f"serve_tokens must be finite and not negative; {self.serve_tokens:g} was given")
        if not 0 < self.level < 1:
            raise BadInput(f"level must lie between 0 and 1; {self.level:g} was given")
        if self.epochs is not None and self.unique_tokens is None:
            raise BadInput("epochs need unique_tokens: of how many different tokens?")

    @property
    def slack(self) -> float:
        """The share of the lowest loss, or of the least compute, that counts as nearly the best."""
        if self.within is not None:
            return self.within
        return WITHIN if self.loss is None else DEARER

    @property
    def served(self) -> float:
        """FLOP of training that serving costs for each parameter."""
        return self.serve_flops_per_param_token * self.serve_tokens * self.serve_ratio

    @property
    def most_tokens(self) -> float:
        """Training tokens that the data allow; infinite where nothing is said."""
        if self.unique_tokens is None or self.epochs is None:
            return float("inf")
        return self.unique_tokens * self.epochs

    def total(self, params: FloatArray, tokens: FloatArray) -> FloatArray:
        """FLOP of training and serving together."""
        return np.asarray(params * (self.flops_per_param_token * tokens + self.served))


def cost_of_bits(given: Mapping[str, float]) -> float:
    """What a FLOP of training costs against one in 16 bits: as many times less as the wider operand has fewer bits.

    1 where the law follows no bits. Matrix units run so much faster; above 16 bits nothing is added.
    """
    bits = [given[name] for name in ("weight_bits", "activation_bits") if name in given]
    return min(1.0, max(bits) / FULL_BITS) if bits else 1.0
