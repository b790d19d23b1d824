"""Mixtral and what differs from it by flags: every layer a mixture, no shared expert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import (
    LAYER_NORM,
    attention,
    decoder,
    experts,
    gated,
    layer_count,
    uniform,
)
from isoflop.model.families.common_experts import only
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def mixtral(fields: Fields) -> ModelSpec:
    """Mistral's attention, a window in every layer where one is given."""
    mixer = attention(fields, bias="", window=fields.maybe("sliding_window"))
    return uniform(fields, mixer, experts(fields, gated(fields, bias=False)))


def minimax_m2(fields: Fields) -> ModelSpec:
    """Whole projections of queries and keys are normalised; the router's scores are corrected."""
    mixer = attention(fields, bias="", qk_norm="full")
    for name in ("use_qk_norm", "use_routing_bias"):
        only(fields, name, True)  # noqa: FBT003
    only(fields, "qk_norm_type", "per_layer")
    only(fields, "shared_intermediate_size", 0)
    only(fields, "attn_type_list", [1] * layer_count(fields))
    fields.ignore("layernorm_full_attention_beta", "layernorm_linear_attention_beta", "layernorm_mlp_beta")
    # Its modules for further tokens, of which little is said, are not in the released weights.
    fields.ignore("use_mtp", "num_mtp_modules", "mtp_transformer_layers", "mlp_intermediate_size", "shared_moe_mode")
    fields.ignore("sliding_window")
    return uniform(fields, mixer, experts(fields, gated(fields, bias=False), router_bias="stored"))


def phimoe(fields: Fields) -> ModelSpec:
    """Layer norms with a shift, and biases where asked for, on the head too."""
    mixer = attention(fields, window=fields.maybe("sliding_window"))
    layer = Layer(norms=(LAYER_NORM,) * 2, mixers=(mixer,), mlp=experts(fields, gated(fields, bias=False)))
    layers = [layer] * layer_count(fields)
    return decoder(fields, layers, tied=False, norm=LAYER_NORM, head_bias=fields.flag("lm_head_bias", default=False))


def olmoe(fields: Fields) -> ModelSpec:
    """Whole projections of queries and keys are normalised."""
    mixer = attention(fields, qk_norm="full")
    return uniform(fields, mixer, experts(fields, gated(fields, bias=False)))


READS = {
    "flex_olmo": olmoe,
    "minimax_m2": minimax_m2,
    "mixtral": mixtral,
    "olmoe": olmoe,
    "phimoe": phimoe,
}
