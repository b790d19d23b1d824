"""Orion: Llama with layer norms that have biases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import LAYER_NORM, attention, gated, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def orion(fields: Fields) -> ModelSpec:
    """Layer norms with biases."""
    return uniform(
        fields, attention(fields, bias=""), gated(fields, bias=False), norms=(LAYER_NORM, LAYER_NORM), norm=LAYER_NORM
    )


READS = {"orion": orion}
