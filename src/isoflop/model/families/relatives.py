"""Near relatives of Llama, each with one thing of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import (
    LAYER_NORM,
    RMS,
    as_always,
    attention,
    gated,
    layer_count,
    plain,
    sliding,
    uniform,
)  # fmt: skip

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def arcee(fields: Fields) -> ModelSpec:
    """Two matrices with a squared ReLU between them."""
    bias = fields.flag("mlp_bias", default=False)
    return uniform(fields, attention(fields), plain(fields, bias=bias, act="relu2"))


def smollm3(fields: Fields) -> ModelSpec:
    """Every fourth layer without positions; where windows are used, those layers have them."""
    layers = layer_count(fields)
    fields.ignore("max_window_layers")
    slides = fields.flag("use_sliding_window", default=False)
    window = fields.maybe("sliding_window") if slides else None
    rotated = fields.counts("no_rope_layers", length=layers)
    often = fields.count("no_rope_layer_interval", default=4)
    rotated = rotated or tuple((place + 1) % often for place in range(layers))
    listed = sliding(fields, layers) if fields.has("layer_types") else [None if turn else window for turn in rotated]
    return uniform(fields, attention(fields), gated(fields), windows=listed)


def cwm(fields: Fields) -> ModelSpec:
    """The first of every four layers sees everything."""
    windows = sliding(fields, layer_count(fields), every=4, first=True)
    return uniform(fields, attention(fields, bias=""), gated(fields), windows=windows)


def helium(fields: Fields) -> ModelSpec:
    """No bias on the way out of attention; its matrix is square."""
    mixer = attention(fields)
    mixer = replace(mixer, bias=mixer.bias.replace("o", ""))
    wide = fields.count("hidden_size")
    if mixer.heads * mixer.head_width != wide:
        fields.doubt(f"{mixer.heads} heads of {mixer.head_width} do not make up hidden_size = {wide}")
    return uniform(fields, mixer, gated(fields))


def seed_oss(fields: Fields) -> ModelSpec:
    """Biases on queries, keys and values; one on the output is asked for apart."""
    bias = "qkv" if fields.flag("attention_bias", default=True) else ""
    bias += "o" if fields.flag("attention_out_bias", default=False) else ""
    return uniform(fields, attention(fields, bias=bias), gated(fields))


def hunyuan(fields: Fields) -> ModelSpec:
    """Queries and keys normalised head by head; the first releases name much that is off."""
    as_always(fields, use_qk_norm=True, use_rotary_pos_emb=True, norm_type="rms", position_embedding_xdrope=False)
    if not fields.flag("use_cla", default=False):
        fields.ignore("cla_share_factor")
    if not fields.has("head_dim") and fields.has("attention_head_dim"):
        fields.assume({"head_dim": fields.count("attention_head_dim")})
    if fields.values.get("attention_head_dim") == fields.values.get("head_dim"):
        fields.ignore("attention_head_dim")
    fields.ignore("add_classification_head", "class_num", "pool_type", "dense_list", "org_vocab_size", "pad_id")
    fields.ignore("im_start_id", "im_end_id", "im_newline_id", "mask_init_id", "text_start_id", "text_end_id")
    return uniform(fields, attention(fields, qk_norm="head"), gated(fields, bias=False))


def ernie(fields: Fields) -> ModelSpec:
    """One flag for all biases."""
    bias = fields.flag("use_bias", default=False)
    return uniform(fields, attention(fields, bias="qkvo" if bias else ""), gated(fields, bias=bias))


def orion(fields: Fields) -> ModelSpec:
    """Layer norms with biases."""
    return uniform(
        fields, attention(fields, bias=""), gated(fields, bias=False), norms=(LAYER_NORM, LAYER_NORM), norm=LAYER_NORM
    )


def nanochat(fields: Fields) -> ModelSpec:
    """Norms without weights, queries and keys normalised too, a squared ReLU."""
    bare = replace(RMS, scale=False)
    mlp = plain(fields, bias=False, act="relu2")
    return uniform(fields, attention(fields), mlp, norms=(bare, bare), norm=bare)


READS = {
    "arcee": arcee,
    "cwm": cwm,
    "ernie4_5": ernie,
    "helium": helium,
    "hunyuan_v1_dense": hunyuan,
    "nanochat": nanochat,
    "orion": orion,
    "seed_oss": seed_oss,
    "smollm3": smollm3,
}
