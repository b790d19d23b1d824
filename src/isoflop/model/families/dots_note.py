"""dots3-note's text part: latent attention of two kinds, with a sparse index, and in a window with its own ranks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import decoder, experts, gated, latent_attention, layer_count, width
from isoflop.model.families.common_experts import each_layer, index, shared_experts, sparse, stacked
from isoflop.model.parts import LatentAttention, Linear, vector

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

WINDOW, INDEXED, FULL = "sliding_attention", "indexed_attention", "full_attention"
SIZES = {
    "num_attention_heads": 64, "num_key_value_heads": 64, "q_lora_rank": 1024, "kv_lora_rank": 1024,
    "head_dim": 256, "qk_nope_head_dim": 192, "v_head_dim": 128,
}  # fmt: skip
"""What layers with a window have where neither `swa_*` nor `per_layer_config` says it."""


def dots3_note(fields: Fields) -> ModelSpec:
    """Where no list says otherwise, the first two layers and every fourth have an index; the first is dense."""
    layers = layer_count(fields)
    kinds = _kinds(fields, layers)
    window = fields.maybe("sliding_window", "sliding_window_size") or 512
    listed = fields.has("per_layer_config")
    each = each_layer(fields, layers, *SIZES, "qk_rope_head_dim") if listed else _windowed(fields, kinds)
    mixers = [_mixer(one, kind, window) for one, kind in zip(each, kinds, strict=True)]
    expert = gated(fields, "moe_intermediate_size", bias=False)
    times = shared_experts(fields)
    wide = fields.count("moe_shared_expert_intermediate_size", "shared_experts_intermediate_size")
    shared = replace(expert, width=wide * times) if times else None
    mixture = experts(fields, expert, shared=shared, router_bias="stored")
    mixed = sparse(fields, layers, first=1)
    fields.ignore("mlp_bias", "swa_rope_theta", "index_head_dim", "index_n_heads", "index_topk")
    return decoder(fields, stacked(mixers, mixed, mixture, gated(fields, bias=False)), tied=False)


def _kinds(fields: Fields, layers: int) -> tuple[str, ...]:
    """The type of every layer; `use_dsa` turns all without a window to one type."""
    chosen = fields.flag("use_dsa", default=True)
    slides = fields.flag("use_sliding_window", default=True)
    usual = INDEXED if chosen else FULL
    kinds = fields.words("layer_types", length=layers)
    if kinds is None:
        return tuple(usual if not slides or place < 2 or place % 4 == 1 else WINDOW for place in range(layers))
    if set(kinds) - {WINDOW, INDEXED, FULL}:
        fields.doubt("layer_types holds what is not known here")
    if fields.has("per_layer_config") and not fields.has("use_dsa"):
        return kinds
    return tuple(WINDOW if kind == WINDOW else usual for kind in kinds)


def _windowed(fields: Fields, kinds: tuple[str, ...]) -> list[Fields]:
    """The fields of every layer where `swa_*` say the sizes of those with a window."""
    sizes = {name: fields.count(f"swa_{name}", default=default) for name, default in SIZES.items()}
    rope = fields.count("swa_qk_rope_head_dim", default=sizes["head_dim"] - sizes["qk_nope_head_dim"])
    windowed = fields.changed({**sizes, "qk_rope_head_dim": rope})
    return [windowed if kind == WINDOW else fields for kind in kinds]


def _mixer(fields: Fields, kind: str, window: int) -> LatentAttention:
    """Attention of one layer: a norm of the rotary key, a gate for every head."""
    plain = latent_attention(fields)
    if plain.q_rank is None:
        raise fields.missing("q_lora_rank")
    more = (vector("rotary key norm", plain.rope_width), Linear(name="gate", inputs=width(fields), outputs=plain.heads))
    return replace(
        plain,
        extras=more,
        window=window if kind == WINDOW else None,
        index=index(fields, plain.q_rank) if kind == INDEXED else None,
    )


READS = {"dots3_note_text": dots3_note}
