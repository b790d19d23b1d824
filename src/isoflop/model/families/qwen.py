"""Qwen, dense, 1 to 3: Llama with biases on queries, keys and values, or with queries and keys normalised."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, layer_count, sliding, uniform
from isoflop.model.families.common_experts import only

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def qwen(fields: Fields) -> ModelSpec:
    """The first: `intermediate_size` is the width of gate and up together. Run by code that came with the weights."""
    only(fields, "no_bias", True)  # noqa: FBT003
    fields.ignore("rotary_emb_base", "use_cache_quantization", "use_cache_kernel")
    fields.assume({"head_dim": fields.maybe("kv_channels")})
    mlp = gated(fields, bias=False)
    return uniform(fields, attention(fields, bias="qkv"), replace(mlp, width=mlp.width // 2))


def qwen2(fields: Fields) -> ModelSpec:
    """Biases on queries, keys and values."""
    return _qwen(fields, "qkv", normed=False)


def qwen3(fields: Fields) -> ModelSpec:
    """No biases unless asked for; queries and keys normalised head by head."""
    return _qwen(fields, None, normed=True)


def _qwen(fields: Fields, bias: str | None, *, normed: bool) -> ModelSpec:
    mixer = attention(fields, bias=bias, qk_norm="head" if normed else "none")
    layers = layer_count(fields)
    first = fields.count("max_window_layers", default=layers, least=0)
    slides = fields.flag("use_sliding_window", default=False)
    window = fields.maybe("sliding_window") if slides else None
    fields.ignore("sliding_window")
    windows = (
        sliding(fields, layers)
        if fields.has("layer_types") and slides
        else [window if place >= first else None for place in range(layers)]
    )
    fields.ignore("layer_types")
    return uniform(fields, mixer, gated(fields, bias=False), windows=windows)


READS = {"qwen": qwen, "qwen2": qwen2, "qwen3": qwen3}
