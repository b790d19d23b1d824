"""LongCat-Flash: two latent attentions and two dense parts a layer, and one mixture whose router may choose nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, decoder, experts, gated, latent_attention
from isoflop.model.families.common_experts import only
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

IDLE = "active parameters and FLOP are those of a token all of whose choices are experts that compute; some are not"


def longcat_flash(fields: Fields) -> ModelSpec:
    """Written as two layers for each: attention and a dense part twice, the mixture beside the first dense part.

    A token is counted as if all its choices were experts that compute; on average a third are not.
    """
    only(fields, "attention_method", "MLA")
    only(fields, "zero_expert_type", "identity")
    only(fields, "router_bias", False)  # noqa: FBT003
    # Its layer for further tokens is not in the modules that say how it is built.
    fields.ignore("mla_scale_q_lora", "mla_scale_kv_lora", "num_nextn_predict_layers", "num_hidden_layers")
    mixer = latent_attention(fields)
    only(fields, "qk_head_dim", mixer.nope_width + mixer.rope_width)
    dense = gated(fields, "ffn_hidden_size", "intermediate_size", bias=False)
    wide = fields.count("expert_ffn_hidden_size", "moe_intermediate_size")
    mixture = experts(fields, replace(dense, width=wide), shared=dense, router_bias="stored")
    mixture = replace(mixture, idle=fields.count("zero_expert_num", default=0, least=0))
    first, second = (Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=mlp) for mlp in (mixture, dense))
    spec = decoder(fields, [first, second] * fields.count("num_layers"), tied=False)
    return replace(spec, notes=(IDLE,)) if mixture.idle else spec


READS = {"longcat_flash": longcat_flash}
