"""BERT and its kin: encoders with norms behind each part, counted with their pooler and without a language head."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import LAYER_NORM, layer_count, plain, width
from isoflop.model.families.common_classic import crossing, encoder, multi_head, position_table, two_norms
from isoflop.model.parts import Attention, Embedding, Linear, Norm

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import Layer, ModelSpec

PAD_ROWS = 2
"""Rows of RoBERTa's table of positions that stand for no position."""


def bert(fields: Fields) -> ModelSpec:
    """BERT: learned positions, token types and a norm over their sum."""
    _of_tensorflow(fields)
    return encoder(
        fields, _layers(fields), _table(fields), pooled=True, context=fields.count("max_position_embeddings")
    )


def roberta(fields: Fields) -> ModelSpec:
    """RoBERTa, XLM-R, CamemBERT, data2vec: two rows of the table of positions stand for padding."""
    context = max(1, fields.count("max_position_embeddings") - PAD_ROWS)
    return encoder(fields, _layers(fields), _table(fields), pooled=True, context=context)


def roberta_prelayernorm(fields: Fields) -> ModelSpec:
    """RoBERTa with norms before each part and at the end."""
    spec = roberta(fields)
    return replace(spec, stack=replace(spec.stack, norm=LAYER_NORM))


def bert_generation(fields: Fields) -> ModelSpec:
    """BERT for one side of an encoder-decoder: no token types, no pooler."""
    table = replace(_table(fields), token_types=0)
    return encoder(fields, _layers(fields), table, context=fields.count("max_position_embeddings"))


def xlm_roberta_xl(fields: Fields) -> ModelSpec:
    """Norms before each part and at the end, none over the embedding."""
    context = max(1, fields.count("max_position_embeddings") - PAD_ROWS)
    table = _table(fields, norm=None)
    return encoder(fields, _layers(fields), table, pooled=True, norm=LAYER_NORM, context=context)


def megatron_bert(fields: Fields) -> ModelSpec:
    """Norms before each part and at the end, none over the embedding."""
    table, context = _table(fields, norm=None), fields.count("max_position_embeddings")
    return encoder(fields, _layers(fields), table, pooled=True, norm=LAYER_NORM, context=context)


def ernie(fields: Fields) -> ModelSpec:
    """BERT with a table of tasks where asked for."""
    tasks = fields.count("task_type_vocab_size", default=3)
    table = Linear(name="tasks", inputs=tasks, outputs=width(fields), runs="never", part="token-type embedding")
    extras = (table,) if fields.flag("use_task_id", default=False) else ()
    context = fields.count("max_position_embeddings")
    return encoder(fields, _layers(fields), _table(fields), extras=extras, pooled=True, context=context)


def mpnet(fields: Fields) -> ModelSpec:
    """Learned positions, and a table of relative ones that all layers share; no token types."""
    first, *rest = _layers(fields)
    assert isinstance(first.mixers[0], Attention)
    buckets = fields.count("relative_attention_num_buckets", default=32)
    first = replace(first, mixers=(replace(first.mixers[0], relative_buckets=buckets),))
    positions = fields.count("max_position_embeddings")
    table = Embedding(vocabulary=fields.count("vocab_size"), positions=positions, norm=LAYER_NORM)
    return encoder(fields, [first, *rest], table, pooled=True, context=max(1, positions - PAD_ROWS))


def electra(fields: Fields) -> ModelSpec:
    """Embeddings of a width of their own; no pooler."""
    narrow = fields.count("embedding_size")
    extras = _joined(fields, narrow) if narrow != width(fields) else ()
    context = fields.count("max_position_embeddings")
    return encoder(fields, _layers(fields), _table(fields, narrow), extras=extras, context=context)


def rembert(fields: Fields) -> ModelSpec:
    """Embeddings of a width of their own on the way in; those on the way out belong to the head."""
    fields.ignore("output_embedding_size")
    narrow = fields.count("input_embedding_size")
    table, context = _table(fields, narrow), fields.count("max_position_embeddings")
    return encoder(fields, _layers(fields), table, extras=_joined(fields, narrow), pooled=True, context=context)


def roformer(fields: Fields) -> ModelSpec:
    """Rotary positions, whose sines are stored; no pooler."""
    wide = width(fields)
    narrow = fields.count("embedding_size", default=wide)
    layers, context = _layers(fields), fields.count("max_position_embeddings")
    assert isinstance(layers[0].mixers[0], Attention)
    sines = position_table(context, layers[0].mixers[0].head_width)
    extras = (*(_joined(fields, narrow) if narrow != wide else ()), sines)
    return encoder(fields, layers, _table(fields, narrow, positions=0), extras=extras, context=context)


def albert(fields: Fields) -> ModelSpec:
    """All layers, or those of a group, work with the weights of one; narrow embeddings."""
    _of_tensorflow(fields)
    fields.ignore("down_scale_factor", "gap_size", "net_structure_type", "num_memory_blocks", "layers_to_keep")
    narrow, layer, layers = fields.count("embedding_size"), _layer(fields), layer_count(fields)
    groups, inner = fields.count("num_hidden_groups", default=1), fields.count("inner_group_num", default=1)
    fields.check_layers(layers * inner, "num_hidden_layers x inner_group_num")
    if groups > layers:
        fields.doubt(f"{groups} groups of layers, and {layers} layers")
    shared = replace(layer, held=False)
    starts = {place for place in range(layers) if place * groups // layers != (place - 1) * groups // layers}
    stack = [layer if place in starts else shared for place in range(layers) for _ in range(inner)]
    table, context = _table(fields, narrow), fields.count("max_position_embeddings")
    return encoder(fields, stack, table, extras=_joined(fields, narrow), pooled=True, context=context)


def distilbert(fields: Fields) -> ModelSpec:
    """Half of BERT's layers, no token types, no pooler."""
    fields.ignore("sinusoidal_pos_embds", "tie_weights_")
    mixer = multi_head(fields, "n_heads", "num_attention_heads", causal=False)
    act = {"hidden_act": fields.word("activation", default="gelu")}
    mlp = plain(fields.changed(act), "hidden_dim", bias=True)
    positions = fields.count("max_position_embeddings")
    table = Embedding(vocabulary=fields.count("vocab_size"), positions=positions, norm=LAYER_NORM)
    return encoder(fields, [two_norms(mixer, mlp)] * layer_count(fields), table, context=positions)


def _layer(fields: Fields) -> Layer:
    """One layer; as a decoder it is causal, and may read an encoder beside it."""
    decoding = fields.flag("is_decoder", default=False)
    mixer = multi_head(fields, causal=decoding)
    layer = two_norms(mixer, plain(fields, bias=True))
    if not fields.flag("add_cross_attention", default=False):
        return layer
    return replace(layer, norms=(*layer.norms, LAYER_NORM), cross=crossing(mixer))


def _layers(fields: Fields) -> list[Layer]:
    return [_layer(fields)] * layer_count(fields)


def _table(
    fields: Fields, narrow: int | None = None, *, positions: int | None = None, norm: Norm | None = LAYER_NORM
) -> Embedding:
    return Embedding(
        vocabulary=fields.count("vocab_size"),
        positions=fields.count("max_position_embeddings") if positions is None else positions,
        token_types=fields.count("type_vocab_size", default=0, least=0),
        norm=norm,
        width=None if narrow == width(fields) else narrow,
    )


def _joined(fields: Fields, narrow: int) -> tuple[Linear, ...]:
    return (Linear(name="embedding projection", inputs=narrow, outputs=width(fields), bias=True),)


def _of_tensorflow(fields: Fields) -> None:
    """Fields of Google's own files, for a pooler that was never used."""
    fields.ignore("directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers")
    fields.ignore("pooler_size_per_head", "pooler_type")


READS = {
    "albert": albert,
    "bert": bert,
    "bert-generation": bert_generation,
    "camembert": roberta,
    "data2vec-text": roberta,
    "distilbert": distilbert,
    "electra": electra,
    "ernie": ernie,
    "megatron-bert": megatron_bert,
    "mpnet": mpnet,
    "rembert": rembert,
    "roberta": roberta,
    "roberta-prelayernorm": roberta_prelayernorm,
    "roformer": roformer,
    "xlm-roberta": roberta,
    "xlm-roberta-xl": xlm_roberta_xl,
}
