"""Ling and Ring, run by code that came with their weights; the published size agrees (16.8 B)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, attention, decoder, experts, gated, layer_count, next_token_layers
from isoflop.model.families.common_experts import only, shared_experts, sparse, stacked
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Moe
    from isoflop.model.spec import ModelSpec


def bailing_moe(fields: Fields) -> ModelSpec:
    """Ling and Ring: 2.0 normalises heads and corrects the router's scores, both by flags of its files."""
    for name in ("use_bias", "use_qkv_bias"):
        if not fields.has(name):
            fields.doubt(f"{name} is not in the file, and its default has changed")
    bias = ("qkv" if fields.flag("use_qkv_bias", default=False) else "") + (
        "o" if fields.flag("use_bias", default=False) else ""
    )
    normed = fields.flag("use_qk_norm", default=False)
    only(fields, "use_rmsnorm", True)  # noqa: FBT003
    only(fields, "using_split_qkv_in_self_attention", False)  # noqa: FBT003
    fields.ignore("norm_head", "norm_softmax", "score_function", "max_window_layers", "moe_router_topk_scaling_factor")
    fields.ignore("mtp_loss_scaling_factor", "multi_gate")
    mixer = attention(fields, bias=bias, qk_norm="head" if normed else "none")
    mixture = _bailing_mixture(fields)
    mixed = sparse(fields, layer_count(fields))
    stack = stacked([mixer] * len(mixed), mixed, mixture, gated(fields, bias=False))
    last = Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=mixture)
    return decoder(fields, stack, tied=False, apart=next_token_layers(fields, last))


def _bailing_mixture(fields: Fields) -> Moe:
    expert = gated(fields, "moe_intermediate_size", bias=False)
    times = shared_experts(fields)
    wide = fields.count("moe_shared_expert_intermediate_size", default=expert.width)
    shared = replace(expert, width=times * wide) if times else None
    corrected = fields.flag("moe_router_enable_expert_bias", default=False)
    return experts(fields, expert, shared=shared, router_bias="stored" if corrected else "none")


READS = {"bailing_moe": bailing_moe, "bailing_moe_v2": bailing_moe}
