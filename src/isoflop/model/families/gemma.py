"""Gemma 1 to 3 and VaultGemma: wide heads, tied and scaled embeddings; from Gemma 2 on windows and norms on both sides.

EmbeddingGemma is a `gemma3_text` whose tokens see both ways.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import (
    RMS,
    activation,
    attention,
    decoder,
    layer_count,
    sliding,
    uniform,
)  # fmt: skip
from isoflop.model.parts import Mlp
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

AROUND = (RMS, RMS, RMS, RMS)
"""Norms before and after both parts of a layer."""


def gemma_mlp(fields: Fields, width: int) -> Mlp:
    """Gated; older files name the activation twice, `hidden_activation` is the one that holds."""
    named = "hidden_activation" if fields.has("hidden_activation") else "hidden_act"
    fields.ignore("hidden_activation", "hidden_act")
    return Mlp(width=width, gated=True, activation=activation(fields, named, default="gelu_pytorch_tanh"))


def gemma(fields: Fields) -> ModelSpec:
    """Gemma 1: Llama's layer."""
    _one_way(fields)
    return uniform(fields, attention(fields), gemma_mlp(fields, fields.count("intermediate_size")))


def gemma2(fields: Fields) -> ModelSpec:
    """Every other layer has a window; the first files name it twice."""
    _one_way(fields)
    fields.maybe("sliding_window", "sliding_window_size")
    return uniform(
        fields,
        attention(fields),
        gemma_mlp(fields, fields.count("intermediate_size")),
        norms=AROUND,
        windows=sliding(fields, layer_count(fields), every=2),
    )


def vaultgemma(fields: Fields) -> ModelSpec:
    """Gemma 2 without the norms after each part."""
    windows = sliding(fields, layer_count(fields), every=2)
    return uniform(fields, attention(fields), gemma_mlp(fields, fields.count("intermediate_size")), windows=windows)


def gemma3(fields: Fields) -> ModelSpec:
    """Every sixth layer sees everything; queries and keys are normalised head by head."""
    both_ways = fields.flag("use_bidirectional_attention", default=False)
    mixer = replace(attention(fields, qk_norm="head"), causal=not both_ways)
    mlp = gemma_mlp(fields, fields.count("intermediate_size"))
    layers = [
        Layer(norms=AROUND, mixers=(replace(mixer, window=window),), mlp=mlp)
        for window in windows(fields, layer_count(fields), both_ways=both_ways)
    ]
    return decoder(fields, layers, tied=True)


def windows(fields: Fields, layers: int, *, both_ways: bool) -> tuple[int | None, ...]:
    """Every sixth layer is full; where tokens see both ways the file's window is that of both sides together."""
    listed = sliding(fields, layers, every=6)
    return tuple(window // 2 + 1 if window and both_ways else window for window in listed)


def _one_way(fields: Fields) -> None:
    if fields.flag("use_bidirectional_attention", default=False):
        fields.doubt("use_bidirectional_attention is not followed: attention is counted as causal")


READS = {"gemma": gemma, "gemma2": gemma2, "gemma3_text": gemma3, "vaultgemma": vaultgemma}
