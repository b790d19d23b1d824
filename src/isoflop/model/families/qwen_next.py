"""Qwen3-Next and Qwen3.5: three of four layers keep a matrix a head (the gated delta rule).

The fourth is attention with a gate on every element of its output.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import (
    RMS,
    RMS_PAIR,
    as_always,
    attention,
    decoder,
    experts,
    gated,
    layer_count,
    width,
)
from isoflop.model.families.common_recurrent import FULL, LINEAR, gated_delta, kinds
from isoflop.model.parts import Linear, vector
from isoflop.model.spec import Apart, Group, Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Attention, Mixer, Mlp, Moe, Recurrent
    from isoflop.model.spec import ModelSpec


def qwen3_next(fields: Fields) -> ModelSpec:
    """Mixtures by the rule of Qwen3: every `decoder_sparse_step`-th layer, none of `mlp_only_layers`."""
    layers = layer_count(fields)
    every, dense = fields.count("decoder_sparse_step", default=1), fields.counts("mlp_only_layers") or ()
    there = fields.count("num_experts", least=0) > 0
    mixed = [there and place not in dense and (place + 1) % every == 0 for place in range(layers)]
    fields.ignore("num_experts_per_tok", "moe_intermediate_size", "shared_expert_intermediate_size")
    plain = gated(fields, bias=False)
    mixture: Mlp | Moe = qwen_mixture(fields) if any(mixed) else plain
    return _qwen(fields, [mixture if one else plain for one in mixed], mixture)


def qwen3_5(fields: Fields) -> ModelSpec:
    """Dense."""
    return _qwen(fields, [gated(fields, bias=False)] * layer_count(fields), gated(fields, bias=False))


def qwen3_5_moe(fields: Fields) -> ModelSpec:
    """A mixture in every layer."""
    as_always(fields, mlp_only_layers=[], decoder_sparse_step=1)
    fields.ignore("intermediate_size")
    mixture = qwen_mixture(fields)
    return _qwen(fields, [mixture] * layer_count(fields), mixture)


def qwen_mixture(fields: Fields) -> Moe:
    """Small experts, and a shared one weighed by a gate."""
    expert = gated(fields, "moe_intermediate_size", bias=False)
    shared = replace(expert, width=fields.count("shared_expert_intermediate_size"))
    return replace(experts(fields, expert), shared=shared, shared_gate=True)


def qwen_attention(fields: Fields) -> Attention:
    """Heads normalised one by one, a gate on every element of the output; biases where asked for, the gate's too."""
    as_always(fields, attn_output_gate=True)
    mixer = replace(attention(fields, qk_norm="head"), gate="element")
    if not mixer.bias:
        return mixer
    return replace(mixer, extras=(vector("gate bias", mixer.heads * mixer.head_width),))


def qwen_delta(fields: Fields) -> Recurrent:
    """The gated delta rule by Qwen's names."""
    return gated_delta(
        width=width(fields),
        key_heads=fields.count("linear_num_key_heads"),
        value_heads=fields.count("linear_num_value_heads"),
        key_width=fields.count("linear_key_head_dim"),
        value_width=fields.count("linear_value_head_dim"),
        kernel=fields.count("linear_conv_kernel_dim"),
    )


def every_fourth(fields: Fields, layers: int) -> tuple[str, ...]:
    """What each layer is: from the list, or by `full_attention_interval`, the last of each so many being attention."""
    listed = kinds(fields, "layer_types", layers=layers)
    interval = fields.count("full_attention_interval", default=4)
    return listed or tuple(LINEAR if (place + 1) % interval else FULL for place in range(layers))


def _qwen(fields: Fields, parts: list[Mlp | Moe], last: Mlp | Moe) -> ModelSpec:
    mixers: dict[str, Mixer] = {LINEAR: qwen_delta(fields), FULL: qwen_attention(fields)}
    order = every_fourth(fields, len(parts))
    stack = [
        Layer(norms=RMS_PAIR, mixers=(mixers.get(kind, mixers[FULL]),), mlp=part)
        for kind, part in zip(order, parts, strict=True)
    ]
    apart = _further(fields, Layer(norms=RMS_PAIR, mixers=(mixers[FULL],), mlp=last))
    spec = decoder(fields, stack, tied=False, apart=apart)
    return spec if apart else replace(spec, notes=(*spec.notes, UNNAMED))


UNNAMED = (
    "layers that predict further tokens (mtp.*) are left out: the config names none, released checkpoints hold one"
)


def _further(fields: Fields, layer: Layer) -> tuple[Apart, ...]:
    """Multi-token prediction: layers of attention; before them norms of both inputs and a projection, a norm after."""
    times = fields.maybe("mtp_num_hidden_layers", "num_nextn_predict_layers", least=0) or 0
    if not times:
        return ()
    wide, name = width(fields), "multi-token prediction"
    joined = Linear(name="projection", inputs=2 * wide, outputs=wide, part=name)
    around = Layer(norms=(RMS, RMS, RMS), extras=(joined,))
    return (Apart(name=name, groups=(Group(1, around), Group(times, layer))),)


READS = {"qwen3_5_moe_text": qwen3_5_moe, "qwen3_5_text": qwen3_5, "qwen3_next": qwen3_next}
