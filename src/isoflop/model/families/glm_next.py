"""GLM-5-Next's text part: three of four layers keep a matrix a head (the delta rule), the fourth reads by an index.

The index scores pools of tokens; several residual streams.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import decoder, gated, latent_attention, layer_count, width
from isoflop.model.families.common_experts import fine_grained, hyper_connections, index, own_index, sparse, stacked
from isoflop.model.families.common_recurrent import kimi_delta
from isoflop.model.families.deepseek_sparse import following
from isoflop.model.parts import LatentAttention, Linear, Recurrent, vector

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

LINEAR, INDEXED = "linear_attention", "indexed_attention"


def glm5_next(fields: Fields) -> ModelSpec:
    """Where no list says otherwise, every fourth layer has an index; the first three are dense."""
    layers = layer_count(fields)
    kinds = fields.words("layer_types", length=layers) or tuple(
        INDEXED if place % 4 == 3 else LINEAR for place in range(layers)
    )
    if set(kinds) - {LINEAR, INDEXED, "full_attention"}:
        fields.doubt("layer_types holds what is not known here")
    recurrent, attention = _delta(fields), _indexed(fields)
    pairs = zip(kinds, own_index(fields, layers), strict=True)
    mixers = [recurrent if kind == LINEAR else following(attention, own=own) for kind, own in pairs]
    streams = fields.count("hc_mult")
    mixing = hyper_connections(fields, mixes=(2 + streams) * streams, scales=3)
    mixed = sparse(fields, layers, first=3)
    stack = stacked(mixers, mixed, fine_grained(fields), gated(fields, bias=False), extras=mixing)
    return decoder(fields, stack, tied=False)


def _indexed(fields: Fields) -> LatentAttention:
    """Latent attention; one key of the index for `index_kpool` tokens, made of them by learned weights."""
    base = latent_attention(fields)
    if base.q_rank is None:
        raise fields.missing("q_lora_rank")
    pool, keys = fields.count("index_kpool"), fields.count("index_head_dim")
    fields.ignore("index_kpool_always_select_tail", "indexer_rope_interleave")
    more = (
        Linear(name="index pooling", inputs=width(fields), outputs=keys),
        vector("index places", pool * keys),
    )
    return replace(base, index=replace(index(fields, base.q_rank, extras=more), pool=pool))


def _delta(fields: Fields) -> Recurrent:
    """Kimi's delta attention: a decay for every channel, a gate on the output, both through a narrow matrix."""
    heads, one = fields.count("linear_num_heads"), fields.count("linear_head_dim")
    kernel = fields.count("linear_conv_kernel_dim")
    inside = fields.within("linear_attn_config")
    if inside is not None:
        inside.ignore("gate_lower_bound", "safe_gate")
        heads, one = inside.count("num_heads", default=heads), inside.count("head_dim", default=one)
        kernel = inside.count("short_conv_kernel_size", default=kernel)
    fields.ignore("linear_lower_bound")
    return kimi_delta(width=width(fields), heads=heads, head_width=one, kernel=kernel)
