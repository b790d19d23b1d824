"""Laguna (Poolside): heads by layer, a gate on attention's output, a shared expert of its own width."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, decoder, experts, gated, layer_count
from isoflop.model.families.common_experts import sparse, stacked, windowed

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def laguna(fields: Fields) -> ModelSpec:
    """`gating`: true or "per-head" is a number a head, anything else one an element."""
    layers = layer_count(fields)
    by_head = fields.values.get("gating", True) in (True, "per-head")
    fields.ignore("gating", "moe_routed_scaling_factor", "moe_apply_router_weight_on_input")
    fields.ignore("moe_router_logit_softcapping", "swa_rope_parameters")
    mixer = replace(attention(fields, qk_norm="head"), gate="head" if by_head else "element")
    heads = fields.per_layer("num_attention_heads_per_layer", layers=layers, default=mixer.heads)
    windows = windowed(fields, layers, ["full_attention"] * layers)
    mixers = [replace(mixer, heads=many, window=window) for many, window in zip(heads, windows, strict=True)]
    expert = gated(fields, "moe_intermediate_size", bias=False)
    shared = replace(expert, width=fields.count("shared_expert_intermediate_size"))
    mixture = experts(fields, expert, shared=shared, router_bias="stored")
    mixed = sparse(fields, layers, first=1)
    return decoder(fields, stacked(mixers, mixed, mixture, gated(fields, bias=False)), tied=False)


READS = {"laguna": laguna}
