"""GLM, dense: biases on queries, keys and values, rotary positions on half of each head; ChatGLM by its own names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, attention, decoder, gated, layer_count, uniform, width
from isoflop.model.families.common_experts import only
from isoflop.model.parts import Attention, Embedding, Mlp
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def glm(fields: Fields) -> ModelSpec:
    """Biases on queries, keys and values, rotary positions on half of each head."""
    return _glm(fields, norms=2)


def glm4(fields: Fields) -> ModelSpec:
    """GLM with norms after both parts too."""
    return _glm(fields, norms=4)


def _glm(fields: Fields, norms: int) -> ModelSpec:
    bias = "qkv" if fields.flag("attention_bias", default=True) else ""
    return uniform(fields, attention(fields, bias=bias), gated(fields, bias=False), norms=(RMS,) * norms)


def chatglm(fields: Fields) -> ModelSpec:
    """ChatGLM 2 and 3 and the first files of GLM-4, run by code that came with them; no activation is named."""
    only(fields, "rmsnorm", True)  # noqa: FBT003
    only(fields, "post_layer_norm", True)  # noqa: FBT003
    only(fields, "add_bias_linear", False)  # noqa: FBT003
    fields.ignore("apply_query_key_layer_scaling", "bias_dropout_fusion", "original_rope", "classifier_dropout")
    fields.ignore("vocab_size")
    heads, layers = fields.count("num_attention_heads"), layer_count(fields)
    grouped = fields.flag("multi_query_attention", default=False)
    groups = fields.count("multi_query_group_num", default=1)
    mixer = Attention(
        heads=heads,
        kv_heads=groups if grouped else heads,
        head_width=fields.count("kv_channels", default=max(1, width(fields) // heads)),
        bias="qkv" if fields.flag("add_qkv_bias", default=False) else "",
    )
    mlp = Mlp(width=fields.count("ffn_hidden_size"), gated=True, activation="silu")
    vocabulary = Embedding(vocabulary=fields.count("padded_vocab_size"))
    fields.assume({"max_position_embeddings": fields.maybe("seq_length")})
    layer = Layer(norms=(RMS, RMS), mixers=(mixer,), mlp=mlp)
    return decoder(fields, [layer] * layers, tied=False, embedding=vocabulary)


READS = {
    "chatglm": chatglm,
    "glm": glm,
    "glm4": glm4,
}
