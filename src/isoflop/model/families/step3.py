"""Step 3.5 and 3.7 (text part): more heads in layers with a window, a gate a head, small experts and a shared one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, RMS_PAIR, attention, decoder, gated, layer_count, width
from isoflop.model.families.common_experts import each_layer, only
from isoflop.model.parts import Linear, Moe
from isoflop.model.spec import Apart, Layer, groups_of

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Attention
    from isoflop.model.spec import ModelSpec

WINDOW, FULL = "sliding_attention", "full_attention"


def step3p5(fields: Fields) -> ModelSpec:
    """Lists may go on beyond the layers, with those that predict further tokens."""
    layers = layer_count(fields)
    ahead = fields.maybe("num_nextn_predict_layers", "num_mtp_layers", least=0) or 0
    kinds = _kinds(fields, layers, ahead)
    mixed = _mixed(fields, layers, ahead)
    _aside(fields)
    dense = gated(fields, bias=None)
    expert = gated(fields, "moe_intermediate_size", bias=False)
    mixture = Moe(
        experts=fields.count("n_routed_experts", "moe_num_experts", "num_experts"),
        active=fields.count("num_experts_per_tok", "moe_top_k"),
        expert=expert,
        shared=replace(dense, width=fields.count("share_expert_dim", "share_expert_dims")),
        router_bias="stored",
    )
    mixers = _mixers(fields, kinds, layers)
    stack = [
        Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=mixture if one else dense)
        for mixer, one in zip(mixers, mixed, strict=True)
    ]
    apart: tuple[Apart, ...] = ()
    if ahead:
        wide = width(fields)
        joined = Linear(name="projection", inputs=2 * wide, outputs=wide, part="multi-token prediction")
        more = [replace(layer, norms=(*layer.norms, RMS, RMS, RMS), extras=(joined,)) for layer in stack[layers:]]
        apart = (Apart(name="multi-token prediction", groups=groups_of(more)),)
    return decoder(fields, stack[:layers], tied=False, apart=apart)


def _kinds(fields: Fields, layers: int, ahead: int) -> tuple[str, ...]:
    """The type of every layer, then of those that predict further tokens."""
    kinds = fields.words("layer_types") or (FULL,) * layers
    further = fields.words("mtp_layer_types") or kinds[layers:] or (FULL,) * ahead
    if len(kinds) not in {layers, layers + ahead} or len(further) != ahead or set(kinds + further) - {WINDOW, FULL}:
        fields.doubt("the types of the layers are not clear")
    return ((*kinds, *[FULL] * layers)[:layers]) + ((*further, *[FULL] * ahead)[:ahead])


def _mixed(fields: Fields, layers: int, ahead: int) -> list[bool]:
    """Whether each layer, and then each that predicts a further token, is a mixture."""
    kinds, further = fields.words("mlp_layer_types"), fields.words("mtp_mlp_layer_types")
    listed = fields.values.get("moe_layers_enum")
    fields.ignore("moe_layers_enum")
    if kinds is None:
        items = listed.split(",") if isinstance(listed, str) else listed
        chosen = {str(one).strip() for one in (items if isinstance(items, list) else range(3, layers))}
        return [str(place) in chosen for place in range(layers + ahead)]
    further = further or kinds[layers:] or ("dense",) * ahead
    both = (*kinds[:layers], *further[:ahead])
    if len(both) != layers + ahead or set(both) - {"sparse", "dense"}:
        fields.doubt("which layers are mixtures is not clear")
    return [kind == "sparse" for kind in (*both, *["dense"] * (layers + ahead))[: layers + ahead]]


def _mixers(fields: Fields, kinds: tuple[str, ...], layers: int) -> list[Attention]:
    """Attention of every layer; those with a window may have more heads."""
    other = fields.within("attention_other_setting")
    usual = fields.count("num_attention_heads")
    local = fields.count("num_sliding_attention_heads", default=usual)
    if other is not None:
        other.ignore("attention_type", "true_head_dim")
        local = other.count("num_attention_heads", default=local)
        only(other, "num_attention_groups", fields.count("num_key_value_heads", "num_attention_groups"))
        only(other, "head_dim", fields.count("head_dim"))
    window = fields.maybe("sliding_window")
    by_head = fields.values.get("gating", True) in (True, "per-head")
    fields.ignore("gating")
    each = each_layer(fields, layers, "num_attention_heads")
    if not fields.has("per_layer_config"):
        each = [fields.changed({"num_attention_heads": local}) if kind == WINDOW else fields for kind in kinds]
    each += [fields.changed({"num_attention_heads": local if kind == WINDOW else usual}) for kind in kinds[len(each) :]]
    found = []
    for one, kind in zip(each, kinds, strict=True):
        groups = one.count("num_key_value_heads", "num_attention_groups")
        mixer = attention(one.changed({"num_key_value_heads": groups}), qk_norm="head")
        found.append(replace(mixer, gate="head" if by_head else "element", window=window if kind == WINDOW else None))
    return found


def _aside(fields: Fields) -> None:
    """What released files say beside it and that the modules take for granted."""
    for name in ("use_moe", "use_moe_router_bias", "use_qk_norm", "use_head_wise_attn_gate"):
        only(fields, name, True)  # noqa: FBT003
    only(fields, "moe_every_n_layer", 1)
    only(fields, "sink", False)  # noqa: FBT003
    only(fields, "att_impl_type", "GQA")
    fields.ignore("moe_router_activation", "moe_router_scaling_factor", "need_fp32_gate", "norm_expert_weight")
    fields.ignore("yarn_only_types", "use_rope_layers", "partial_rotary_factors", "zero_centered", "max_seq_len")
    fields.ignore("num_local_experts", "use_mfa")


READS = {"step3p5": step3p5}
