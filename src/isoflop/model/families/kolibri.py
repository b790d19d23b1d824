"""Kolibri 1: small experts, norms on both sides of each part, every fifth layer sees everything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, attention, experts, gated, layer_count, sliding, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def kolibri(fields: Fields) -> ModelSpec:
    """Norms on both sides of each part, a shared expert, a stored correction; every fifth layer sees everything."""
    expert = gated(fields, "moe_intermediate_size", bias=False)
    shared = replace(expert, width=fields.count("shared_expert_intermediate_size"))
    return uniform(
        fields,
        attention(fields, bias="", qk_norm="head"),
        experts(fields, expert, shared=shared, router_bias="stored"),
        norms=(RMS,) * 4,
        windows=sliding(fields, layer_count(fields), every=5),
    )


READS = {"kolibri1": kolibri}
