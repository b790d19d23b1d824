"""Llama 4: chunks in the layers with rotary positions, mixtures interleaved with wider dense layers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, decoder, experts, gated, layer_count
from isoflop.model.families.common_experts import stacked

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def llama4(fields: Fields) -> ModelSpec:
    """Queries and keys are normalised without weights; one shared expert as wide as the others."""
    layers = layer_count(fields)
    mixer = attention(fields)
    expert = gated(fields, bias=False)
    mixture = experts(fields, expert, shared=expert)
    every = fields.count("interleave_moe_layer_step", default=1)
    listed = fields.counts("moe_layers")
    mixed = [(place + 1) % every == 0 if listed is None else place in listed for place in range(layers)]
    dense = replace(expert, width=fields.count("intermediate_size_mlp"))
    fields.ignore("use_qk_norm")
    mixers = [replace(mixer, chunk=chunk) for chunk in _chunks(fields, layers)]
    return decoder(fields, stacked(mixers, mixed, mixture, dense), tied=False)


def _chunks(fields: Fields, layers: int) -> list[int | None]:
    """The chunk of each layer, None where it sees everything: those without rotary positions."""
    every = fields.count("no_rope_layer_interval", default=4)
    rotary = fields.counts("no_rope_layers") or [int((place + 1) % every != 0) for place in range(layers)]
    if len(rotary) != layers:
        fields.doubt(f"no_rope_layers has {len(rotary)} entries for {layers} layers")
    kinds = fields.words("layer_types", length=layers) or tuple(
        "chunked_attention" if one else "full_attention" for one in (*rotary, *[1] * layers)[:layers]
    )
    if set(kinds) - {"chunked_attention", "full_attention"}:
        fields.doubt("layer_types holds what is not known here")
    chunk = fields.maybe("attention_chunk_size")
    return [chunk if kind == "chunked_attention" else None for kind in kinds]


READS = {"llama4_text": llama4}
