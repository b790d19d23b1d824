"""Granite: Llama with constants on embedding, residuals, scores and logits. HyperCLOVA X is built like it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, attention, gated, layer_count, sliding, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def granite(fields: Fields) -> ModelSpec:
    """Llama with constants on embedding, residuals, scores and logits."""
    return uniform(fields, attention(fields), gated(fields))


def granite_swa(fields: Fields) -> ModelSpec:
    """Granite with sinks; the first of every four layers sees everything, the others a window."""
    fields.ignore("layer_rope_theta")
    windows = sliding(fields, layer_count(fields), every=4, first=True)
    return uniform(fields, replace(attention(fields), sinks=True), gated(fields), windows=windows)


def hyperclovax(fields: Fields) -> ModelSpec:
    """Granite; a norm after each part too where asked for."""
    norms = RMS_PAIR * (2 if fields.flag("use_post_norm", default=True) else 1)
    return uniform(fields, attention(fields), gated(fields), norms=norms)


READS = {
    "granite": granite,
    "granite_swa": granite_swa,
    "hyperclovax": hyperclovax,
}
