"""What a step keeps beside weights and state at its height: tensors of its tokens, logits, an encoder's output."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from isoflop.model.count import head_weight
from isoflop.model.parts import Moe

if TYPE_CHECKING:
    from isoflop.model.spec import ModelSpec
    from isoflop.quantity.types import FloatArray
    from isoflop.serving.runtime import Era
    from isoflop.serving.spec import Placements

MOE_CHUNK = 32768.0
"""Tokens that fused kernels of experts work on at once."""


def activation_bytes(
    model: ModelSpec, era: Era, many: Placements, step: FloatArray, sequences: FloatArray
) -> FloatArray:
    """The height of a step: tensors of its tokens in the widest layer, or logits of the sequences drawn."""
    inner, routed, expert = _widths(model)
    outer_copies, inner_copies = era.activation
    dense = inner_copies * inner / many.tp
    mixed = routed * (np.maximum(2 * expert / many.tp, model.width) + expert / many.tp) * (inner_copies > 0)
    inside = np.maximum(dense * step, mixed * np.minimum(step, MOE_CHUNK))
    tokens = 2.0 * (outer_copies * model.width * step + inside)
    vocabulary = head_weight(model).rows if model.head is not None else 0
    drawn = step if era.all_logits else sequences
    logits = era.logit_bytes * drawn * vocabulary
    # a start is rehearsed with an encoder's whole output for every sequence that may run
    frames = _encoder_frames(model) * (era.sequence_profiled > 0)
    encoded = 2.0 * outer_copies * sequences * frames * (model.encoder.width if model.encoder else 0)
    return np.asarray(np.maximum(np.maximum(tokens, logits), encoded))


def _encoder_frames(model: ModelSpec) -> float:
    """Places of the encoder's inputs, 0 where it has no table of them."""
    tables = (extra for extra in model.extras if extra.name == "position embedding")
    return float(max((table.inputs for table in tables), default=0)) if model.encoder is not None else 0.0


@lru_cache(maxsize=256)
def _widths(model: ModelSpec) -> tuple[float, float, float]:
    """(widest dense feed-forward part, experts a token meets, width of one), over all layers."""
    inner = routed = expert = 0
    for _, layer in model.stack.groups:
        if isinstance(layer.mlp, Moe):
            routed, expert = max(routed, layer.mlp.active), max(expert, layer.mlp.expert.width)
            inner = max(inner, layer.mlp.shared.width if layer.mlp.shared else 0)
        elif layer.mlp is not None:
            inner = max(inner, layer.mlp.width)
    return float(inner), float(routed), float(expert)
