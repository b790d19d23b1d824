"""Qwen's mixtures: a gated shared expert in Qwen1.5 and Qwen2, none in Qwen3; single layers may be dense."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, decoder, experts, gated, layer_count
from isoflop.model.families.common_experts import stacked, windowed

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Attention, Moe
    from isoflop.model.spec import ModelSpec


def qwen2_moe(fields: Fields) -> ModelSpec:
    """Biases on queries, keys and values; a shared expert weighed by a gate."""
    mixer = attention(fields, bias="qkv" if fields.flag("qkv_bias", default=True) else "")
    layers = layer_count(fields)
    slides = fields.flag("use_sliding_window", default=False)
    first = fields.count("max_window_layers", default=layers, least=0)
    kinds = ["full_attention" if place % 2 or place >= first else "sliding_attention" for place in range(layers)]
    windows = windowed(fields, layers, kinds) if slides else (None,) * layers
    if not slides and "sliding_attention" in (fields.words("layer_types", length=layers) or ()):
        fields.doubt("layer_types holds windows, and use_sliding_window is off")
    fields.ignore("sliding_window")
    mixture = _mixture(fields)
    expert = mixture.expert
    shared = replace(expert, width=fields.count("shared_expert_intermediate_size"))
    mixers = [replace(mixer, window=one) for one in windows]
    return _qwen(fields, mixers, replace(mixture, shared=shared, shared_gate=True))


def qwen3_moe(fields: Fields) -> ModelSpec:
    """Queries and keys normalised head by head; a window holds in every layer."""
    fields.ignore("max_window_layers")
    slides = fields.flag("use_sliding_window", default=False)
    window = fields.maybe("sliding_window") if slides else None
    fields.ignore("sliding_window")
    mixer = attention(fields, qk_norm="head", window=window)
    return _qwen(fields, [mixer] * layer_count(fields), _mixture(fields))


def _mixture(fields: Fields) -> Moe:
    return experts(fields, gated(fields, "moe_intermediate_size", bias=False))


def _qwen(fields: Fields, mixers: list[Attention], mixture: Moe) -> ModelSpec:
    layers = len(mixers)
    every = fields.count("decoder_sparse_step", default=1)
    dense = fields.counts("mlp_only_layers") or ()
    mixed = [place not in dense and (place + 1) % every == 0 for place in range(layers)]
    return decoder(fields, stacked(mixers, mixed, mixture, gated(fields, bias=False)), tied=False)


READS = {"qwen2_moe": qwen2_moe, "qwen3_moe": qwen3_moe}
