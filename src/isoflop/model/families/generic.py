"""A family that nobody wrote down: read like Llama by the usual names of fields. Never verified."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import (
    RMS_PAIR,
    attention,
    decoder,
    experts,
    gated,
    latent_attention,
    layer_count,
    scaled,
)  # fmt: skip
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def generic(fields: Fields) -> ModelSpec:
    """Grouped-query or latent attention, gated feed-forward parts or experts, two RMS norms."""
    latent = fields.has("kv_lora_rank") and fields.has("qk_nope_head_dim")
    mixer = latent_attention(fields) if latent else attention(fields, window=fields.maybe("sliding_window"))
    mlp = gated(fields, "intermediate_size", "ffn_hidden_size", "n_inner", "d_ff", "ffn_dim")
    dense = Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=mlp)
    layers = layer_count(fields)
    if not fields.maybe("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", least=0):
        return decoder(fields, [dense] * layers, tied=False)
    expert = replace(mlp, width=fields.count("moe_intermediate_size", "expert_ffn_hidden_size", default=mlp.width))
    shared = scaled(expert, fields.count("n_shared_experts", "num_shared_experts", default=0, least=0))
    mixture = replace(dense, mlp=experts(fields, expert, shared=shared))
    first = min(layers, fields.count("first_k_dense_replace", default=0, least=0))
    return decoder(fields, [dense] * first + [mixture] * (layers - first), tied=False)


READS: dict[str, object] = {}
