"""Cohere's mixtures: attention and experts read the same input behind one norm; windows; dense layers at the front."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, attention, decoder, experts, gated, layer_count, scaled
from isoflop.model.families.common_experts import shared_experts, sparse, windowed
from isoflop.model.parts import Norm
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def cohere2_moe(fields: Fields) -> ModelSpec:
    """Dense layers at the front have a width and a pattern of windows of their own."""
    layers = layer_count(fields)
    norm = RMS if fields.has("rms_norm_eps") else Norm(kind="layer")
    first = fields.count("first_k_dense_replace", default=0, least=0)
    patterns = (
        fields.count("prefix_dense_sliding_window_pattern", default=1),
        fields.count("sliding_window_pattern", default=4),
    )
    places = [(place, patterns[0]) if place < first else (place - first, patterns[1]) for place in range(layers)]
    kinds = ["sliding_attention" if (place + 1) % every else "full_attention" for place, every in places]
    expert = gated(fields, bias=False)
    mixture = experts(fields, expert, shared=scaled(expert, shared_experts(fields)))
    wide = fields.maybe("prefix_dense_intermediate_size")
    dense = replace(expert, width=wide) if wide else expert
    fields.ignore("shared_expert_combination_strategy", "expert_selection_fn", "use_qk_norm", "use_parallel_block")
    mixer = attention(fields)
    pairs = zip(windowed(fields, layers, kinds), sparse(fields, layers), strict=True)
    stack = [
        Layer(norms=(norm,), mixers=(replace(mixer, window=window),), mlp=mixture if mixed else dense, parallel=True)
        for window, mixed in pairs
    ]
    return decoder(fields, stack, tied=True, norm=norm)


READS = {"cohere2_moe": cohere2_moe}
