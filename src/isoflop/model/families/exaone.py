"""EXAONE: 3.0 and 3.5 (remote code) are Llama; from 4.0 on norms stand after each part, with windows in the 32B."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, layer_count, sliding, uniform, width

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def exaone(fields: Fields) -> ModelSpec:
    """3.0, 3.5 and Deep."""
    fields.assume({"intermediate_size": 4 * width(fields), "num_hidden_layers": 32, "num_attention_heads": 32})
    return uniform(fields, attention(fields, bias=""), gated(fields, bias=False))


def exaone4(fields: Fields) -> ModelSpec:
    """Without a window no layer slides."""
    layers = layer_count(fields)
    windows = sliding(fields, layers) if fields.has("sliding_window") or fields.has("layer_types") else [None] * layers
    return uniform(fields, attention(fields, bias="", qk_norm="head"), gated(fields, bias=False), windows=windows)


READS = {"exaone": exaone, "exaone4": exaone4}
