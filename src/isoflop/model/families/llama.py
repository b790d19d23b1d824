"""Llama and what is built exactly like it, differences by flag only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, attention, decoder, gated, layer_count, sliding
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def llama(fields: Fields) -> ModelSpec:
    """Llama 1 to 3: grouped queries, gated feed-forward part, two RMS norms."""
    layer = Layer(norms=RMS_PAIR, mixers=(attention(fields),), mlp=gated(fields))
    return decoder(fields, [layer] * layer_count(fields), tied=False)


def mistral(fields: Fields) -> ModelSpec:
    """Llama with a sliding window in every layer where one is given, and never a bias."""
    windowed = attention(fields, bias="", window=fields.maybe("sliding_window"))
    layer = Layer(norms=RMS_PAIR, mixers=(windowed,), mlp=gated(fields, bias=False))
    return decoder(fields, [layer] * layer_count(fields), tied=False)


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
    mlp = gated(fields, bias=False)
    return decoder(
        fields, [Layer(norms=RMS_PAIR, mixers=(replace(mixer, window=one),), mlp=mlp) for one in windows], tied=False
    )


READS = {"llama": llama, "mistral": mistral, "qwen2": qwen2, "qwen3": qwen3}
