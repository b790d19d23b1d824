"""HRM: two stacks of layers that run in cycles over one another's output."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, attention, decoder, gated, layer_count, width
from isoflop.model.parts import vector
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def hrm(fields: Fields) -> ModelSpec:
    """Two stacks of layers: the low one runs `L_cycles` times, then the high one, and all that `H_cycles` times.

    Every run keeps keys and values of its own.
    """
    fields.ignore("L_bp_cycles", "prefix_lm", "embedding_scale")
    each = fields.maybe("num_layers_per_stack") or layer_count(fields)
    # Once a file names the layers of a stack, this is the number of all runs.
    fields.ignore("num_hidden_layers")
    mixer = replace(attention(fields), gate="element")
    mixer = replace(mixer, kv_heads=mixer.heads)
    if mixer.bias:
        mixer = replace(mixer, extras=(vector("gate bias", mixer.heads * mixer.head_width),))
    bare = replace(RMS, scale=False)
    held = Layer(norms=(bare, bare), mixers=(mixer,), mlp=gated(fields))
    again = replace(held, held=False)
    low, high = fields.count("L_cycles"), fields.count("H_cycles")
    fields.check_layers(each * (low + 1) * high, "(L_cycles + 1) x H_cycles x layers")
    first = [held] * each + [again] * (each * (low - 1)) + [held] * each
    rest = [again] * (each * (low + 1) * (high - 1))
    start = vector("start of the low stack", width(fields))
    return decoder(fields, [*first, *rest], tied=False, norm=bare, extras=(start,))


READS = {"hrm_text": hrm}
