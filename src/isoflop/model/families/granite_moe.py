"""Granite's mixtures (3.0 and 3.1 of 1B and 3B): multipliers without weights, an optional shared expert, windows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, experts, gated, layer_count, uniform
from isoflop.model.families.common_experts import windowed

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Moe
    from isoflop.model.spec import ModelSpec


def granite_moe(fields: Fields) -> ModelSpec:
    """A shared expert where `shared_intermediate_size` gives it a width."""
    return uniform(fields, attention(fields), _mixture(fields))


def granite_moe_swa(fields: Fields) -> ModelSpec:
    """The first of every four layers sees everything, the others a window; a learned sink a head."""
    layers = layer_count(fields)
    kinds = ["sliding_attention" if place % 4 else "full_attention" for place in range(layers)]
    fields.ignore("layer_rope_theta")
    mixer = replace(attention(fields), sinks=True)
    return uniform(fields, mixer, _mixture(fields), windows=windowed(fields, layers, kinds))


def _mixture(fields: Fields) -> Moe:
    expert = gated(fields, bias=False)
    wide = fields.count("shared_intermediate_size", default=0, least=0)
    return experts(fields, expert, shared=replace(expert, width=wide) if wide else None)


READS = {"granitemoe": granite_moe, "granitemoe_swa": granite_moe_swa, "granitemoeshared": granite_moe}
