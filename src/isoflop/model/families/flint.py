"""Flint: small experts, sinks, dense layers at the front."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, attention, decoder, experts, gated, layer_count, sliding
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def flint(fields: Fields) -> ModelSpec:
    """Sinks; the first layers are dense; few layers see everything, the last among them."""
    layers = layer_count(fields)
    fields.assume(
        {
            "layer_types": [
                "full_attention" if place < 2 or place % 4 == 1 or place == layers - 1 else "sliding_attention"
                for place in range(layers)
            ],
            "mlp_only_layers": [0, 1],
        }
    )
    mixer = replace(attention(fields, qk_norm="head"), sinks=True)
    dense = gated(fields, bias=False)
    shared = replace(dense, width=fields.count("shared_expert_intermediate_size"))
    sparse = experts(fields, replace(dense, width=fields.count("moe_intermediate_size")), shared=shared)
    only = fields.counts("mlp_only_layers") or ()
    step = fields.count("decoder_sparse_step")
    made = [
        Layer(
            norms=RMS_PAIR,
            mixers=(replace(mixer, window=window),),
            mlp=dense if place in only or (place + 1) % step else sparse,
        )
        for place, window in enumerate(sliding(fields, layers))
    ]
    return decoder(fields, made, tied=False)


READS = {"flint": flint}
