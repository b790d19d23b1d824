"""Bamba: Mamba-2 layers, a few of attention among them, each with a feed-forward part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, attention, decoder, gated, layer_count, width
from isoflop.model.families.common_recurrent import FULL, LINEAR, kinds, mamba2_layers
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Mixer
    from isoflop.model.spec import ModelSpec


def bamba(fields: Fields) -> ModelSpec:
    """Mamba-2; the layers of `attn_layer_indices` are attention."""
    layers = layer_count(fields)
    reading = fields.counts("attn_layer_indices") or ()
    listed = kinds(fields, "layer_types", "layers_block_type", layers=layers)
    found = tuple(FULL if place in reading else LINEAR for place in range(layers))
    if listed is not None and listed != found:
        fields.doubt("layer_types and attn_layer_indices name different layers")
    fields.ignore("attn_rotary_emb", "z_loss_coefficient")
    mixers: dict[str, Mixer] = {FULL: attention(fields), LINEAR: mamba2_layers(fields, width(fields))}
    mlp = gated(fields)
    return decoder(fields, [Layer(norms=RMS_PAIR, mixers=(mixers[kind],), mlp=mlp) for kind in found], tied=False)


READS = {"bamba": bamba}
