"""Gemma 3n: four residual streams mixed by AltUp, a low-rank path beside attention, inputs for every layer by token.

The last layers read keys and values of earlier ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, attention, decoder, layer_count, sliding, width
from isoflop.model.families.gemma import gemma_mlp
from isoflop.model.parts import Attention, Embedding, Linear, vector
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

INPUTS = "per-layer inputs"


def gemma3n(fields: Fields) -> ModelSpec:
    """Gemma 3n's text part."""
    layers, streams, wide = layer_count(fields), fields.count("altup_num_inputs"), width(fields)
    rank, each = fields.count("laurel_rank"), fields.count("hidden_size_per_layer_input")
    fields.ignore("activation_sparsity_pattern", "altup_active_idx", "altup_coef_clip", "altup_correct_scale")
    fields.ignore("altup_lr_multiplier")
    extras = (
        Linear(name="low rank down", inputs=wide, outputs=rank, part="laurel"),
        Linear(name="low rank up", inputs=rank, outputs=wide, part="laurel"),
        vector("output scale", wide, part="altup"),
        Linear(name="router", inputs=wide, outputs=streams, part="altup"),
        Linear(name="correction", inputs=streams, outputs=streams, part="altup"),
        Linear(name="prediction", inputs=streams, outputs=streams * streams, part="altup"),
        *layer_inputs(wide, each),
    )
    # Each stream is predicted from all of them; the router runs before and after the layer.
    mixing = 2 * wide * streams * streams + 2 * wide * streams
    mixers = shared_mixers(
        fields, [replace(attention(fields, qk_norm="head"), window=one) for one in sliding(fields, layers, every=5)]
    )
    widths = fields.per_layer("intermediate_size", layers=layers)
    between = [
        Linear(name=name, inputs=wide, outputs=wide, part="altup")
        for name in ("into streams", "out of streams")
        for _ in range(streams - 1)
    ]
    return decoder(
        fields,
        [
            Layer(norms=(RMS,) * 7, mixers=(mixer,), mlp=gemma_mlp(fields, inner), extras=extras, products=mixing)
            for mixer, inner in zip(mixers, widths, strict=True)
        ],
        tied=True,
        embedding=token_inputs(fields, layers * each),
        extras=(*between, *all_inputs(wide, layers, each)),
    )


def shared_mixers(fields: Fields, mixers: list[Attention]) -> list[Attention]:
    """The last `num_kv_shared_layers` read keys and values of the last earlier layer with the same reach."""
    first = len(mixers) - fields.count("num_kv_shared_layers", default=0, least=0)
    if first < len(mixers) and {mixer.window for mixer in mixers[:first]} != {mixer.window for mixer in mixers}:
        raise fields.wrong("num_kv_shared_layers", len(mixers) - first, "fewer: some kind of layer has none to share")
    return [mixer if place < first else replace(mixer, kv="earlier") for place, mixer in enumerate(mixers)]


def layer_inputs(wide: int, each: int) -> tuple[Linear, ...]:
    """What a layer does with its own input of the token: a gate from the stream, and the way back."""
    return (
        Linear(name="gate", inputs=wide, outputs=each, part=INPUTS),
        Linear(name="projection", inputs=each, outputs=wide, part=INPUTS),
    )


def all_inputs(wide: int, layers: int, each: int) -> tuple[Linear, ...]:
    """What makes the inputs of all layers out of the embedded token, beside the table."""
    return (
        Linear(name="projection for all layers", inputs=wide, outputs=layers * each, part=INPUTS),
        vector("norm", each, part=INPUTS),
    )


def token_inputs(fields: Fields, wide: int) -> Embedding:
    """The table of tokens, and that of the inputs of all layers together."""
    return Embedding(
        vocabulary=fields.count("vocab_size"),
        per_layer=fields.count("vocab_size_per_layer_input"),
        per_layer_width=wide,
    )


READS = {"gemma3n_text": gemma3n}
