"""StarCoder 2: layer norms and one flag for all biases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import LAYER_NORM, as_always, attention, plain, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def starcoder2(fields: Fields) -> ModelSpec:
    """Two matrices, one flag for all biases, a window in every layer where one is given."""
    as_always(fields, mlp_type="default", norm_type="layer_norm")
    bias = fields.flag("use_bias", default=True)
    mixer = attention(fields, bias="qkvo" if bias else "", window=fields.maybe("sliding_window"))
    mlp = plain(fields, bias=bias, act="gelu_pytorch_tanh")
    return uniform(fields, mixer, mlp, norms=(LAYER_NORM, LAYER_NORM), norm=LAYER_NORM, tied=True)


READS = {"starcoder2": starcoder2}
