"""Mellum: dense and sparse layers by list, windows too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import (
    RMS_PAIR,
    attention,
    decoder,
    experts,
    gated,
    layer_count,
    next_token_layers,
    sliding,
)
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def mellum(fields: Fields) -> ModelSpec:
    """Dense and sparse layers by list, windows too."""
    layers = layer_count(fields)
    mixer = attention(fields, qk_norm="head")
    dense = gated(fields, bias=False)
    sparse = experts(fields, replace(dense, width=fields.count("moe_intermediate_size")))
    kinds = fields.words("mlp_layer_types", length=layers) or ("sparse",) * layers
    if set(kinds) - {"sparse", "dense"}:
        fields.doubt("mlp_layer_types holds what is not known here")
    made = [
        Layer(norms=RMS_PAIR, mixers=(replace(mixer, window=window),), mlp=dense if kind == "dense" else sparse)
        for kind, window in zip(kinds, sliding(fields, layers), strict=True)
    ]
    following = fields.words("mtp_layer_types") or ("sliding_attention",)
    window = fields.maybe("sliding_window") if following[0] == "sliding_attention" else None
    ahead = dense if (fields.words("mtp_mlp_layer_types") or ("sparse",))[0] == "dense" else sparse
    predicting = Layer(norms=RMS_PAIR, mixers=(replace(mixer, window=window),), mlp=ahead)
    return decoder(fields, made, tied=False, apart=next_token_layers(fields, predicting))


READS = {"mellum": mellum}
