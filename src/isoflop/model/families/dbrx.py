"""DBRX: sub-objects for attention and experts, layer norms without shift, every layer a mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import ACTIVATIONS, decoder, layer_count, width
from isoflop.model.fields import Fields
from isoflop.model.parts import Attention, Mlp, Moe, Norm
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.spec import ModelSpec

NORM = Norm(kind="layer")


def dbrx(fields: Fields) -> ModelSpec:
    """Grouped queries without biases; gated experts."""
    empty = Fields({}, fields.file)
    heads = fields.count("n_heads", "num_attention_heads")
    attn, ffn = fields.within("attn_config") or empty, fields.within("ffn_config") or empty
    for inner in (attn, ffn):
        inner.ignore("model_type", "clip_qkv", "moe_jitter_eps", "moe_loss_weight", "moe_normalize_expert_weights")
        inner.ignore("uniform_expert_assignment", "hidden_size")
    fields.ignore("num_key_value_heads")
    mixer = Attention(heads=heads, kv_heads=attn.count("kv_n_heads", default=1), head_width=width(fields) // heads)
    named = ffn.within("ffn_act_fn") or empty
    expert = Mlp(
        width=ffn.count("ffn_hidden_size", default=3584),
        gated=True,
        activation=named.choice(ACTIVATIONS, "name", default="silu"),
    )
    mixture = Moe(
        experts=ffn.count("moe_num_experts", default=4), active=ffn.count("moe_top_k", default=1), expert=expert
    )
    layer = Layer(norms=(NORM, NORM), mixers=(mixer,), mlp=mixture)
    return decoder(fields, [layer] * layer_count(fields), tied=False, norm=NORM)


READS = {"dbrx": dbrx}
