"""Bytes of all that is loaded on a chip beside a model's own weights, and of what stays on the host instead."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from isoflop.model.parts import LatentAttention, Moe
from isoflop.model.state import kv_elements_per_token
from isoflop.serving.spec import Formats
from isoflop.serving.weights import apart_bytes, held_of, scheme_of

if TYPE_CHECKING:
    from isoflop.model.spec import ModelSpec
    from isoflop.quantity.types import FloatArray
    from isoflop.serving.runtime import Era
    from isoflop.serving.spec import Deployment, Placements
    from isoflop.serving.weights import Load

PRODUCTS = 2
"""Value of `absorbed` where products of matrices are kept, in 8 bits."""


@lru_cache(maxsize=256)
def absorbed_bytes(model: ModelSpec, kind: int) -> float:
    """What is kept so as to work in the latent, all layers.

    Nothing (0), the matrices that rebuild keys and values once more in 16 bits (1), or their products with those of
    queries and outputs in 8 (2).
    """
    total = 0.0
    for times, mixer in model.stack.mixers():
        if not isinstance(mixer, LatentAttention) or not kind:
            continue
        rank, wide = mixer.kv_rank, mixer.nope_width + mixer.value_width
        into = mixer.q_rank or model.width
        each = 2.0 * wide * rank if kind == 1 else (into + model.width) * rank
        total += times * mixer.heads * each
    return total


def loaded_bytes(deployment: Deployment, era: Era, held: Load) -> FloatArray:
    """Bytes of all that is loaded on the fullest chip."""
    base, many = deployment.model, deployment.placements
    own = held.bytes - on_host(deployment, base, era, many) + deployment.beside / many.tp + era.loaded
    absorbed = absorbed_bytes(base, era.absorbed) / many.tp * (held.beyond - held.first) / base.layers
    return np.asarray(own + absorbed + _draft_weights(deployment, many))


def _draft_weights(deployment: Deployment, many: Placements) -> FloatArray | float:
    """Bytes of what guesses ahead, divided as the model is: a small model, or layers for further tokens."""
    draft, formats = deployment.speculation.draft, deployment.formats
    if draft is not None:
        return held_of(draft, Formats(weights=formats.rest)).total / many.tp
    if deployment.speculation.method != "mtp":
        return 0.0
    return apart_bytes(deployment.model, scheme_of(formats)) / (many.tp * many.dp)


def draft_state(deployment: Deployment) -> float:
    """State a token of the small model over that of the large one."""
    draft = deployment.speculation.draft
    if draft is None:
        return 0.0
    own = kv_elements_per_token(deployment.model)
    return kv_elements_per_token(draft) / own if own else 0.0


def on_host(deployment: Deployment, model: ModelSpec, era: Era, many: Placements) -> FloatArray:
    """Bytes of weights of the fullest chip that stay in the memory of the host instead."""
    off = deployment.offload
    if not off.any:
        return np.zeros_like(many.tp)
    held = held_of(model, deployment.formats, era.mxfp4_pad)
    tensor, heads, expert, vocabulary, whole = held.layers
    share = min(1.0, off.layers / model.layers)
    experts = min(1.0, max(share, off.expert_layers / max(_expert_layers(model), 1)))
    kv = np.minimum(many.tp, held.kv_heads)
    dense = (tensor + vocabulary) / many.tp + heads / kv + whole
    return np.asarray((share * dense + experts * expert / (many.tp * many.dp)) / many.pp)


def _expert_layers(model: ModelSpec) -> int:
    return sum(times for times, layer in model.stack.groups if isinstance(layer.mlp, Moe))
