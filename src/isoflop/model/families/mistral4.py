"""Mistral 4: DeepSeek's latent attention and small experts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, decoder, experts, gated, latent_attention, layer_count, scaled
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def mistral4(fields: Fields) -> ModelSpec:
    """DeepSeek's layer without a correction of the router's scores."""
    dense = Layer(norms=RMS_PAIR, mixers=(latent_attention(fields),), mlp=gated(fields, bias=False))
    expert = gated(fields, "moe_intermediate_size", bias=False)
    shared = scaled(expert, fields.count("n_shared_experts", least=0))
    sparse = replace(dense, mlp=experts(fields, expert, shared=shared))
    layers = layer_count(fields)
    first = min(layers, fields.count("first_k_dense_replace", default=0, least=0))
    return decoder(fields, [dense] * first + [sparse] * (layers - first), tied=False)


READS = {"mistral4": mistral4}
