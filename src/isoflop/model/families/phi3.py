"""Phi-3 and 4: Llama without biases, queries, keys and values in one matrix, gate and up in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import as_always, attention, gated, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def phi3(fields: Fields) -> ModelSpec:
    """A window in every layer where one is given."""
    as_always(fields, full_attn_mod=1, interpolate_factor=1)
    return uniform(fields, attention(fields, bias="", window=fields.maybe("sliding_window")), gated(fields, bias=False))


READS = {"phi3": phi3, "phi4_multimodal": phi3}
