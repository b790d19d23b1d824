"""OLMo Hybrid: three of four layers keep a matrix a head (the gated delta rule), the fourth is OLMo's attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, attention, decoder, gated, layer_count, width
from isoflop.model.families.common_recurrent import FULL, LINEAR, gated_delta, kinds
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def olmo_hybrid(fields: Fields) -> ModelSpec:
    """OLMo's attention, with norms after each part and over all of queries and keys, among layers of the delta rule."""
    layers, wide = layer_count(fields), width(fields)
    heads = fields.count("num_attention_heads")
    key_heads = fields.count("linear_num_key_heads", default=heads)
    key_width = fields.count("linear_key_head_dim", default=int(0.75 * wide / key_heads))
    fields.ignore("linear_allow_neg_eigval", "linear_a_log_min", "linear_a_log_max")
    fields.ignore("linear_dt_min", "linear_dt_max", "linear_dt_init_floor")
    recurrent = gated_delta(
        width=wide,
        key_heads=key_heads,
        value_heads=fields.count("linear_num_value_heads", default=heads),
        key_width=key_width,
        value_width=fields.count("linear_value_head_dim", default=2 * key_width),
        kernel=fields.count("linear_conv_kernel_dim"),
    )
    order = kinds(fields, "layer_types", layers=layers) or _usual(layers)
    reading = attention(fields, qk_norm="full")
    mixers = [recurrent if kind == LINEAR else reading for kind in order]
    dense = gated(fields, bias=False)
    return decoder(fields, [Layer(norms=RMS_PAIR, mixers=(mixer,), mlp=dense) for mixer in mixers], tied=False)


def _usual(layers: int) -> tuple[str, ...]:
    """Every fourth layer is attention, and the last of fewer than four."""
    return tuple(FULL if place % 4 == 3 or (layers < 4 and place == layers - 1) else LINEAR for place in range(layers))


READS = {"olmo_hybrid": olmo_hybrid}
