"""Small experts with windows: Kolibri 1, Mellum, Flint; and Mistral 4, which has latent attention."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import (
    RMS,
    RMS_PAIR,
    attention,
    decoder,
    experts,
    gated,
    latent_attention,
    layer_count,
    next_token_layers,
    scaled,
    sliding,
    uniform,
)  # fmt: skip
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def kolibri(fields: Fields) -> ModelSpec:
    """Norms on both sides of each part, a shared expert, a stored correction; every fifth layer sees everything."""
    expert = gated(fields, "moe_intermediate_size", bias=False)
    shared = replace(expert, width=fields.count("shared_expert_intermediate_size"))
    return uniform(
        fields,
        attention(fields, bias="", qk_norm="head"),
        experts(fields, expert, shared=shared, router_bias="stored"),
        norms=(RMS,) * 4,
        windows=sliding(fields, layer_count(fields), every=5),
    )


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


def mistral4(fields: Fields) -> ModelSpec:
    """DeepSeek's layer without a correction of the router's scores."""
    dense = Layer(norms=RMS_PAIR, mixers=(latent_attention(fields),), mlp=gated(fields, bias=False))
    expert = gated(fields, "moe_intermediate_size", bias=False)
    shared = scaled(expert, fields.count("n_shared_experts", least=0))
    sparse = replace(dense, mlp=experts(fields, expert, shared=shared))
    layers = layer_count(fields)
    first = min(layers, fields.count("first_k_dense_replace", default=0, least=0))
    return decoder(fields, [dense] * first + [sparse] * (layers - first), tied=False)


READS = {"flint": flint, "kolibri1": kolibri, "mellum": mellum, "mistral4": mistral4}
