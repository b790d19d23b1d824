"""Mistral and Ministral: Llama with sliding windows and never a bias."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, layer_count, sliding, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def mistral(fields: Fields) -> ModelSpec:
    """A sliding window in every layer where one is given, and never a bias."""
    return uniform(fields, attention(fields, bias="", window=fields.maybe("sliding_window")), gated(fields, bias=False))


def ministral(fields: Fields) -> ModelSpec:
    """Mistral with windows layer by layer."""
    layers, window = layer_count(fields), fields.maybe("sliding_window")
    listed = sliding(fields, layers) if fields.has("layer_types") else [window] * layers
    return uniform(fields, attention(fields, bias=""), gated(fields, bias=False), windows=listed)


READS = {"ministral": ministral, "ministral3": mistral, "mistral": mistral}
