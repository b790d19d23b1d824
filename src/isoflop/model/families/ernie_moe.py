"""ERNIE 4.5: mixtures from one layer to another, one flag for every bias but the experts'."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, decoder, experts, gated, layer_count, scaled
from isoflop.model.families.common_experts import only, shared_experts, stacked

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def ernie4_5_moe(fields: Fields) -> ModelSpec:
    """The router's scores are corrected; the end of the mixtures is -1 for the last layer."""
    bias = fields.flag("use_bias", default=False)
    layers = layer_count(fields)
    dense = gated(fields, bias=bias)
    expert = replace(dense, width=fields.count("moe_intermediate_size"), bias=False)
    shared = scaled(replace(expert, bias=bias), shared_experts(fields))
    mixture = experts(fields, expert, shared=shared, router_bias="stored")
    start = fields.count("moe_layer_start_index", default=1, least=0)
    end = fields.count("moe_layer_end_index", default=-1, least=-1)
    every = fields.count("moe_layer_interval", default=1)
    last = layers - 1 if end == -1 else end
    mixed = [start <= place <= last and (place + 1) % every == 0 for place in range(layers)]
    only(fields, "moe_use_aux_free", True)  # noqa: FBT003
    only(fields, "moe_gate", "topk", "top2_fused")
    only(fields, "compression_ratio", 1, 1.0)
    fields.ignore("moe_norm_min", "moe_capacity", "moe_gate_act", "rope_reorder", "num_nextn_predict_layers")
    mixers = [attention(fields, bias="qkvo" if bias else "")] * layers
    return decoder(fields, stacked(mixers, mixed, mixture, dense), tied=True, head_bias=bias)


READS = {"ernie4_5_moe": ernie4_5_moe}
