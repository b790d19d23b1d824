"""T5 and its kin: encoder and decoder without biases, RMS norms, a table of relative positions in each first layer.

Checkpoints of T5 1.1 and of mT5 hold a head of their own, and their files say so; transformers 5 writes files that say
the opposite of all of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from isoflop.model.families.common import ACTIVATIONS, RMS, layer_count, width
from isoflop.model.families.common_classic import crossing
from isoflop.model.parts import Attention, Embedding, Head, Linear, Mlp, Moe, vector
from isoflop.model.spec import Layer, ModelSpec, Stack, groups_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.model.fields import Fields
    from isoflop.model.parts import Activation


def t5(fields: Fields) -> ModelSpec:
    """T5, T5 1.1, Flan-T5, mT5, ByT5."""
    layers, written = _depths(fields)
    mlp = _mlp(fields)
    return _joined(
        fields, _layers(fields, [mlp] * layers, decodes=False), _layers(fields, [mlp] * written, decodes=True)
    )


def umt5(fields: Fields) -> ModelSpec:
    """A table of relative positions in every layer."""
    layers, written = _depths(fields)
    encoder = _layers(fields, [_mlp(fields)], decodes=False) * layers
    return _joined(fields, encoder, _layers(fields, [_mlp(fields)], decodes=True) * written)


def longt5(fields: Fields) -> ModelSpec:
    """An encoder whose tokens see so many to each side, and in one form the mean of every block of tokens too."""
    reach = fields.count("local_radius") + 1
    kind = fields.word("encoder_attention_type", default="local")
    layers, written = _depths(fields)
    encoder = [_windowed(layer, reach) for layer in _layers(fields, [_mlp(fields)] * layers, decodes=False)]
    if kind == "transient-global":
        encoder = _with_blocks(fields, encoder)
    elif kind != "local":
        fields.doubt(f"encoder_attention_type = '{kind}' is not known here")
    else:
        fields.ignore("global_block_size")
    return _joined(fields, encoder, _layers(fields, [_mlp(fields)] * written, decodes=True))


def switch_transformers(fields: Fields) -> ModelSpec:
    """T5 with experts in every so many layers, of which a token meets one."""
    fields.ignore("expert_capacity", "router_ignore_padding_tokens", "add_router_probs", "add_cross_attention")
    fields.ignore("router_type", "num_selected_experts")
    if not fields.flag("tie_word_embeddings", default=True):
        fields.doubt("tie_word_embeddings is false: which tables are shared then depends on the version")
    dense, biased = _mlp(fields), fields.flag("router_bias", default=False)
    bias: Literal["parameter", "none"] = "parameter" if biased else "none"
    mixture = Moe(experts=fields.count("num_experts"), active=1, expert=dense, router_bias=bias)
    sides = []
    for side, layers in zip(("encoder", "decoder"), _depths(fields), strict=True):
        sparse = fields.count(f"num_sparse_{side}_layers", default=3, least=0)
        step = fields.count(f"{side}_sparse_step", default=layers // sparse if sparse else layers, least=0)
        mlps = [mixture if step and (step == 1 or place % step == 1) else dense for place in range(layers)]
        sides.append(_layers(fields, mlps, decodes=side == "decoder"))
    return _joined(fields, *sides)


def _depths(fields: Fields) -> tuple[int, int]:
    layers = layer_count(fields)
    return layers, fields.count("num_decoder_layers", default=layers)


def _mlp(fields: Fields) -> Mlp:
    """Two matrices or three: what the file says of its activation, in one word or in two."""
    said = fields.word("feed_forward_proj", default="relu").rpartition("-")
    gated = fields.flag("is_gated_act", default=said[0] == "gated")
    usual: Activation = "gelu-tanh" if said[0] and said[2] == "gelu" else ACTIVATIONS.get(said[2], "other")
    act = fields.choice(ACTIVATIONS, "dense_act_fn", default=usual)
    if said[2] not in ACTIVATIONS:
        fields.doubt("feed_forward_proj is not known here")
    return Mlp(width=fields.count("d_ff"), gated=gated, activation=act)


def _layers(fields: Fields, mlps: Sequence[Mlp | Moe], *, decodes: bool) -> list[Layer]:
    """Layers of one side; the first has the table that all use."""
    heads = fields.count("num_heads", "num_attention_heads")
    mixer = Attention(
        heads=heads, kv_heads=heads, head_width=fields.count("d_kv"), causal=decodes, positions="relative"
    )
    layer = Layer(norms=(RMS, RMS), mixers=(mixer,))
    if decodes:
        layer = replace(layer, norms=(RMS, RMS, RMS), cross=crossing(mixer))
    kinds = {mlp: replace(layer, mlp=mlp) for mlp in mlps}
    first, *rest = (kinds[mlp] for mlp in mlps)
    buckets = fields.count("relative_attention_num_buckets", default=32)
    return [replace(first, mixers=(replace(mixer, relative_buckets=buckets),)), *rest]


def _windowed(layer: Layer, reach: int) -> Layer:
    mixer = layer.mixers[0]
    assert isinstance(mixer, Attention)
    return replace(layer, mixers=(replace(mixer, window=reach),))


def _with_blocks(fields: Fields, layers: list[Layer]) -> list[Layer]:
    """Layers that see the mean of every block of tokens too: a norm of it, a table in the first."""
    fields.ignore("global_block_size")
    fields.doubt("encoder_attention_type is transient-global: the FLOP of what blocks of tokens add are not counted")
    heads, buckets = fields.count("num_heads"), fields.count("relative_attention_num_buckets")
    norm = vector("block norm", width(fields), part="norms")
    table = Linear(name="relative bias of blocks", inputs=buckets, outputs=heads, runs="never", part="attention")
    first, *rest = (replace(layer, extras=(norm,)) for layer in layers)
    return [replace(first, extras=(norm, table)), *rest]


def _joined(fields: Fields, encoder: list[Layer], decoder: list[Layer]) -> ModelSpec:
    fields.ignore("is_decoder", "n_positions", "output_past", "relative_attention_max_distance", "scalable_attention")
    wide, tied = width(fields), fields.flag("tie_word_embeddings", default=True)
    if tied and not fields.flag("scale_decoder_outputs", default=True):
        fields.doubt("scale_decoder_outputs is false: the checkpoint may hold a head of its own, as T5 1.1 does")
    return ModelSpec(
        name="",
        stack=Stack(width=wide, groups=groups_of(decoder), norm=RMS),
        encoder=Stack(width=wide, groups=groups_of(encoder), norm=RMS),
        embedding=Embedding(vocabulary=fields.count("vocab_size")),
        head=Head(tied=tied),
    )


READS = {
    "longt5": longt5,
    "mt5": t5,
    "switch_transformers": switch_transformers,
    "t5": t5,
    "umt5": umt5,
}
