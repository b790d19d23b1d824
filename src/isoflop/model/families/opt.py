"""OPT, XGLM and BioGPT: fairseq's decoders, whose table of learned positions has two rows to spare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import LAYER_NORM, decoder, layer_count, plain, width
from isoflop.model.families.common_classic import decoder_beside, multi_head, position_table, two_norms
from isoflop.model.parts import Embedding, Linear, Norm
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

SPARE = 2
"""Rows of the table of positions that stand for no position."""


def opt(fields: Fields) -> ModelSpec:
    """OPT and Galactica; the 350M has narrower embeddings and no norm at the end."""
    wide, positions = width(fields), fields.count("max_position_embeddings")
    bias = fields.flag("enable_bias", default=True)
    scaled = fields.flag("layer_norm_elementwise_affine", default=True)
    norm = Norm(kind="layer", bias=scaled, scale=scaled)
    before = fields.flag("do_layer_norm_before", default=True)
    last = norm if before and not fields.flag("_remove_final_layer_norm", default=False) else None
    narrow = fields.count("word_embed_proj_dim", default=wide)
    mixer = multi_head(fields, bias="qkvo" if bias else "")
    layer = Layer(norms=(norm, norm), mixers=(mixer,), mlp=plain(fields, "ffn_dim", bias=bias, act="relu"))
    fields.ignore("learned_embeddings")
    words = fields.count("vocab_size")
    table = Embedding(vocabulary=words, positions=positions + SPARE)
    extras: tuple[Linear, ...] = ()
    if narrow != wide:
        table = Embedding(vocabulary=words, width=narrow)
        extras = (
            position_table(positions + SPARE, wide),
            Linear(name="projection in", inputs=narrow, outputs=wide),
            Linear(name="projection out", inputs=wide, outputs=narrow),
        )
    layers = [layer] * layer_count(fields)
    return decoder(fields, layers, tied=True, norm=last, embedding=table, extras=extras)


def xglm(fields: Fields) -> ModelSpec:
    """Sinusoidal positions."""
    fields.ignore("scale_embedding")
    layer = two_norms(multi_head(fields, "attention_heads", "num_attention_heads"), plain(fields, "ffn_dim", bias=True))
    table = Embedding(vocabulary=fields.count("vocab_size"))
    return decoder_beside(fields, layer, layer_count(fields), table)


def biogpt(fields: Fields) -> ModelSpec:
    """Learned positions."""
    fields.ignore("scale_embedding", "is_decoder")
    layer = two_norms(multi_head(fields), plain(fields, bias=True))
    positions = fields.count("max_position_embeddings") + SPARE
    return decoder(fields, [layer] * layer_count(fields), tied=True, norm=LAYER_NORM, positions=positions)


READS = {"biogpt": biogpt, "opt": opt, "xglm": xglm}
