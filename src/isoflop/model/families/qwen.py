"""Qwen, the first: Llama with a bias on queries, keys and values, and a feed-forward width that counts both halves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, uniform
from isoflop.model.families.mixtures import only

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def qwen(fields: Fields) -> ModelSpec:
    """`intermediate_size` is the width of gate and up together."""
    only(fields, "no_bias", True)  # noqa: FBT003
    fields.ignore("rotary_emb_base", "use_cache_quantization", "use_cache_kernel")
    fields.assume({"head_dim": fields.maybe("kv_channels")})
    mlp = gated(fields, bias=False)
    return uniform(fields, attention(fields, bias="qkv"), replace(mlp, width=mlp.width // 2))


READS = {"qwen": qwen}
"""Code that came with the weights; sizes agree with the released ones (7.72 B)."""
