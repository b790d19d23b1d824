"""MiniMax-M3's text part: grouped queries that read blocks of tokens an index chose, one choice a group of heads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, decoder, experts, gated, layer_count, width
from isoflop.model.families.common_experts import only, sparse, stacked
from isoflop.model.parts import Index, vector

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

SPARSE, FULL = "minimax_m3_sparse", "full_attention"


def minimax_m3(fields: Fields) -> ModelSpec:
    """Dense layers and shared expert have widths of their own; released files keep the index in an object."""
    layers = layer_count(fields)
    object_ = fields.within("sparse_attention_config")
    often = object_.counts("sparse_attention_freq", length=layers) if object_ else None
    kinds = fields.words("layer_types", length=layers)
    if kinds is None:
        kinds = tuple(SPARSE if one else FULL for one in often or [0] * layers)
    if set(kinds) - {SPARSE, FULL}:
        fields.doubt("layer_types holds what is not known here")
    fields.ignore("use_gemma_norm", "qk_norm_type", "use_routing_bias", "rotary_dim", "num_mtp_modules", "use_mtp")
    only(fields, "use_qk_norm", True)  # noqa: FBT003
    plain = attention(fields, bias="", qk_norm="head")
    mixer = replace(plain, index=_index(fields, object_))
    expert = gated(fields, bias=False)
    shared = replace(expert, width=fields.count("shared_intermediate_size"))
    mixture = experts(fields, expert, shared=shared, router_bias="stored")
    dense = replace(expert, width=fields.count("dense_intermediate_size"))
    stack = stacked([mixer if kind == SPARSE else plain for kind in kinds], sparse(fields, layers), mixture, dense)
    return decoder(fields, stack, tied=False)


def _index(fields: Fields, inside: Fields | None) -> Index:
    """Blocks are scored by their best token; their number times their size is what a query reads."""
    names = {
        "index_n_heads": "sparse_num_index_heads", "index_head_dim": "sparse_index_dim",
        "index_block_size": "sparse_block_size", "index_topk_blocks": "sparse_topk_blocks",
    }  # fmt: skip
    fields.ignore("index_local_blocks")
    found = {flat: fields.count(flat) for flat in names}
    if inside is not None:
        inside.ignore("sparse_local_block", "sparse_score_type", "sparse_disable_index_value")
        only(inside, "use_sparse_attention", True)  # noqa: FBT003
        only(inside, "sparse_init_block", 0)
        found = {flat: inside.count(name, default=found[flat]) for flat, name in names.items()}
    heads, wide = found["index_n_heads"], found["index_head_dim"]
    return Index(
        heads=heads,
        head_width=wide,
        top=found["index_block_size"] * found["index_topk_blocks"],
        inputs=width(fields),
        weighted=False,
        extras=(vector("index q norm", wide), vector("index k norm", wide)),
    )


READS = {"minimax_m3_vl_text": minimax_m3}
