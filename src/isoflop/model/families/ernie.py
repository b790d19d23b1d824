"""ERNIE 4.5, dense: Llama with one flag for all biases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def ernie(fields: Fields) -> ModelSpec:
    """One flag for all biases."""
    bias = fields.flag("use_bias", default=False)
    return uniform(fields, attention(fields, bias="qkvo" if bias else ""), gated(fields, bias=bias))


READS = {"ernie4_5": ernie}
