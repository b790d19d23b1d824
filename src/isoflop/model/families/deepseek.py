"""DeepSeek V2 and V3 and what is built like them: latent attention, many small experts, shared ones beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import (
    RMS,
    RMS_PAIR,
    attention,
    decoder,
    gated,
    latent_attention,
    layer_count,
    next_token_layers,
)
from isoflop.model.families.common_experts import fine_grained, sparse
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.families.common_experts import RouterBias
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Attention, LatentAttention, Norm
    from isoflop.model.spec import ModelSpec


def deepseek(fields: Fields) -> ModelSpec:
    """The first MoE, of 16B: as V2, with plain multi-head attention."""
    return _deepseek(fields, attention(fields), "none")


def deepseek_v2(fields: Fields) -> ModelSpec:
    """V2: a router without correction; the text part of DeepSeek-VL2 corrects it, or does without latent attention."""
    corrected = fields.word("topk_method") == "noaux_tc"
    if fields.flag("use_mla", default=True):
        return _deepseek(fields, latent_attention(fields), "stored" if corrected else "none")
    fields.ignore("kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
    return _deepseek(fields, attention(fields), "stored" if corrected else "none")


def deepseek_v3(fields: Fields) -> ModelSpec:
    """V3: the router's scores are corrected by a stored value an expert."""
    corrected = fields.word("topk_method", default="noaux_tc") == "noaux_tc"
    return _deepseek(fields, latent_attention(fields), "stored" if corrected else "none")


def glm4_moe_lite(fields: Fields) -> ModelSpec:
    """GLM-4.7-Flash: V3 with its first layer dense."""
    return _deepseek(fields, latent_attention(fields), "stored", first=1)


def axk1(fields: Fields) -> ModelSpec:
    """A.X-K1: a third norm after every mixture."""
    return _deepseek(fields, latent_attention(fields), "stored", first=1, after=(RMS,))


def _deepseek(
    fields: Fields,
    mixer: Attention | LatentAttention,
    router_bias: RouterBias,
    *,
    first: int = 0,
    after: tuple[Norm, ...] = (),
) -> ModelSpec:
    bias = fields.flag("mlp_bias", default=False)
    mixture = fine_grained(fields, router_bias=router_bias, bias=bias)
    mixed = sparse(fields, layer_count(fields), first=first)
    dense = Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=gated(fields, bias=bias))
    routed = Layer(norms=(*RMS_PAIR, *after), mixers=(mixer,), mlp=mixture)
    layers = [routed if one else dense for one in mixed]
    return decoder(fields, layers, tied=False, apart=next_token_layers(fields, routed))


READS = {
    "axk1": axk1,
    "deepseek": deepseek,
    "deepseek_v2": deepseek_v2,
    "deepseek_v3": deepseek_v3,
    "glm4_moe_lite": glm4_moe_lite,
    "kimi_k2": deepseek_v3,
}
