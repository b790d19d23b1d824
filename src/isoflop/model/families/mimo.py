"""MiMo-V2-Flash: values narrower than keys, windows with sinks and more key-value heads, small experts; MiMo-7B."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, attention, decoder, gated, layer_count, next_token_layers
from isoflop.model.families.common_experts import fine_grained, only, sparse, stacked, windowed
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Attention
    from isoflop.model.spec import ModelSpec


def mimo_v2_flash(fields: Fields) -> ModelSpec:
    """The first layer and every sixth see everything; the first is dense."""
    layers = layer_count(fields)
    pattern = fields.counts("hybrid_layer_pattern", length=layers)
    kinds = [
        (
            "sliding_attention"
            if (place and (place + 1) % 6 if pattern is None else pattern[place])
            else "full_attention"
        )
        for place in range(layers)
    ]
    size = fields.maybe("sliding_window_size")
    window = fields.maybe("sliding_window") if size is None else size + 1
    fields.ignore("sliding_window", "attention_value_scale", "attention_chunk_size", "hybrid_block_size")
    full, local = _mixers(fields)
    slides = [one is not None for one in windowed(fields, layers, kinds, "sliding_window")]
    mixers = [replace(local, window=window) if one else full for one in slides]
    mixed = sparse(fields, layers, first=1)
    return decoder(fields, stacked(mixers, mixed, fine_grained(fields), gated(fields, bias=False)), tied=False)


def _mixers(fields: Fields) -> tuple[Attention, Attention]:
    """Attention without and with a window."""
    bias = "qkv" if fields.flag("attention_bias", default=False) else ""
    full = replace(attention(fields, bias=bias), value_width=fields.count("v_head_dim"))
    only(fields, "swa_num_attention_heads", full.heads)
    only(fields, "swa_head_dim", full.head_width)
    only(fields, "swa_v_head_dim", full.value_width)
    fields.ignore("swa_rope_theta")
    local = replace(full, kv_heads=fields.count("swa_num_key_value_heads", default=2 * full.kv_heads))
    return (
        replace(full, sinks=fields.flag("add_full_attention_sink_bias", default=False)),
        replace(local, sinks=fields.flag("add_swa_attention_sink_bias", default=True)),
    )


def mimo(fields: Fields) -> ModelSpec:
    """MiMo-7B, dense: Qwen2 with layers that predict further tokens."""
    only(fields, "use_sliding_window", False)  # noqa: FBT003
    fields.ignore("sliding_window", "max_window_layers")
    mixer = attention(fields, bias="qkv" if fields.flag("attention_bias", default=True) else "")
    layer = Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=gated(fields, bias=False))
    ahead = next_token_layers(fields, layer)
    return decoder(fields, [layer] * layer_count(fields), tied=False, apart=ahead)


READS = {"mimo": mimo, "mimo_v2_flash": mimo_v2_flash}
