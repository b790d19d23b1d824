"""StableLM: Llama with layer norms that have biases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import LAYER_NORM, attention, gated, uniform, width

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


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


READS = {"stablelm": stablelm}
