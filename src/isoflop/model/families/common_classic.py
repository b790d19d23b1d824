"""What models of the kind before Llama share: heads that share out the width, biases everywhere, learned positions."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.errors import BadFile
from isoflop.model.families.common import LAYER_NORM, as_always, decoder, width
from isoflop.model.parts import Attention, Linear
from isoflop.model.spec import Layer, ModelSpec, Stack, groups_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isoflop.model.fields import Fields
    from isoflop.model.parts import Embedding, Mlp, Norm, Positions

HEADS = ("num_attention_heads", "n_head", "n_heads")
READ_BESIDE = "the output of an encoder beside it"
HEADLESS = "the encoder alone: the head of the class that the file names, for words or labels, is not counted"


def multi_head(
    fields: Fields,
    *names: str,
    bias: str = "qkvo",
    positions: Positions = "absolute",
    causal: bool = True,
    kv_heads: int | None = None,
) -> Attention:
    """Attention whose heads share out the width, as many for keys and values where `kv_heads` is not given."""
    heads, wide = fields.count(*(names or HEADS)), width(fields)
    if wide % heads:
        raise BadFile(f"{fields.file}: {heads} heads do not divide the width, {wide}.")
    return Attention(
        heads=heads,
        kv_heads=kv_heads or heads,
        head_width=wide // heads,
        bias=bias,
        positions=positions,
        causal=causal,
    )


def crossing(mixer: Attention) -> Attention:
    """Cross-attention by the same fields: every token of the encoder is seen, positions play no part."""
    return replace(mixer, causal=False, positions="none", window=None, relative_buckets=0)


def decoder_beside(fields: Fields, layer: Layer, layers: int, embedding: Embedding) -> ModelSpec:
    """A decoder of equal layers that may be asked to read an encoder beside it (`add_cross_attention`)."""
    spec = decoder(fields, [layer] * layers, tied=True, norm=LAYER_NORM, embedding=embedding)
    if not fields.flag("add_cross_attention", default=False):
        return spec
    assert isinstance(layer.mixers[0], Attention)
    layer = replace(layer, norms=(*layer.norms, LAYER_NORM), cross=crossing(layer.mixers[0]))
    return replace(spec, stack=replace(spec.stack, groups=groups_of([layer] * layers)), reads=READ_BESIDE)


def two_norms(mixer: Attention, mlp: Mlp) -> Layer:
    """Attention and a feed-forward part, a layer norm with bias for each."""
    return Layer(norms=(LAYER_NORM, LAYER_NORM), mixers=(mixer,), mlp=mlp)


def position_table(rows: int, wide: int) -> Linear:
    """Learned or stored positions that are not as wide as the embedding, or not added to it."""
    return Linear(name="position embedding", inputs=rows, outputs=wide, runs="never", part="position embedding")


def encoder(  # noqa: PLR0913 - the pieces of an encoder
    fields: Fields,
    layers: Iterable[Layer],
    embedding: Embedding,
    *,
    norm: Norm | None = None,
    extras: tuple[Linear, ...] = (),
    pooled: bool = False,
    context: int | None = None,
) -> ModelSpec:
    """A stack that gives vectors and has no language head; `pooled`: a matrix for the vector of the first token."""
    fields.ignore("tie_word_embeddings", "classifier_activation", "classifier_bias", "classifier_pooling")
    fields.ignore("output_past", "padding_idx")
    as_always(fields, position_embedding_type="absolute")
    wide, groups = width(fields), groups_of(layers)
    pooler = Linear(name="pooler", inputs=wide, outputs=wide, bias=True, runs="sequence")
    return ModelSpec(
        name="",
        stack=Stack(width=wide, groups=groups, norm=norm),
        embedding=embedding,
        head=None,
        extras=(*extras, pooler) if pooled else extras,
        context=context,
        notes=(HEADLESS,) if re.search("For[A-Z]", str(fields.values.get("architectures"))) else (),
        reads=READ_BESIDE if any(layer.cross for _, layer in groups) else "",
    )
