"""Code World Model: Llama with windows in three of four layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, layer_count, sliding, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def cwm(fields: Fields) -> ModelSpec:
    """The first of every four layers sees everything."""
    windows = sliding(fields, layer_count(fields), every=4, first=True)
    return uniform(fields, attention(fields, bias=""), gated(fields), windows=windows)


READS = {"cwm": cwm}
