"""Helium: Llama with a square matrix on the way out of attention, and no bias on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def helium(fields: Fields) -> ModelSpec:
    """No bias on the way out of attention; its matrix is square."""
    mixer = attention(fields)
    mixer = replace(mixer, bias=mixer.bias.replace("o", ""))
    wide = fields.count("hidden_size")
    if mixer.heads * mixer.head_width != wide:
        fields.doubt(f"{mixer.heads} heads of {mixer.head_width} do not make up hidden_size = {wide}")
    return uniform(fields, mixer, gated(fields))


READS = {"helium": helium}
