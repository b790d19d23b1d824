"""Hunyuan's mixtures: Hunyuan-A13B with a shared expert as wide as the others, Hunyuan 3 with DeepSeek's small ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, attention, decoder, gated, layer_count
from isoflop.model.families.common_experts import fine_grained, only, shared_experts, sparse, stacked
from isoflop.model.parts import Moe
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def hunyuan_v1_moe(fields: Fields) -> ModelSpec:
    """Lists say how many experts each layer has and how many a token meets, where one number does not."""
    layers = layer_count(fields)
    only(fields, "use_qk_norm", True)  # noqa: FBT003
    only(fields, "use_cla", False)  # noqa: FBT003
    only(fields, "use_mixed_mlp_moe", True)  # noqa: FBT003
    only(fields, "num_shared_expert", 1, [1] * layers)
    only(fields, "moe_layer_num_skipped", 0)
    only(fields, "norm_type", "rms")
    wide = fields.count("intermediate_size")
    if any(one != wide for one in fields.per_layer("moe_intermediate_size", layers=layers, default=wide)):
        fields.doubt("moe_intermediate_size is not intermediate_size")
    _aside(fields)
    mixer = attention(fields, qk_norm="head")
    expert = gated(fields, bias=False)
    numbers = zip(
        fields.per_layer("num_experts", "num_local_experts", layers=layers),
        fields.per_layer("moe_topk", "num_experts_per_tok", layers=layers),
        strict=True,
    )
    mixtures = [Moe(experts=held, active=met, expert=expert, shared=expert) for held, met in numbers]
    return decoder(fields, [Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=mlp) for mlp in mixtures], tied=False)


def _aside(fields: Fields) -> None:
    """What released files have beside it: groups of experts, capacity, class tokens, training."""
    fields.ignore("attention_head_dim", "cla_share_factor", "group_limited_greedy", "n_group", "topk_group")
    fields.ignore("moe_drop_tokens", "moe_random_routing_dropped_token", "capacity_factor", "use_rotary_pos_emb")
    fields.ignore("add_classification_head", "class_num", "pool_type", "dense_list", "position_embedding_xdrope")
    fields.ignore("org_vocab_size", "im_start_id", "im_end_id", "im_newline_id", "text_start_id", "text_end_id")
    fields.ignore("video_start_id", "video_end_id", "mask_init_id", "anyres_pooling_size", "skip_cls_token")
    fields.ignore("moe_expert_capacity", "mlp_bias", "eod_token_id", "pad_id", "num_media_embeds", "xd_num_patches")


def hy_v3(fields: Fields) -> ModelSpec:
    """Hunyuan 3: the first layer dense, queries and keys normalised head by head."""
    fields.ignore("enable_moe_fp32_combine", "router_scaling_factor")
    mixer = attention(fields, qk_norm="head")
    bias = fields.flag("mlp_bias", default=False)
    mixed = sparse(fields, layer_count(fields), first=1)
    if not shared_experts(fields):
        fields.doubt("num_shared_experts is 0, and the modules of transformers hold a shared expert all the same")
    stack = stacked([mixer] * len(mixed), mixed, fine_grained(fields, bias=bias), gated(fields, bias=bias))
    return decoder(fields, stack, tied=False)


READS = {"hunyuan_v1_moe": hunyuan_v1_moe, "hy_v3": hy_v3}
