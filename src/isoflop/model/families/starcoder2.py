"""StarCoder 2 and StableLM: layer norms with biases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import LAYER_NORM, as_always, attention, gated, plain, uniform, width

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


def stablelm(fields: Fields) -> ModelSpec:
    """Gated; heads share out the width whatever `head_dim` says. Parallel parts share a norm."""
    bias = "qkv" if fields.flag("use_qkv_bias", default=False) else ""
    normed = fields.flag("qk_layernorm", default=False)
    parallel = fields.flag("use_parallel_residual", default=False)
    mixer = attention(fields, bias=bias, qk_norm="full" if normed else "none")
    return uniform(
        fields,
        replace(mixer, head_width=width(fields) // mixer.heads),
        gated(fields, bias=False),
        norms=(LAYER_NORM,) * (1 if parallel else 2),
        norm=LAYER_NORM,
        parallel=parallel,
    )


READS = {"starcoder2": starcoder2, "stablelm": stablelm}
