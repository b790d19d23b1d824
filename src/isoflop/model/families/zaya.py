"""ZAYA1 (Zyphra): attention over compressed, convolved queries and keys, and a router that is a network of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, attention, decoder, gated, layer_count, width
from isoflop.model.parts import Convolution, Linear, Moe, Recurrent, vector
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Attention
    from isoflop.model.spec import ModelSpec

LOCAL, FULL = "hybrid_sliding", "hybrid"


def zaya(fields: Fields) -> ModelSpec:
    """Scales and shifts on both sides of every residual addition; one choice of the router computes nothing."""
    layers, wide = layer_count(fields), width(fields)
    kinds = fields.words("layer_types", length=layers) or (FULL,) * layers
    if set(kinds) - {LOCAL, FULL}:
        fields.doubt("layer_types holds what is not known here")
    window = fields.maybe("sliding_window")
    if LOCAL in kinds and window is None:
        raise fields.missing("sliding_window")
    plain = attention(fields)
    mixer = replace(plain, extras=(vector("key scale", plain.kv_heads),))
    scales = vector("residual scales", 8 * wide, part="residual")
    layer = Layer(norms=RMS_PAIR, mixers=(mixer, _convolved(fields, plain)), extras=(scales,))
    stack = [
        replace(
            layer,
            mixers=(replace(mixer, window=window if kind == LOCAL else None), layer.mixers[1]),
            mlp=_mixture(fields, first=place == 0),
        )
        for place, kind in enumerate(kinds)
    ]
    head_bias = fields.flag("lm_head_bias", default=False)
    first = vector("input scale", 2 * wide, part="residual")
    return decoder(fields, stack, tied=True, head_bias=head_bias, extras=(first,))


def _convolved(fields: Fields, mixer: Attention) -> Recurrent:
    """Queries and keys pass a convolution by channel and one by head; half of a value is of the token before."""
    channels = (mixer.heads + mixer.kv_heads) * mixer.head_width
    return Recurrent(
        part="convolutions",
        projections=(),
        convolutions=(
            Convolution(channels=channels, kernel=fields.count("cca_time0"), bias=True),
            Convolution(channels=channels, kernel=fields.count("cca_time1"), bias=True, group=mixer.head_width),
        ),
        shifts=mixer.kv_heads * mixer.head_width // 2,
    )


def _mixture(fields: Fields, *, first: bool) -> Moe:
    """Down to the router's width, two layers there, then the scores; all but the first add the last one's inside."""
    inner = fields.count("router_hidden_size")
    held = fields.count("num_experts", "num_local_experts")
    more = (
        Linear(name="router down", inputs=width(fields), outputs=inner, bias=True, part="router"),
        vector("router norm", inner, part="router"),
        Linear(name="router inner", inputs=inner, outputs=inner, bias=True, part="router"),
        Linear(name="router inner", inputs=inner, outputs=inner, bias=True, part="router"),
    )
    return Moe(
        experts=held,
        active=fields.count("num_experts_per_tok"),
        expert=gated(fields, "moe_intermediate_size", bias=False),
        router_bias="stored",
        router_width=inner,
        idle=1,
        extras=more if first else (*more, vector("router state scale", inner, part="router")),
    )


READS = {"zaya": zaya}
