"""Hunyuan, dense: queries and keys normalised head by head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import as_always, attention, gated, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def hunyuan(fields: Fields) -> ModelSpec:
    """Queries and keys normalised head by head; the first releases name much that is off."""
    as_always(fields, use_qk_norm=True, use_rotary_pos_emb=True, norm_type="rms", position_embedding_xdrope=False)
    if not fields.flag("use_cla", default=False):
        fields.ignore("cla_share_factor")
    if not fields.has("head_dim") and fields.has("attention_head_dim"):
        fields.assume({"head_dim": fields.count("attention_head_dim")})
    if fields.values.get("attention_head_dim") == fields.values.get("head_dim"):
        fields.ignore("attention_head_dim")
    fields.ignore("add_classification_head", "class_num", "pool_type", "dense_list", "org_vocab_size", "pad_id")
    fields.ignore("im_start_id", "im_end_id", "im_newline_id", "mask_init_id", "text_start_id", "text_end_id")
    return uniform(fields, attention(fields, qk_norm="head"), gated(fields, bias=False))


READS = {"hunyuan_v1_dense": hunyuan}
