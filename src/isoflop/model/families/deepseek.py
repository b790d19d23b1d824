"""DeepSeek V2 and V3 and what is built like them: latent attention, many small experts, shared ones beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from isoflop.model.families.common import (
    RMS_PAIR,
    decoder,
    experts,
    gated,
    latent_attention,
    layer_count,
    next_token_layers,
    scaled,
)  # fmt: skip
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def deepseek_v2(fields: Fields) -> ModelSpec:
    """V2: a router without correction."""
    return _deepseek(fields, "none")


def deepseek_v3(fields: Fields) -> ModelSpec:
    """V3: the router's scores are corrected by a stored value an expert."""
    return _deepseek(fields, "stored")


def _deepseek(fields: Fields, router_bias: Literal["none", "stored"]) -> ModelSpec:
    mixer = latent_attention(fields)
    mlp = gated(fields, bias=False)
    expert = replace(mlp, width=fields.count("moe_intermediate_size"))
    shared = scaled(expert, fields.count("n_shared_experts", default=0, least=0))
    mixture = Layer(
        norms=RMS_PAIR, mixers=(mixer,), mlp=experts(fields, expert, shared=shared, router_bias=router_bias)
    )
    dense = replace(mixture, mlp=mlp)
    first = fields.count("first_k_dense_replace", default=0, least=0)
    often = fields.count("moe_layer_freq", default=1)
    layers = [mixture if place >= first and place % often == 0 else dense for place in range(layer_count(fields))]
    return decoder(fields, layers, tied=False, apart=next_token_layers(fields, mixture))


READS = {"deepseek_v2": deepseek_v2, "deepseek_v3": deepseek_v3, "kimi_k2": deepseek_v3}
