"""T5Gemma: an encoder and a decoder of Gemma's layers. Version 2 reads the encoder by the decoder's own attention."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families import class_defaults
from isoflop.model.families.common import RMS, attention, layer_count, sliding, width
from isoflop.model.families.common_classic import crossing
from isoflop.model.families.gemma import gemma_mlp
from isoflop.model.parts import Embedding, Head, Linear, vector
from isoflop.model.spec import Layer, ModelSpec, Stack, groups_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isoflop.model.fields import Fields
    from isoflop.model.parts import Attention, Norm


def t5gemma(fields: Fields) -> ModelSpec:
    """Gemma 2 on both sides, which may differ in width; a table of words for each."""
    reads, writes = _side(fields, "encoder", "t5_gemma_module"), _side(fields, "decoder", "t5_gemma_module")
    mixer = attention(reads)
    around = [window and window + 1 for window in sliding(reads, layer_count(reads), every=2)]
    encoder = _stack(reads, mixer, around, causal=False)
    cross = replace(crossing(attention(writes)), read_width=encoder.width)
    decoder = _stack(writes, attention(writes), sliding(writes, layer_count(writes), every=2), norms=6, cross=cross)
    words = Linear(
        name="words of the encoder",
        inputs=reads.count("vocab_size"),
        outputs=encoder.width,
        runs="never",
        part="token embedding",
    )
    return _joined(fields, writes, encoder, decoder, extras=(words,))


def t5gemma2(fields: Fields) -> ModelSpec:
    """Gemma 3 on both sides, one table of words; the encoder also reads images, whose tower is not counted."""
    outer = fields.within("encoder")
    if outer is None:
        raise fields.missing("encoder")
    outer.ignore("model_type", "tie_word_embeddings", "boi_token_index", "eoi_token_index")
    reads, writes = _side(outer, "text_config", "t5gemma2_text"), _side(fields, "decoder", "t5gemma2_decoder")
    near = sliding(reads, layer_count(reads), every=6)
    # The window of the file is that of both sides together.
    around = [window and (window + 1) // 2 for window in near]
    encoder = _stack(reads, attention(reads, qk_norm="head"), around, causal=False)
    mixer = attention(writes, qk_norm="head")
    cross = replace(crossing(mixer), merged=True)
    decoder = _stack(writes, mixer, sliding(writes, layer_count(writes), every=6), cross=cross)
    for name in ("vocab_size", "hidden_size"):
        if reads.count(name) != writes.count(name):
            fields.doubt(f"{name} differs between encoder and decoder")
    if not fields.flag("tie_word_embeddings", default=True):
        fields.doubt("tie_word_embeddings is false: which tables are shared then is not known here")
    image = vector("end of image", encoder.width, part="token embedding")
    return _joined(fields, writes, encoder, decoder, extras=(image,))


def _side(fields: Fields, name: str, kind: str) -> Fields:
    side = fields.within(name)
    if side is None:
        raise fields.missing(name)
    side.assume(class_defaults(kind))
    side.ignore("model_type", "is_decoder", "tie_word_embeddings", "max_position_embeddings")
    return side


def _stack(
    fields: Fields,
    mixer: Attention,
    windows: Iterable[int | None],
    *,
    norms: int = 4,
    causal: bool = True,
    cross: Attention | None = None,
) -> Stack:
    mlp = gemma_mlp(fields, fields.count("intermediate_size"))
    around: tuple[Norm, ...] = (RMS,) * norms
    layers = [
        Layer(norms=around, mixers=(replace(mixer, window=window, causal=causal),), cross=cross, mlp=mlp)
        for window in windows
    ]
    return Stack(width=width(fields), groups=groups_of(layers), norm=RMS)


def _joined(fields: Fields, writes: Fields, encoder: Stack, decoder: Stack, *, extras: tuple[Linear, ...]) -> ModelSpec:
    fields.ignore("vocab_size", "eoi_token_index", "image_token_index")
    return ModelSpec(
        name="",
        stack=decoder,
        encoder=encoder,
        embedding=Embedding(vocabulary=writes.count("vocab_size")),
        head=Head(tied=fields.flag("tie_word_embeddings", default=True)),
        extras=extras,
        context=writes.maybe("max_position_embeddings"),
    )


READS = {"t5gemma": t5gemma, "t5gemma2": t5gemma2}
