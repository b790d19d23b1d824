"""gpt-oss: biases everywhere (experts and router too), a learned sink a head, every other layer a window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, experts, gated, layer_count, uniform
from isoflop.model.families.common_experts import windowed

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def gpt_oss(fields: Fields) -> ModelSpec:
    """The first layer has a window, the second sees everything, and so on, where no list says otherwise."""
    layers = layer_count(fields)
    kinds = ["full_attention" if place % 2 else "sliding_attention" for place in range(layers)]
    mixer = replace(attention(fields), sinks=True)
    mixture = experts(fields, gated(fields, bias=True), router_bias="parameter")
    return uniform(fields, mixer, mixture, windows=windowed(fields, layers, kinds))


READS = {"gpt_oss": gpt_oss}
