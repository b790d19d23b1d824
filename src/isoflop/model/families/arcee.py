"""Arcee: Llama with two matrices and a squared ReLU between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, plain, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def arcee(fields: Fields) -> ModelSpec:
    """Two matrices with a squared ReLU between them."""
    bias = fields.flag("mlp_bias", default=False)
    return uniform(fields, attention(fields), plain(fields, bias=bias, act="relu2"))


READS = {"arcee": arcee}
