"""Granite 4: Mamba-2 layers, a few of attention among them, each with a shared part and maybe experts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, as_always, attention, decoder, experts, gated, layer_count, width
from isoflop.model.families.common_recurrent import FULL, LINEAR, kinds, mamba2_layers
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Mixer, Mlp, Moe
    from isoflop.model.spec import ModelSpec


def granite_hybrid(fields: Fields) -> ModelSpec:
    """Granite 4: Mamba-2 where no list says otherwise; a shared part in every layer, experts where there are any."""
    layers = layer_count(fields)
    as_always(fields, normalization_function="rmsnorm", init_method="mup")
    rotated = fields.choice({"rope": True, "nope": False}, "position_embedding_type", default=False)
    found = kinds(fields, "layer_types", "layers_block_type", layers=layers) or (LINEAR,) * layers
    reading = attention(fields, positions="rope" if rotated else "none")
    mixers: dict[str, Mixer] = {FULL: reading, LINEAR: mamba2_layers(fields, width(fields))}
    shared: Mlp = gated(fields, "shared_intermediate_size", bias=False)
    part: Mlp | Moe = shared
    if fields.count("num_local_experts", least=0):
        part = experts(fields, gated(fields, bias=False), shared=shared)
    fields.ignore("num_experts_per_tok", "intermediate_size")
    stack = [Layer(norms=RMS_PAIR, mixers=(mixers.get(kind, reading),), mlp=part) for kind in found]
    return decoder(fields, stack, tied=False)


READS = {"granitemoehybrid": granite_hybrid}
