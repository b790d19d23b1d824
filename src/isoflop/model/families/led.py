"""Longformer, and LED: BART with an encoder whose tokens see a window, and a few chosen ones everything.

Those few have projections of their own. Their FLOP are not counted: how many there are is up to who runs it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.bart import Plan, joined, stack
from isoflop.model.families.bert import roberta
from isoflop.model.families.common_classic import position_table
from isoflop.model.parts import Attention, Linear
from isoflop.model.spec import Stack, groups_of

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import Layer, ModelSpec


def led(fields: Fields) -> ModelSpec:
    """Tables of positions of different lengths on both sides."""
    fields.ignore("attention_probs_dropout_prob")
    plan = Plan(positions=False, first=True)
    encoder, decoder = _sparse(fields, stack(fields, "encoder", plan)), stack(fields, "decoder", plan)
    read, written = (fields.count(f"max_{side}_position_embeddings") for side in ("encoder", "decoder"))
    spec = joined(fields, plan, encoder, decoder, words=fields.count("vocab_size"), context=written)
    table = replace(spec.embedding, positions=written)
    return replace(spec, embedding=table, extras=(*spec.extras, position_table(read, encoder.width)))


def longformer(fields: Fields) -> ModelSpec:
    """RoBERTa with such layers."""
    fields.ignore("onnx_export", "attention_mode", "ignore_attention_mask")
    spec = roberta(fields)
    return replace(spec, stack=_sparse(fields, spec.stack))


def _sparse(fields: Fields, dense: Stack) -> Stack:
    windows = fields.per_layer("attention_window", layers=dense.layers, default=512)
    return replace(dense, groups=groups_of(_layer(dense.groups[0].layer, window, dense.width) for window in windows))


def _layer(layer: Layer, window: int, wide: int) -> Layer:
    mixer = layer.mixers[0]
    assert isinstance(mixer, Attention)
    chosen = tuple(
        Linear(name=f"{letter} of chosen tokens", inputs=wide, outputs=wide, bias=True, runs="never")
        for letter in "qkv"
    )
    return replace(layer, mixers=(replace(mixer, window=window // 2 + 1, extras=chosen),))


READS = {"led": led, "longformer": longformer}
