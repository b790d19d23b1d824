"""Aria's text part: every layer a mixture, with shared experts side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, experts, gated, scaled, uniform
from isoflop.model.families.common_experts import shared_experts

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def aria(fields: Fields) -> ModelSpec:
    """A bias, where asked for, on the shared experts alone."""
    expert = gated(fields, "moe_intermediate_size", "intermediate_size", bias=False)
    biased = replace(expert, bias=fields.flag("mlp_bias", default=False))
    mixture = experts(fields, expert, shared=scaled(biased, shared_experts(fields)))
    return uniform(fields, attention(fields), mixture)


READS = {"aria_text": aria}
