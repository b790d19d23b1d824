"""LFM2 and LFM3: short convolutions behind gates, and some layers of attention with normalised heads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, as_always, attention, decoder, experts, layer_count, width
from isoflop.model.families.common_experts import stacked
from isoflop.model.families.common_recurrent import CONV, FULL, kinds, short_convolution
from isoflop.model.parts import Mlp
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Mixer
    from isoflop.model.spec import ModelSpec

WINDOW = "sliding_attention"


def lfm2(fields: Fields) -> ModelSpec:
    """The file's width of the feed-forward part is cut to two thirds and rounded up; without lists all attend."""
    layers, wide = layer_count(fields), width(fields)
    as_always(fields, block_dim=wide, conv_dim=wide, conv_dim_out=wide, block_use_swiglu=True, use_pos_enc=True)
    fields.ignore(*_INITIAL, "theta", "block_norm_eps")
    attends = fields.counts("full_attn_idxs")
    listed = kinds(fields, "layer_types", layers=layers, known=(CONV, FULL))
    named = tuple(FULL if attends is None or place in attends else CONV for place in range(layers))
    if listed and attends is not None and listed != named:
        fields.doubt("layer_types and full_attn_idxs name different layers")
    mlp = Mlp(width=_adjusted(fields), gated=True, activation="silu")
    mixers = _mixers(fields)
    stack = [Layer(norms=RMS_PAIR, mixers=(mixers.get(kind, mixers[FULL]),), mlp=mlp) for kind in listed or named]
    return _decoder(fields, stack)


_INITIAL = ("block_mlp_init_scale", "block_out_init_scale", "block_use_xavier_init", "conv_use_xavier_init")


def _adjusted(fields: Fields) -> int:
    """Width of the feed-forward part."""
    given = fields.count("block_ff_dim", "intermediate_size")
    multiple, factor = fields.count("block_multiple_of"), fields.number("block_ffn_dim_multiplier", default=1)
    if not fields.flag("block_auto_adjust_ff_dim", default=True):
        return given
    less = int(2 * given / 3)
    if fields.values.get("block_ffn_dim_multiplier", factor) is None:
        return less
    return -(-int(factor * less) // multiple) * multiple


def _mixers(fields: Fields) -> dict[str, Mixer]:
    """Attention with normalised heads, and the short convolution."""
    fields.maybe("num_attention_heads", "num_heads")
    conv = short_convolution(
        width=width(fields),
        kernel=fields.count("conv_L_cache"),
        bias=fields.flag("conv_bias", default=False),
    )
    return {CONV: conv, FULL: attention(fields, bias="", qk_norm="head")}


def _decoder(fields: Fields, stack: list[Layer]) -> ModelSpec:
    """Tied where nothing says otherwise; early files say it under another name, which counts before the usual one."""
    spec = decoder(fields, stack, tied=True)
    assert spec.head is not None
    return replace(spec, head=replace(spec.head, tied=fields.flag("tie_embedding", default=spec.head.tied)))


def lfm2_moe(fields: Fields) -> ModelSpec:
    """The first layers dense, then mixtures whose scores may be corrected by stored values."""
    layers = layer_count(fields)
    as_always(fields, conv_dim=width(fields), conv_dim_out=width(fields), use_pos_enc=True)
    order = kinds(fields, "layer_types", layers=layers, known=(CONV, FULL))
    if order is None:
        raise fields.missing("layer_types")
    dense = Mlp(width=fields.count("intermediate_size"), gated=True, activation="silu")
    corrected = fields.flag("use_expert_bias", default=True)
    expert = replace(dense, width=fields.count("moe_intermediate_size"))
    mixture = experts(fields, expert, router_bias="stored" if corrected else "none")
    first = fields.count("num_dense_layers", least=0)
    mixers = _mixers(fields)
    listed = [mixers.get(kind, mixers[FULL]) for kind in order]
    return _decoder(fields, stacked(listed, [place >= first for place in range(layers)], mixture, dense))


def lfm3(fields: Fields) -> ModelSpec:
    """Windows too, a gate a head, norms after each part; without a list every other layer is a convolution."""
    layers = layer_count(fields)
    usual = tuple(FULL if place % 4 == 2 else WINDOW if place % 4 == 0 and place else CONV for place in range(layers))
    order = kinds(fields, "layer_types", layers=layers, known=(CONV, FULL, WINDOW)) or usual
    window = fields.maybe("sliding_window")
    if WINDOW in order and window is None:
        raise fields.missing("sliding_window")
    gated = fields.flag("use_attention_gate", default=True)
    mixers = _mixers(fields)
    reading = replace(attention(fields, qk_norm="head"), gate="head" if gated else "none")
    mixers |= {FULL: reading, WINDOW: replace(reading, window=window)}
    norms = RMS_PAIR * (2 if fields.flag("use_sandwich_norm", default=True) else 1)
    mlp = Mlp(width=fields.count("intermediate_size"), gated=True, activation="silu")
    stack = [Layer(norms=norms, mixers=(mixers.get(kind, reading),), mlp=mlp) for kind in order]
    return decoder(fields, stack, tied=True)


READS = {"lfm2": lfm2, "lfm2_moe": lfm2_moe, "lfm3": lfm3}
