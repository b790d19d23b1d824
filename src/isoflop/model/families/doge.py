"""Doge: a mask made of the values, and thousands of experts of one row behind product keys."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, attention, decoder, gated, layer_count, width
from isoflop.model.parts import Linear, Mlp, Moe, vector
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def doge(fields: Fields) -> ModelSpec:
    """A mask out of the values lets `keep_window_size` tokens through; it is computed, so that no work is saved."""
    mixer = attention(fields, qk_norm="head", window=fields.maybe("sliding_window"))
    inner, kv = mixer.kv_heads * mixer.head_width, mixer.kv_heads
    biased = "o" in mixer.bias
    fields.ignore("keep_window_size")
    mask = (vector("mask scale", kv), Linear(name="mask", inputs=inner, outputs=kv, bias=biased))
    dense = gated(fields)
    mlp: Mlp | Moe = dense
    fields.ignore("num_experts", "num_experts_per_tok")
    if fields.flag("is_moe", default=False):
        experts = fields.count("num_experts")
        mlp = Moe(
            experts=experts,
            active=fields.count("num_experts_per_tok"),
            expert=Mlp(width=1, gated=False, activation=dense.activation),
            shared=dense,
            keys=2 * isqrt(experts),
        )
    wide = width(fields)
    layer = Layer(
        norms=RMS_PAIR,
        mixers=(replace(mixer, extras=mask),),
        mlp=mlp,
        extras=(vector("attention residual", wide), vector("mlp residual", wide)),
    )
    return decoder(fields, [layer] * layer_count(fields), tied=False)


READS = {"doge": doge}
