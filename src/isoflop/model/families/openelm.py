"""OpenELM: heads and feed-forward width grow with depth, queries and keys normalised head by head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, RMS_PAIR, activation, as_always
from isoflop.model.families.common_experts import only
from isoflop.model.parts import Attention, Embedding, Head, Mlp
from isoflop.model.spec import Layer, ModelSpec, Stack, groups_of

if TYPE_CHECKING:
    from isoflop.model.fields import Fields


def openelm(fields: Fields) -> ModelSpec:
    """Files list the heads of every layer; widths are rounded to a multiple of `ffn_dim_divisor`."""
    layers, width = fields.count("num_transformer_layers"), fields.count("model_dim")
    only(fields, "ffn_with_glu", True)  # noqa: FBT003
    only(fields, "normalization_layer_name", "rms_norm")
    fields.ignore("num_gqa_groups", "qkv_multipliers")
    as_always(fields, rope_freq_constant=10000)
    normed = fields.flag("normalize_qk_projections", default=True)
    acts = activation(fields, "activation_fn_name")
    one = fields.count("head_dim", default=128)
    queries = fields.per_layer("num_query_heads", layers=layers)
    keys = fields.per_layer("num_kv_heads", layers=layers)
    stack = [
        Layer(
            norms=RMS_PAIR,
            mixers=(Attention(heads=heads, kv_heads=kv, head_width=one, qk_norm="head" if normed else "none"),),
            mlp=Mlp(width=inner, gated=True, activation=acts),
        )
        for heads, kv, inner in zip(queries, keys, _widths(fields, layers, width), strict=True)
    ]
    return ModelSpec(
        name="",
        stack=Stack(width=width, groups=groups_of(stack), norm=RMS),
        embedding=Embedding(vocabulary=fields.count("vocab_size")),
        head=Head(tied=fields.flag("share_input_output_layers", default=True)),
        context=fields.maybe("max_context_length"),
    )


def _widths(fields: Fields, layers: int, width: int) -> list[int]:
    """Feed-forward width of every layer: a multiple of the model's, rounded, never down by more than a tenth."""
    to = fields.count("ffn_dim_divisor", default=256)
    found = []
    for times in fields.numbers("ffn_multipliers", length=layers):
        wanted = times * width
        rounded = max(to, int(wanted + to / 2) // to * to)
        found.append(rounded + to if rounded < 0.9 * wanted else rounded)
    return found


READS = {"openelm": openelm}
"""Code that came with the weights; sizes agree with the released ones (0.27 B to 3.04 B)."""
