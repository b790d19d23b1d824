"""Was a model trained on too few tokens or too many, and what did that cost?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from isoflop.laws.interface import FLOPS_PER_PARAM_TOKEN, positive
from isoflop.quantity import quantity, write

if TYPE_CHECKING:
    from isoflop.laws.interface import Allocation, Allocator, Law, Split

Kind = Literal["under-trained", "near the optimum", "over-trained"]

NEAR = 1.5
"""Tokens per parameter within this factor of the optimum count as near it: laws differ among themselves by more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A run held against what a law would have made of the same compute.

    `factor` is tokens per parameter over the law's own at this compute; `optimum` is that split.
    """

    kind: Kind
    flops: float
    tokens_per_param: float
    factor: float
    optimum: Split | Allocation

    def __str__(self) -> str:
        wanted = float(self.optimum.tokens_per_param)
        params = write(float(self.optimum.params), quantity("params"))
        tokens = write(float(self.optimum.tokens), quantity("tokens"))
        return (
            f"{self.kind}: {self.tokens_per_param:.3g} tokens per parameter, {self.factor:.2g} times the optimum of"
            f" {wanted:.3g}; {write(self.flops, quantity('train_flops'))} are best spent on {params} parameters and"
            f" {tokens} tokens"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """What a run off the optimum costs under a law: loss in nats per token, compute in FLOP.

    `relative` is (loss - best_loss) / best_loss at the same compute. `flops_to_match` is what reaches the same loss
    when spent best, `overspent` the run's FLOP over it.
    """

    loss: float
    best_loss: float
    relative: float
    flops_to_match: float
    overspent: float


def verdict(
    allocator: Allocator, params: float, tokens: float, flops_per_param_token: float = FLOPS_PER_PARAM_TOKEN
) -> Verdict:
    """Under-trained, near the optimum or over-trained, in the eyes of this law.

    "Over-trained" is no reproach: a smaller model is cheaper to serve.

    >>> from isoflop.laws import published
    >>> verdict(published("ratio20").allocator, params=175e9, tokens=300e9).kind
    'under-trained'
    """
    size, data = float(positive("params", params)), float(positive("tokens", tokens))
    flops = flops_per_param_token * size * data
    optimum = allocator.allocate(flops, flops_per_param_token)
    factor = data / size / float(optimum.tokens_per_param)
    kind: Kind = "near the optimum" if 1 / NEAR <= factor <= NEAR else "under-trained" if factor < 1 else "over-trained"
    return Verdict(kind=kind, flops=flops, tokens_per_param=data / size, factor=factor, optimum=optimum)


def excess(law: Law, params: float, tokens: float, flops_per_param_token: float = FLOPS_PER_PARAM_TOKEN) -> Excess:
    """Loss of a run above the best for its compute, and the compute that would have reached its loss.

    >>> from isoflop.laws import published
    >>> found = excess(published("besiroglu2024").law, params=175e9, tokens=300e9)
    >>> f"{found.relative:.1%}, {found.overspent:.2g} times the FLOP"
    '0.8%, 1.6 times the FLOP'
    """
    size, data = float(positive("params", params)), float(positive("tokens", tokens))
    flops = flops_per_param_token * size * data
    loss = float(law.loss(size, data))
    best = float(law.minimum_loss(flops, flops_per_param_token))
    enough = float(law.minimum_flops(loss, flops_per_param_token))
    return Excess(
        loss=loss, best_loss=best, relative=loss / best - 1.0, flops_to_match=enough, overspent=flops / enough
    )
