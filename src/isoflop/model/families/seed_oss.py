"""Seed-OSS: Llama with biases on queries, keys and values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def seed_oss(fields: Fields) -> ModelSpec:
    """Biases on queries, keys and values; one on the output is asked for apart."""
    bias = "qkv" if fields.flag("attention_bias", default=True) else ""
    bias += "o" if fields.flag("attention_out_bias", default=False) else ""
    return uniform(fields, attention(fields, bias=bias), gated(fields))


READS = {"seed_oss": seed_oss}
