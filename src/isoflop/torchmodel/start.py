"""How a decoder starts and at what pace its matrices learn, so that one learning rate serves every width.

The width rule is that of muP for Adam [yang2022]: matrices whose both sides grow start
with variance 1 / inputs and learn at base width / width of the rate; embeddings and norms learn at the rate itself; the
head starts at zero. Neglected: the rule's 1 / head_width for attention scores; they keep 1 / sqrt(head_width).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from isoflop.torchmodel.decoder import Decoder

EMBEDDING_STD = 0.1
"""The first norm takes the size of embeddings out; this one lets a few hundred steps of Adam move them."""


def start(model: Decoder, seed: int) -> None:
    """Random weights that follow from the seed alone, whatever ran before."""
    generator = torch.Generator().manual_seed(seed)
    shape = model.shape
    with torch.no_grad():
        for name, one in model.named_parameters():
            if one.ndim < 2:
                one.fill_(1.0)
            elif name == "embedding.weight":
                one.copy_(EMBEDDING_STD * torch.randn(one.shape, generator=generator))
            elif name == "head.weight":
                one.zero_()
            else:
                # What is added to the residual stream adds up over the layers.
                deep = (2 * shape.layers) ** -0.5 if name.endswith(("o.weight", "down.weight")) else 1.0
                one.copy_(deep * one.shape[1] ** -0.5 * torch.randn(one.shape, generator=generator))


def paces(model: Decoder, base_width: int) -> Iterator[tuple[str, Tensor, float, bool]]:
    """(name, parameter, factor on the learning rate, whether weight decay applies) of every parameter."""
    ratio = base_width / model.shape.width
    for name, one in model.named_parameters():
        wide = one.ndim > 1 and name != "embedding.weight" and not name.endswith("log_step")
        yield name, one, ratio if wide else 1.0, wide
