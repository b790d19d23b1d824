"""Mixtures whose code came with their weights and is in no version of transformers: Ling and Ring, Grok-1, Arctic.

Read as their released files and modules have it; sizes agree with what was published (16.8 B, 316 B, 479 B).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import (
    RMS,
    RMS_PAIR,
    attention,
    decoder,
    experts,
    gated,
    layer_count,
    next_token_layers,
    uniform,
    width,
)
from isoflop.model.families.mixtures import only, shared_experts, sparse, stacked
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


def grok1(fields: Fields) -> ModelSpec:
    """Grok-1: norms on both sides of each part, gated experts with GELU."""
    fields.ignore("attn_output_multiplier", "embedding_multiplier_scale", "output_multiplier_scale", "max_attn_value")
    expert = replace(gated(fields, bias=False), activation="gelu")
    return uniform(fields, attention(fields, bias=""), experts(fields, expert), norms=(RMS,) * 4, tied=True)


def arctic(fields: Fields) -> ModelSpec:
    """Arctic: a dense part as wide as the stream, behind a norm of its own, beside attention and mixture."""
    only(fields, "moe_layer_frequency", 1)
    only(fields, "parallel_attn_mlp_res", True)  # noqa: FBT003
    only(fields, "use_residual", True)  # noqa: FBT003
    fields.ignore("moe_eval_capacity_factor", "moe_train_capacity_factor", "moe_min_capacity", "moe_token_dropping")
    fields.ignore("enable_expert_tensor_parallelism", "enc_index")
    expert = gated(fields, bias=False)
    mixture = experts(fields, expert, shared=replace(expert, width=width(fields)))
    mixer = attention(fields, bias="", window=fields.maybe("sliding_window"))
    return uniform(fields, mixer, mixture, norms=(RMS,) * 3)


READS = {"arctic": arctic, "bailing_moe": bailing_moe, "bailing_moe_v2": bailing_moe, "grok-1": grok1}
