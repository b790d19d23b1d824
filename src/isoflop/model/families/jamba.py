"""Jamba: Mamba with three norms inside, every eighth layer attention, every other layer a mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, as_always, attention, decoder, experts, gated, layer_count, width
from isoflop.model.families.common_recurrent import mamba1_layers
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Mlp, Moe
    from isoflop.model.spec import ModelSpec


def jamba(fields: Fields) -> ModelSpec:
    """Mamba with three norms inside, every eighth layer attention without positions; every other layer a mixture."""
    layers, wide = layer_count(fields), width(fields)
    as_always(fields, mamba_inner_layernorms=True)
    fields.ignore("use_mambapy", "use_associative_scan", "calc_logits_for_entire_prompt")
    recurrent = mamba1_layers(fields, wide, norms=True)
    reading = attention(fields, bias="", positions="none")
    dense: Mlp | Moe = gated(fields, bias=False)
    mixture = dense
    if fields.count("num_experts", "num_local_experts") > 1:
        mixture = experts(fields, gated(fields, bias=False))
    fields.ignore("num_experts_per_tok")
    attends = _places(fields, "attn_layer", layers)
    mixed = _places(fields, "expert_layer", layers)
    stack = [
        Layer(norms=RMS_PAIR, mixers=(reading if attends[place] else recurrent,), mlp=mixture if one else dense)
        for place, one in enumerate(mixed)
    ]
    return decoder(fields, stack, tied=False)


def _places(fields: Fields, name: str, layers: int) -> list[bool]:
    period, offset = fields.count(f"{name}_period"), fields.count(f"{name}_offset", least=0)
    return [place % period == offset for place in range(layers)]


READS = {"jamba": jamba}
