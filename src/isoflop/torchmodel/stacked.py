"""The decoder's forward pass for several sets of weights at once: every tensor has the runs for its first dimension.

The same operations as `decoder.Decoder`, each once for all runs: products as batched products, attention over runs and
sequences together. torch.func.vmap of the decoder itself gives the same numbers, and takes attention run by run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as f

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from isoflop.torchmodel.shape import Shape


def stacked_losses(
    shape: Shape, weights: Mapping[str, Tensor], tokens: Tensor, targets: Tensor, turns: Tensor
) -> Tensor:
    """Mean cross entropy of each run (runs,) from tokens and targets (runs, batch, tokens), in nats."""
    runs, batch, length = tokens.shape
    table = weights["embedding.weight"]
    ahead = torch.arange(runs).view(-1, 1, 1) * shape.vocabulary
    x = f.embedding(tokens + ahead, table.flatten(0, 1)).view(runs, batch * length, shape.width)
    for number in range(shape.layers):
        own = {name: weights[f"layers.{number}.{name}.weight"] for name in _PARTS}
        x = x + _attention(shape, own, _norm(x, own["before"]), turns, batch)
        inside = _norm(x, own["after"])
        x = x + _product(f.silu(_product(inside, own["gate"])) * _product(inside, own["up"]), own["down"])
    head = table if shape.tied else weights["head.weight"]
    logits = _product(_norm(x, weights["norm.weight"]), head)
    each = f.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="none")
    return each.view(runs, -1).mean(dim=1)


_PARTS = ("before", "q", "k", "v", "o", "after", "gate", "up", "down")


def _product(x: Tensor, weight: Tensor) -> Tensor:
    """(runs, rows, inputs) by (runs, outputs, inputs)."""
    return torch.bmm(x, weight.transpose(1, 2))


def _norm(x: Tensor, scale: Tensor) -> Tensor:
    out: Tensor = f.rms_norm(x, (x.shape[-1],), eps=1e-5) * scale.unsqueeze(1)
    return out


def _attention(shape: Shape, own: Mapping[str, Tensor], x: Tensor, turns: Tensor, batch: int) -> Tensor:
    """Over the sequences of all runs together: (runs x batch, heads, tokens, head width)."""
    runs = x.shape[0]

    def heads(part: str) -> Tensor:
        wide = _product(x, own[part]).view(runs * batch, -1, own[part].shape[1])
        return wide.unflatten(-1, (-1, shape.head_width)).transpose(1, 2)

    q, k, v = heads("q"), heads("k"), heads("v")
    grouped = shape.heads != shape.kv_heads
    mixed = f.scaled_dot_product_attention(_turned(q, turns), _turned(k, turns), v, is_causal=True, enable_gqa=grouped)
    return _product(mixed.transpose(1, 2).flatten(2).view(runs, -1, shape.heads * shape.head_width), own["o"])


def _turned(x: Tensor, turns: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    out: Tensor = x * turns[0] + torch.cat((-second, first), dim=-1) * turns[1]
    return out
