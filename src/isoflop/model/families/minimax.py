"""MiniMax-Text-01 and M1: lightning attention (linear, with a fixed decay a head), softmax attention between; experts.

Released files name softmax layers with 1 in `attn_type_list`; transformers' own have `layer_types`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, as_always, attention, decoder, experts, gated, layer_count, width
from isoflop.model.families.common_experts import only
from isoflop.model.families.common_recurrent import FULL, LINEAR, kinds, recurrent
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Mixer, Recurrent
    from isoflop.model.spec import ModelSpec


def minimax(fields: Fields) -> ModelSpec:
    """Where no list says otherwise, the first of every two layers is softmax attention."""
    layers = layer_count(fields)
    usual = tuple(LINEAR if place % 2 else FULL for place in range(layers))
    fields.ignore("block_size", *(f"{part}_factor" for part in _FACTORS))
    return _minimax(fields, kinds(fields, "layer_types", layers=layers) or usual)


_FACTORS = tuple(f"{part}_{name}" for part in ("full_attn", "linear_attn", "mlp") for name in ("alpha", "beta"))


def text_01(fields: Fields) -> ModelSpec:
    """As it was released, with code of its own."""
    layers = layer_count(fields)
    listed = fields.counts("attn_type_list", length=layers)
    if listed is None:
        raise fields.missing("attn_type_list")
    if set(listed) - {0, 1}:
        fields.doubt("attn_type_list holds other numbers than 0 (linear) and 1 (softmax)")
    as_always(fields, postnorm=True, shared_intermediate_size=0)
    fields.ignore("shared_moe_mode", *(f"layernorm_{part}_{name}" for part in _SCALED for name in ("alpha", "beta")))
    return _minimax(fields, tuple(FULL if one else LINEAR for one in listed))


_SCALED = ("full_attention", "linear_attention", "mlp")


def _minimax(fields: Fields, order: tuple[str, ...]) -> ModelSpec:
    only(fields, "sliding_window")
    reading = attention(fields, bias="")
    mixers: dict[str, Mixer] = {FULL: reading, LINEAR: _lightning(width(fields), reading.heads, reading.head_width)}
    mixture = experts(fields, gated(fields, bias=False))
    stack = [Layer(norms=RMS_PAIR, mixers=(mixers.get(kind, reading),), mlp=mixture) for kind in order]
    return decoder(fields, stack, tied=False)


def _lightning(wide: int, heads: int, one: int) -> Recurrent:
    """A matrix for each head, without grouping; a gate on every element of the output, and a norm over it."""
    inner = heads * one
    matrices = dict.fromkeys(("q", "k", "v", "gate"), (wide, inner)) | {"o": (inner, wide)}
    return recurrent("lightning attention", matrices, {"norm": inner}, memory=(heads, one, one))


READS = {"minimax": minimax, "minimax_m1": text_01, "minimax_text_01": text_01}
