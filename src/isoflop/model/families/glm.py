"""GLM-4, dense: biases on queries, keys and values, rotary positions on half of each head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, attention, gated, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def glm(fields: Fields) -> ModelSpec:
    """Biases on queries, keys and values, rotary positions on half of each head."""
    return _glm(fields, norms=2)


def glm4(fields: Fields) -> ModelSpec:
    """GLM with norms after both parts too."""
    return _glm(fields, norms=4)


def _glm(fields: Fields, norms: int) -> ModelSpec:
    bias = "qkv" if fields.flag("attention_bias", default=True) else ""
    return uniform(fields, attention(fields, bias=bias), gated(fields, bias=False), norms=(RMS,) * norms)


READS = {
    "glm": glm,
    "glm4": glm4,
}
