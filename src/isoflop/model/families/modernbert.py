"""ModernBERT: rotary positions, gated feed-forward parts, one layer of three sees everything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import decoder, gated, layer_count, width
from isoflop.model.families.common_classic import encoder, multi_head
from isoflop.model.parts import Embedding, Linear, Norm
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def modernbert(fields: Fields) -> ModelSpec:
    """The encoder: a window reaches to both sides of a token."""
    fields.ignore("decoder_bias", "repad_logits_with_grad", "sparse_pred_ignore_index", "sparse_prediction")
    layers, norm = _layers(fields, fields.count("local_attention") // 2 + 1, causal=False), _norm(fields)
    table = Embedding(vocabulary=fields.count("vocab_size"), norm=norm)
    return encoder(fields, layers, table, norm=norm, context=fields.maybe("max_position_embeddings"))


def modernbert_decoder(fields: Fields) -> ModelSpec:
    """The decoder (Ettin): a matrix and a norm before the head. Its window is half of what the field says."""
    window = fields.count("sliding_window", default=fields.count("local_attention") // 2)
    fields.ignore("classifier_activation", "classifier_pooling")
    norm, wide = _norm(fields), width(fields)
    table = Embedding(vocabulary=fields.count("vocab_size"), norm=norm)
    biased = fields.flag("classifier_bias", default=False)
    before = Linear(name="before head", inputs=wide, outputs=wide, bias=biased, part="head projection")
    after = tuple(Linear(name=one.name, inputs=one.rows, runs="never", part="norms") for one in norm.weights(wide))
    spec = decoder(
        fields, _layers(fields, window, causal=True), tied=True, norm=norm, embedding=table, extras=(before, *after)
    )
    assert spec.head is not None
    return replace(spec, head=replace(spec.head, bias=fields.flag("decoder_bias", default=True)))


def _norm(fields: Fields) -> Norm:
    return Norm(kind="layer", bias=fields.flag("norm_bias", default=False))


def _layers(fields: Fields, window: int, *, causal: bool) -> list[Layer]:
    """Layers, the first without a norm before its attention: the embedding has just been normalised."""
    fields.ignore("deterministic_flash_attn", "causal_mask")
    layers, norm = layer_count(fields), _norm(fields)
    kinds = fields.words("layer_types", length=layers)
    every = fields.count("global_attn_every_n_layers", default=3)
    if kinds is None:
        kinds = tuple("sliding_attention" if place % every else "full_attention" for place in range(layers))
    if unknown := set(kinds) - {"sliding_attention", "full_attention"}:
        fields.doubt(f"layer_types holds {', '.join(sorted(unknown))}, which is not known here")
    bias = "qkvo" if fields.flag("attention_bias", default=False) else ""
    mixer = multi_head(fields, bias=bias, positions="rope", causal=causal)
    near, mlp = replace(mixer, window=window), gated(fields)
    found = [
        Layer(norms=(norm, norm), mixers=(near if kind == "sliding_attention" else mixer,), mlp=mlp) for kind in kinds
    ]
    return [replace(found[0], norms=(norm,)), *found[1:]]


READS = {"modernbert": modernbert, "modernbert-decoder": modernbert_decoder}
