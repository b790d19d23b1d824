"""Compute over a model's whole life: serving counts too, so a smaller model trained longer may be the better buy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import Infeasible
from isoflop.laws.interface import FLOPS_PER_PARAM_TOKEN, Allocation, positive
from isoflop.laws.splitting import lowest

if TYPE_CHECKING:
    from isoflop.laws.interface import Law
    from isoflop.quantity import FloatArray

SERVE_FLOPS_PER_PARAM_TOKEN = 2.0
"""FLOP per parameter and served token: a forward pass."""

_REACH = np.log(1e9)  # how far below the optimum of training alone is looked


def allocate_lifetime(
    law: Law,
    flops: float,
    serve_tokens: float,
    flops_per_param_token: float = FLOPS_PER_PARAM_TOKEN,
    serve_flops_per_param_token: float = SERVE_FLOPS_PER_PARAM_TOKEN,
) -> Allocation:
    """The lowest loss for `flops` FLOP that must pay for training and for serving `serve_tokens` tokens.

    Minimises loss(N, D) where flops = k N D + s N S. At S = 0 this is `law.allocate`. Counts FLOP only: where serving
    runs at a lower utilisation than training, as decoding in small batches does (by 10 times and more), scale
    `serve_tokens` up by that ratio.
    Source: [sardana2024 §2]

    >>> from isoflop.laws import published
    >>> law = published("besiroglu2024").law
    >>> f"{law.allocate(1e23).params:.3g} {allocate_lifetime(law, 1e23, 1e12).params:.3g}"
    '2.94e+10 1.49e+10'
    """
    best = law.allocate(float(positive("flops", flops)), flops_per_param_token)
    served = serve_flops_per_param_token * float(positive("serve_tokens", serve_tokens))

    def tokens(params: FloatArray) -> FloatArray:
        return np.asarray((flops / params - served) / flops_per_param_token)

    def loss(x: FloatArray) -> FloatArray:
        params = np.exp(x)
        return np.where(tokens(params) > 0, law.loss(params, np.maximum(tokens(params), 1e-300)), np.inf)

    # The served share only ever argues for a smaller model, and serving alone must not use up the compute.
    high = np.log(min(float(best.params), flops / served * (1 - 1e-9)))
    found = lowest(loss, np.asarray(high - _REACH), np.asarray(high))
    size = float(np.exp(found.at))
    if not np.isfinite(loss(found.at)) or size < 1:
        raise Infeasible(f"serving {serve_tokens:.3g} tokens leaves nothing of {flops:.3g} FLOP to train with")
    data = float(tokens(np.asarray(size)))
    return Allocation(params=size, tokens=data, loss=float(law.loss(size, data)))
