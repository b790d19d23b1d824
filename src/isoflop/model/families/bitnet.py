"""BitNet: Llama with a norm before the last matrix of each part, and weights of three values (stored so or not)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, uniform, width
from isoflop.model.parts import vector

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def bitnet(fields: Fields) -> ModelSpec:
    """BitNet b1.58 2B4T."""
    mlp = gated(fields, bias=False)
    mixer = replace(attention(fields), extras=(vector("inner norm", width(fields)),))
    return uniform(fields, mixer, replace(mlp, extras=(vector("inner norm", mlp.width),)))


READS = {"bitnet": bitnet}
