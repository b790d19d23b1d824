"""K-EXAONE: DeepSeek's small experts under windows, queries and keys normalised head by head."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, decoder, gated, layer_count
from isoflop.model.families.common_experts import fine_grained, sparse, stacked, windowed

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def exaone_moe(fields: Fields) -> ModelSpec:
    """Every fourth layer sees everything where no list says otherwise; without a window all do."""
    layers = layer_count(fields)
    every = fields.count("sliding_window_pattern", default=4) if _counted(fields) else 0
    window = fields.maybe("sliding_window")
    fields.ignore("sliding_window_pattern")
    slides = bool(every) and window is not None
    kinds = ["sliding_attention" if slides and (place + 1) % every else "full_attention" for place in range(layers)]
    mixer = attention(fields, bias="", qk_norm="head")
    mixers = [replace(mixer, window=one) for one in windowed(fields, layers, kinds)]
    mixed = sparse(fields, layers, first=1)
    if fields.has("mlp_layer_types"):
        fields.ignore("is_moe_layer")
    # Its layer for further tokens is not in the modules that say how it is built.
    fields.ignore("num_nextn_predict_layers", "first_last_k_dense_replace")
    return decoder(fields, stacked(mixers, mixed, fine_grained(fields), gated(fields, bias=False)), tied=False)


def _counted(fields: Fields) -> bool:
    """Whether the pattern is a number; a text ("LLLG") comes with a list of layer types."""
    return not isinstance(fields.values.get("sliding_window_pattern"), str)


READS = {"exaone_moe": exaone_moe}
