"""DeBERTa: scores also compare tokens with projected relative positions ("disentangled attention"); no pooler.

The projections of the table of positions run once a batch, not over its tokens: no FLOP per token.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import LAYER_NORM, as_always, layer_count, plain, width
from isoflop.model.families.common_classic import encoder, multi_head, position_table, two_norms
from isoflop.model.parts import MOST, Embedding, Linear, vector

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Attention
    from isoflop.model.spec import ModelSpec


def deberta(fields: Fields) -> ModelSpec:
    """V1: queries and values have a bias. Positions are compared over the span of the sequence."""
    kinds, relative = _kinds(fields), fields.flag("relative_attention", default=False)
    mixer = multi_head(fields, bias="qvo", positions="relative", causal=False)
    if fields.flag("talking_head", default=False):
        fields.doubt("talking_head is true: heads are mixed before and after the softmax, which is not counted")
    # A product with positions on both sides of a token costs as much as two weighings of values.
    mixer = replace(mixer, sums=1 + 2 * len(kinds), extras=_projections(mixer, width(fields), kinds))
    span = _span(fields)
    return _deberta(fields, mixer, (position_table(2 * span, width(fields)),) if relative else ())


def deberta_v2(fields: Fields) -> ModelSpec:
    """V2 and V3: positions in buckets, projected by the matrices of queries and keys where those are shared."""
    wide, kinds, span = width(fields), _kinds(fields), _span(fields)
    buckets = fields.count("position_buckets", default=0, least=-1)
    span = buckets if buckets > 0 else span
    mixer = multi_head(fields, positions="relative", causal=False)
    inner = mixer.heads * fields.count("attention_head_size", default=mixer.head_width)
    if inner != wide:
        fields.doubt(f"heads of attention_head_size are {inner} wide together, and hidden_size is {wide}")
    if not fields.flag("share_att_key", default=False):
        mixer = replace(mixer, extras=_projections(mixer, wide, kinds))
    extras = [position_table(2 * span, wide)] if fields.flag("relative_attention", default=False) else []
    if "layer_norm" in fields.word("norm_rel_ebd", default="none").lower().split("|"):
        extras += _norm("position norm", wide)
    kernel = fields.count("conv_kernel_size", default=0, least=0)
    if kernel:
        as_always(fields, conv_groups=1)
        fields.ignore("conv_act")
        extras.append(Linear(name="convolution", inputs=kernel * wide, outputs=wide, bias=True))
        extras += _norm("convolution norm", wide)
    return _deberta(fields, mixer, tuple(extras), products=4 * wide * span * len(kinds))


def _kinds(fields: Fields) -> frozenset[str]:
    """What is compared with positions, queries ("c2p") and keys ("p2c"); nothing without relative attention."""
    given = fields.values.get("pos_att_type")
    if isinstance(given, str):
        listed = fields.word("pos_att_type").lower().split("|")
    else:
        listed = list(fields.words("pos_att_type") or ())
    kinds = frozenset(kind.strip() for kind in listed)
    if unknown := kinds - {"c2p", "p2c"}:
        fields.doubt(f"pos_att_type holds {', '.join(sorted(unknown))}, which is not known here")
    return kinds if fields.flag("relative_attention", default=False) else frozenset()


def _projections(mixer: Attention, wide: int, kinds: frozenset[str]) -> tuple[Linear, ...]:
    """Matrices for the table of positions; V1 has no bias on that of its keys, as on no key."""
    biased = {"c2p": "k" in mixer.bias, "p2c": True}
    return tuple(
        Linear(name=f"positions {kind}", inputs=wide, outputs=wide, bias=biased.get(kind, False), runs="never")
        for kind in sorted(kinds)
    )


def _span(fields: Fields) -> int:
    given = fields.count("max_relative_positions", default=-1, least=-MOST)
    return given if given > 0 else fields.count("max_position_embeddings")


def _norm(name: str, wide: int) -> tuple[Linear, ...]:
    return vector(name, wide, part="norms"), vector(f"{name} bias", wide, part="norms")


def _deberta(fields: Fields, mixer: Attention, extras: tuple[Linear, ...], *, products: int = 0) -> ModelSpec:
    fields.ignore("pooler_hidden_act", "pooler_hidden_size", "pooler_size", "legacy")
    wide, positions = width(fields), fields.count("max_position_embeddings")
    narrow = fields.count("embedding_size", default=wide)
    if narrow != wide:
        extras = (Linear(name="embedding projection", inputs=narrow, outputs=wide), *extras)
    table = Embedding(
        vocabulary=fields.count("vocab_size"),
        positions=positions if fields.flag("position_biased_input", default=True) else 0,
        token_types=fields.count("type_vocab_size", default=0, least=0),
        norm=None if narrow != wide else LAYER_NORM,
        width=None if narrow == wide else narrow,
    )
    if narrow != wide:
        extras = (*extras, *_norm("embedding norm", wide))
    layer = replace(two_norms(mixer, plain(fields, bias=True)), products=products)
    return encoder(fields, [layer] * layer_count(fields), table, extras=extras, context=positions)


READS = {"deberta": deberta, "deberta-v2": deberta_v2}
