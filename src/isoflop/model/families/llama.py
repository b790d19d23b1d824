"""Llama and what is built exactly like it, differences by flag only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, layer_count, sliding, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def llama(fields: Fields) -> ModelSpec:
    """Llama 1 to 3: grouped queries, gated feed-forward part, two RMS norms."""
    return uniform(fields, attention(fields), gated(fields))


def mistral(fields: Fields) -> ModelSpec:
    """A sliding window in every layer where one is given, and never a bias."""
    return uniform(fields, attention(fields, bias="", window=fields.maybe("sliding_window")), gated(fields, bias=False))


def ministral(fields: Fields) -> ModelSpec:
    """Mistral with windows layer by layer."""
    layers, window = layer_count(fields), fields.maybe("sliding_window")
    listed = sliding(fields, layers) if fields.has("layer_types") else [window] * layers
    return uniform(fields, attention(fields, bias=""), gated(fields, bias=False), windows=listed)


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


READS = {
    "Yi": llama,
    "iquestcoder": llama,
    "llama": llama,
    "ministral": ministral,
    "ministral3": mistral,
    "mistral": mistral,
    "qwen2": qwen2,
    "qwen3": qwen3,
}
