"""DeepSeek-V3.2 and what is built like it: latent attention that reads what a sparse index chose ("DSA").

Released files of V3.2 and GLM-5 have the `index_*` fields and no lists: every layer has an index.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import (
    RMS_PAIR,
    decoder,
    gated,
    latent_attention,
    layer_count,
    next_token_layers,
    width,
)
from isoflop.model.families.common_experts import (
    fine_grained,
    hyper_connections,
    index,
    only,
    own_index,
    sparse,
    stacked,
    streams_head,
)
from isoflop.model.parts import LatentAttention, Linear, vector
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def deepseek_v32(fields: Fields) -> ModelSpec:
    """V3.2: an index in every layer."""
    mixer = indexed(fields)
    mixture = fine_grained(fields)
    layers = layer_count(fields)
    _all_indexed(fields, layers)
    stack = stacked([mixer] * layers, sparse(fields, layers, first=3), mixture, gated(fields, bias=False))
    last = Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=mixture)
    return decoder(fields, stack, tied=False, apart=next_token_layers(fields, last))


def glm_moe_dsa(fields: Fields) -> ModelSpec:
    """GLM-5: later versions share one choice among several layers."""
    mixer = indexed(fields)
    mixture = fine_grained(fields)
    layers = layer_count(fields)
    _all_indexed(fields, layers)
    mixers = sharing(mixer, own_index(fields, layers))
    stack = stacked(mixers, sparse(fields, layers, first=3), mixture, gated(fields, bias=False))
    last = Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=mixture)
    return decoder(fields, stack, tied=False, apart=next_token_layers(fields, last))


def axk2(fields: Fields) -> ModelSpec:
    """A.X-K2: queries and a gate on the output from the latent before and after its norm; gated norms."""
    plain = indexed(fields)
    assert plain.q_rank is not None
    heads, query = plain.heads, plain.heads * (plain.nope_width + plain.rope_width)
    more = (
        Linear(name="q up of the latent as it is", inputs=plain.q_rank, outputs=query),
        Linear(name="gate", inputs=2 * plain.q_rank, outputs=heads * plain.value_width),
    )
    mixer = replace(plain, extras=more)
    layers = layer_count(fields)
    _all_indexed(fields, layers)
    rank, wide = fields.count("gated_norm_rank"), width(fields)
    gate = (
        Linear(name="norm gate down", inputs=wide, outputs=rank, part="norms"),
        Linear(name="norm gate up", inputs=rank, outputs=wide, part="norms"),
    )
    mixture, dense = fine_grained(fields), gated(fields, bias=False)
    stack = [
        Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=mixture if one else dense, extras=gate * (2 if one else 1))
        for one in sparse(fields, layers, first=1)
    ]
    return decoder(fields, stack, tied=False)


def hy_v4(fields: Fields) -> ModelSpec:
    """Hunyuan 4: several residual streams, a gate and a sink in attention, one index for four layers."""
    base = indexed(fields)
    extras = (
        Linear(name="gate", inputs=width(fields), outputs=base.heads * base.value_width),
        vector("sinks", base.heads),
    )
    layers = layer_count(fields)
    _all_indexed(fields, layers)
    kinds = fields.words("indexer_types", length=layers)
    own = own_index(fields, layers) if kinds else tuple(place == 0 or place % 4 == 1 for place in range(layers))
    mixed = sparse(fields, layers, first=1)
    streams = hyper_connections(fields, mixes=2 * fields.count("hc_mult"), scales=2)
    fields.ignore("learnable_sink_init")
    mixers = sharing(replace(base, extras=extras), own)
    stack = stacked(mixers, mixed, fine_grained(fields), gated(fields, bias=False), extras=streams)
    return decoder(fields, stack, tied=False, extras=streams_head(fields))


def mistral_large4(fields: Fields) -> ModelSpec:
    """Mistral Large 4: layers without rotary positions keep no rotary key; layers may share latents and choices."""
    layers, wide = layer_count(fields), width(fields)
    heads = fields.count("index_n_heads")
    more = (vector("index q norm", 2 * wide), vector("index softmax scale", 2 * heads))
    base = replace(latent_attention(fields), index=index(fields, wide, extras=more))
    base = replace(base, extras=(vector("softmax scale", 2 * base.heads),))
    flat = replace(base, nope_width=base.nope_width + base.rope_width, rope_width=0)
    every = fields.count("no_rope_layer_interval", default=4)
    rotary = fields.counts("no_rope_layers", length=layers) or [(place + 1) % every for place in range(layers)]
    source = fields.counts("kv_source_layers", length=layers) or tuple(range(layers))
    mixers = [
        replace(base if rotary[place] else flat, kv="own" if source[place] == place else "earlier")
        for place in range(layers)
    ]
    _all_indexed(fields, layers)
    own = own_index(fields, layers)
    stack = stacked(
        [following(mixer, own=one) for mixer, one in zip(mixers, own, strict=True)],
        sparse(fields, layers, first=1),
        fine_grained(fields, router_bias="none"),
        gated(fields, bias=False),
    )
    return decoder(fields, stack, tied=False)


def indexed(fields: Fields) -> LatentAttention:
    """Latent attention with an index whose queries come from the queries' latent."""
    mixer = latent_attention(fields)
    if mixer.q_rank is None:
        raise fields.missing("q_lora_rank")
    fields.ignore("indexer_rope_interleave")
    return replace(mixer, index=index(fields, mixer.q_rank))


def sharing(mixer: LatentAttention, own: tuple[bool, ...]) -> list[LatentAttention]:
    """The mixer of every layer, with its own index or an earlier layer's choice."""
    return [following(mixer, own=one) for one in own]


def following(mixer: LatentAttention, *, own: bool) -> LatentAttention:
    """The mixer with its own index, or with what an earlier layer's index chose."""
    assert mixer.index is not None
    return mixer if own else replace(mixer, index=replace(mixer.index, shared=True))


def _all_indexed(fields: Fields, layers: int) -> None:
    """Doubt a list of layer types that holds anything else."""
    fields.ignore("mlp_bias")
    only(fields, "layer_types", ["indexed_attention"] * layers, ["deepseek_sparse_attention"] * layers)


READS = {
    "axk2": axk2,
    "deepseek_v32": deepseek_v32,
    "glm_moe_dsa": glm_moe_dsa,
    "hy_v4": hy_v4,
}
