"""GLM-4.5 and what is built like it: grouped queries, DeepSeek's small experts, the first layers dense."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import (
    RMS_PAIR,
    attention,
    decoder,
    gated,
    layer_count,
    next_token_layers,
)
from isoflop.model.families.common_experts import fine_grained, sparse, stacked, windowed
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Attention
    from isoflop.model.spec import ModelSpec


def glm4_moe(fields: Fields) -> ModelSpec:
    """Biases on queries, keys and values in the released ones; heads of GLM-4.5 (355B) are normalised."""
    normed = fields.flag("use_qk_norm", default=False)
    mixer = attention(fields, bias=_qkv_bias(fields), qk_norm="head" if normed else "none")
    return _layers(fields, mixer, first=1)


def solar_open(fields: Fields) -> ModelSpec:
    """Every layer a mixture."""
    fields.ignore("first_k_dense_replace", "intermediate_size", "use_qk_norm")
    mixer = attention(fields, bias=_qkv_bias(fields))
    layer = Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=fine_grained(fields))
    return decoder(fields, [layer] * layer_count(fields), tied=False)


def dots1(fields: Fields) -> ModelSpec:
    """Queries and keys normalised head by head, a window from `max_window_layers` on where one is given."""
    layers = layer_count(fields)
    first = fields.count("max_window_layers", default=layers, least=0)
    slides = fields.maybe("sliding_window") is not None
    kinds = ["sliding_attention" if slides and place >= first else "full_attention" for place in range(layers)]
    mixer = attention(fields, qk_norm="head")
    mixers = [replace(mixer, window=one) for one in windowed(fields, layers, kinds)]
    mixed = sparse(fields, layers)
    return decoder(fields, stacked(mixers, mixed, fine_grained(fields), gated(fields, bias=False)), tied=False)


def _qkv_bias(fields: Fields) -> str:
    return "qkv" if fields.flag("attention_bias", default=False) else ""


def _layers(fields: Fields, mixer: Attention, *, first: int) -> ModelSpec:
    mixture = fine_grained(fields)
    mixed = sparse(fields, layer_count(fields), first=first)
    stack = stacked([mixer] * len(mixed), mixed, mixture, gated(fields, bias=False))
    last = Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=mixture)
    return decoder(fields, stack, tied=False, apart=next_token_layers(fields, last))


READS = {"dots1": dots1, "glm4_moe": glm4_moe, "solar_open": solar_open}
