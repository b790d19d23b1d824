"""Kimi Linear and Ling's hybrid: latent attention among layers of Kimi's delta attention, with small experts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import as_always, decoder, gated, latent_attention, layer_count, never_tied, width
from isoflop.model.families.common_experts import fine_grained, only, sparse, stacked
from isoflop.model.families.common_recurrent import FULL, LINEAR, kimi_delta, kinds
from isoflop.model.parts import Linear

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Mixer
    from isoflop.model.spec import ModelSpec


def kimi_linear(fields: Fields) -> ModelSpec:
    """Released files list both kinds of layers, from 1 on, in `linear_attn_config`; the first layer is dense."""
    layers, wide = layer_count(fields), width(fields)
    inside = fields.within("linear_attn_config")
    heads, one = fields.count("linear_num_heads"), fields.count("linear_head_dim")
    kernel = fields.count("linear_conv_kernel_dim")
    listed = kinds(fields, "layer_types", layers=layers)
    if inside is not None:
        heads, one = inside.count("num_heads", default=heads), inside.count("head_dim", default=one)
        kernel = inside.count("short_conv_kernel_size", default=kernel)
        named = _named(inside, layers)
        if listed and named and listed != named:
            fields.doubt("layer_types and linear_attn_config name different layers")
        listed = listed or named
    order = listed or tuple(FULL if place and place % 4 == 0 else LINEAR for place in range(layers))
    as_always(fields, mla_use_nope=True, num_nextn_predict_layers=0)
    fields.ignore("moe_renormalize", "moe_router_activation_func", "use_grouped_topk")
    mixers: dict[str, Mixer] = {
        FULL: latent_attention(fields),
        LINEAR: kimi_delta(width=wide, heads=heads, head_width=one, kernel=kernel),
    }
    return _stack(fields, mixers, order, first=1)


def _named(inside: Fields, layers: int) -> tuple[str, ...] | None:
    """The kinds of layers where both lists are there; together they name each layer once."""
    full, recurrent = inside.counts("full_attn_layers", least=1), inside.counts("kda_layers", least=1)
    if full is None or recurrent is None:
        return None
    if sorted((*full, *recurrent)) != list(range(1, layers + 1)):
        inside.doubt("full_attn_layers and kda_layers do not name each layer once")
    return tuple(FULL if place + 1 in full else LINEAR for place in range(layers))


def bailing_hybrid(fields: Fields) -> ModelSpec:
    """The last of every `layer_group_size` layers is latent attention with a gate a head; full matrices for gates.

    Files written by transformers keep the width of a linear head under a name of its own: their `head_dim` is another.
    """
    layers, wide = layer_count(fields), width(fields)
    heads = fields.count("linear_num_heads", default=fields.count("num_attention_heads"))
    one = fields.count("linear_head_dim", default=fields.count("head_dim"))
    kernel = fields.count("linear_conv_kernel_dim", default=fields.count("short_conv_kernel_size"))
    group = fields.count("layer_group_size")
    usual = tuple(LINEAR if (place + 1) % group else FULL for place in range(layers))
    order = kinds(fields, "layer_types", layers=layers) or usual
    only(fields, "q_lora_rank")
    fields.ignore("kda_safe_gate", "kda_lower_bound", "moe_renormalize", "mtp_loss_scaling_factor")
    mixer = latent_attention(fields)
    mixers: dict[str, Mixer] = {
        FULL: replace(mixer, extras=(Linear(name="gate", inputs=wide, outputs=mixer.heads),)),
        LINEAR: kimi_delta(width=wide, heads=heads, head_width=one, kernel=kernel, narrow=False),
    }
    further = fields.count("num_nextn_predict_layers", "num_mtp_layers", default=0, least=0)
    spec = _stack(fields, mixers, order, first=2)
    if not further:
        return spec
    note = f"left out: {further} layers that predict further tokens; the config does not say how they attend"
    return replace(spec, notes=(*spec.notes, note))


def _stack(fields: Fields, mixers: dict[str, Mixer], order: tuple[str, ...], *, first: int) -> ModelSpec:
    never_tied(fields)
    mixed = sparse(fields, len(order), first=first)
    listed = [mixers.get(kind, mixers[FULL]) for kind in order]
    return decoder(fields, stacked(listed, mixed, fine_grained(fields), gated(fields, bias=False)), tied=False)


READS = {"bailing_hybrid": bailing_hybrid, "kimi_linear": kimi_linear}
