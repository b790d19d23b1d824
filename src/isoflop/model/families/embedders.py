"""Encoders for embeddings with rotary positions and BERT's norms: Nomic, GTE, Jina 3; EuroBERT."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import (
    LAYER_NORM,
    RMS,
    RMS_PAIR,
    activation,
    as_always,
    attention,
    gated,
    layer_count,
    plain,
    width,
)
from isoflop.model.families.common_classic import encoder, multi_head, two_norms
from isoflop.model.parts import Embedding, Mlp, vector
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Attention
    from isoflop.model.spec import ModelSpec


def nomic_bert(fields: Fields) -> ModelSpec:
    """Nomic: no biases outside the norms. Its own code names fields like GPT 2."""
    as_always(fields, max_trained_positions=2048, pad_vocab_size_multiple=64, dense_seq_output=True, use_xentropy=True)
    fields.ignore("fused_bias_fc", "fused_dropout_add_ln")
    if fields.has("n_embd"):
        if fields.word("activation_function") != "swiglu":
            fields.doubt("activation_function is not swiglu")
        names = {"num_attention_heads": "n_head", "max_position_embeddings": "n_positions"}
        fields = fields.changed({new: fields.count(old) for new, old in names.items()} | {"hidden_act": "silu"})
        fields.drop("activation_function")
    mixer = replace(attention(fields, bias=""), causal=False)
    inner = fields.count("intermediate_size", "n_inner")
    mlp = Mlp(width=inner, gated=True, activation=activation(fields), bias=False)
    return _embedder(fields, mixer, mlp, pooled=False)


def gte(fields: Fields) -> ModelSpec:
    """GTE of Alibaba, whose own code calls itself "new": a gated part with one bias, behind its last matrix."""
    as_always(fields, layer_norm_type="layer_norm", pack_qkv=True, position_embedding_type="rope")
    fields.ignore("logn_attention_scale", "logn_attention_clip1")
    inner = fields.count("intermediate_size")
    bias = (vector("down bias", width(fields)),)
    mlp = Mlp(width=inner, gated=True, activation=activation(fields), bias=False, extras=bias)
    return _embedder(fields, multi_head(fields, positions="rope", causal=False), mlp, pooled=False)


def jina_v3(fields: Fields) -> ModelSpec:
    """Jina 3 as transformers has it, without adapters for tasks: biases everywhere, a pooler."""
    mixer = multi_head(fields, positions="rope", causal=False)
    return _embedder(fields, mixer, plain(fields, bias=True), pooled=True)


def eurobert(fields: Fields) -> ModelSpec:
    """EuroBERT: Llama's layers, seeing both ways."""
    fields.ignore("clf_pooling", "bos_token", "eos_token", "pad_token", "mask_token")
    layer = Layer(norms=RMS_PAIR, mixers=(replace(attention(fields), causal=False),), mlp=gated(fields))
    table, context = Embedding(vocabulary=fields.count("vocab_size")), fields.maybe("max_position_embeddings")
    return encoder(fields, [layer] * layer_count(fields), table, norm=RMS, context=context)


def _embedder(fields: Fields, mixer: Attention, mlp: Mlp, *, pooled: bool) -> ModelSpec:
    table = Embedding(
        vocabulary=fields.count("vocab_size"),
        token_types=fields.count("type_vocab_size", default=0, least=0),
        norm=LAYER_NORM,
    )
    layers = [two_norms(mixer, mlp)] * layer_count(fields)
    return encoder(fields, layers, table, pooled=pooled, context=fields.maybe("max_position_embeddings"))


READS = {"eurobert": eurobert, "gte": gte, "jina_embeddings_v3": jina_v3, "new": gte, "nomic_bert": nomic_bert}
