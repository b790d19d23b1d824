"""SmolLM3: Llama with every fourth layer without positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, layer_count, sliding, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def smollm3(fields: Fields) -> ModelSpec:
    """Every fourth layer without positions; where windows are used, those layers have them."""
    layers = layer_count(fields)
    fields.ignore("max_window_layers")
    slides = fields.flag("use_sliding_window", default=False)
    window = fields.maybe("sliding_window") if slides else None
    rotated = fields.counts("no_rope_layers", length=layers)
    often = fields.count("no_rope_layer_interval", default=4)
    rotated = rotated or tuple((place + 1) % often for place in range(layers))
    listed = sliding(fields, layers) if fields.has("layer_types") else [None if turn else window for turn in rotated]
    return uniform(fields, attention(fields), gated(fields), windows=listed)


READS = {"smollm3": smollm3}
