"""Grok-1, run by code that came with its weights; the published size agrees (316 B)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, attention, experts, gated, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def grok1(fields: Fields) -> ModelSpec:
    """Grok-1: norms on both sides of each part, gated experts with GELU."""
    fields.ignore("attn_output_multiplier", "embedding_multiplier_scale", "output_multiplier_scale", "max_attn_value")
    expert = replace(gated(fields, bias=False), activation="gelu")
    return uniform(fields, attention(fields, bias=""), experts(fields, expert), norms=(RMS,) * 4, tied=True)


READS = {"grok-1": grok1}
