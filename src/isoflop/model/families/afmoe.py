"""Trinity (Arcee): four norms a layer, a gate on every element of attention's output, windows, small experts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, attention, decoder, gated, layer_count
from isoflop.model.families.common_experts import fine_grained, stacked, windowed

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def afmoe(fields: Fields) -> ModelSpec:
    """The first `num_dense_layers` are dense; every fourth layer sees everything where no list says otherwise."""
    layers = layer_count(fields)
    every = fields.count("global_attn_every_n_layers", default=4)
    kinds = ["sliding_attention" if (place + 1) % every else "full_attention" for place in range(layers)]
    fields.ignore("mup_enabled", "route_scale", "route_norm", "score_func", "num_expert_groups", "num_limited_groups")
    fields.ignore("use_grouped_mm")
    mixer = replace(attention(fields, qk_norm="head"), gate="element")
    mixers = [replace(mixer, window=one) for one in windowed(fields, layers, kinds)]
    first = fields.count("num_dense_layers", default=1, least=0)
    mixed = [place >= first for place in range(layers)]
    stack = stacked(mixers, mixed, fine_grained(fields), gated(fields, bias=False), norms=(RMS,) * 4)
    return decoder(fields, stack, tied=False)


READS = {"afmoe": afmoe}
