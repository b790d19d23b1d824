"""Mamba layers among attention layers, or beside it in every layer (Falcon-H1), each with a feed-forward part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import (
    RMS_PAIR,
    as_always,
    attention,
    decoder,
    experts,
    gated,
    layer_count,
    width,
)
from isoflop.model.families.recurrences import FULL, LINEAR, kinds, mamba1, mamba2_layers
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Mixer, Mlp, Moe
    from isoflop.model.spec import ModelSpec


def jamba(fields: Fields) -> ModelSpec:
    """Mamba with three norms inside, every eighth layer attention without positions; every other layer a mixture."""
    layers, wide = layer_count(fields), width(fields)
    as_always(fields, mamba_inner_layernorms=True)
    fields.ignore("use_mambapy", "use_associative_scan", "calc_logits_for_entire_prompt")
    recurrent = mamba1(
        width=wide,
        inner=fields.count("mamba_expand") * wide,
        state=fields.count("mamba_d_state"),
        rank=fields.auto("mamba_dt_rank", value=-(-wide // 16)),
        kernel=fields.count("mamba_d_conv"),
        bias=fields.flag("mamba_proj_bias", default=False),
        conv_bias=fields.flag("mamba_conv_bias", default=True),
        norms=True,
    )
    reading = attention(fields, bias="", positions="none")
    dense: Mlp | Moe = gated(fields, bias=False)
    mixture = dense
    if fields.count("num_experts", "num_local_experts") > 1:
        mixture = experts(fields, gated(fields, bias=False))
    fields.ignore("num_experts_per_tok")
    attends = _places(fields, "attn_layer", layers)
    mixed = _places(fields, "expert_layer", layers)
    stack = [
        Layer(norms=RMS_PAIR, mixers=(reading if attends[place] else recurrent,), mlp=mixture if one else dense)
        for place, one in enumerate(mixed)
    ]
    return decoder(fields, stack, tied=False)


def _places(fields: Fields, name: str, layers: int) -> list[bool]:
    period, offset = fields.count(f"{name}_period"), fields.count(f"{name}_offset", least=0)
    return [place % period == offset for place in range(layers)]


def bamba(fields: Fields) -> ModelSpec:
    """Mamba-2; the layers of `attn_layer_indices` are attention."""
    layers = layer_count(fields)
    reading = fields.counts("attn_layer_indices") or ()
    listed = kinds(fields, "layer_types", "layers_block_type", layers=layers)
    found = tuple(FULL if place in reading else LINEAR for place in range(layers))
    if listed is not None and listed != found:
        fields.doubt("layer_types and attn_layer_indices name different layers")
    fields.ignore("attn_rotary_emb", "z_loss_coefficient")
    mixers: dict[str, Mixer] = {FULL: attention(fields), LINEAR: mamba2_layers(fields, width(fields))}
    mlp = gated(fields)
    return decoder(fields, [Layer(norms=RMS_PAIR, mixers=(mixers[kind],), mlp=mlp) for kind in found], tied=False)


def falcon_h1(fields: Fields) -> ModelSpec:
    """Attention and Mamba-2 read the same input in every layer; the inner width is a field of its own."""
    wide = width(fields)
    as_always(fields, mamba_use_mlp=True)
    fields.ignore("mlp_expansion_factor", "mamba_norm_before_gate")
    inner = fields.maybe("mamba_d_ssm")
    norm = fields.flag("mamba_rms_norm", default=False)
    recurrent = mamba2_layers(fields, wide, norm=norm, inner=inner)
    layer = Layer(norms=RMS_PAIR, mixers=(attention(fields), recurrent), mlp=gated(fields))
    return decoder(fields, [layer] * layer_count(fields), tied=False)


def granite_hybrid(fields: Fields) -> ModelSpec:
    """Granite 4: Mamba-2 where no list says otherwise; a shared part in every layer, experts where there are any."""
    layers = layer_count(fields)
    as_always(fields, normalization_function="rmsnorm", init_method="mup")
    rotated = fields.choice({"rope": True, "nope": False}, "position_embedding_type", default=False)
    found = kinds(fields, "layer_types", "layers_block_type", layers=layers) or (LINEAR,) * layers
    reading = attention(fields, positions="rope" if rotated else "none")
    mixers: dict[str, Mixer] = {FULL: reading, LINEAR: mamba2_layers(fields, width(fields))}
    shared: Mlp = gated(fields, "shared_intermediate_size", bias=False)
    part: Mlp | Moe = shared
    if fields.count("num_local_experts", least=0):
        part = experts(fields, gated(fields, bias=False), shared=shared)
    fields.ignore("num_experts_per_tok", "intermediate_size")
    stack = [Layer(norms=RMS_PAIR, mixers=(mixers.get(kind, reading),), mlp=part) for kind in found]
    return decoder(fields, stack, tied=False)


READS = {"bamba": bamba, "falcon_h1": falcon_h1, "granitemoehybrid": granite_hybrid, "jamba": jamba}
