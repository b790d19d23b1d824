"""JetMoE: attention is a mixture too. Keys and values are shared, queries and outputs belong to the experts chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import activation, uniform, width
from isoflop.model.families.common_experts import only
from isoflop.model.parts import Attention, Linear, Mlp, Moe, vector

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def jetmoe(fields: Fields) -> ModelSpec:
    """A token has as many heads for every expert as there are key-value heads; the other experts' stand apart."""
    wide, active = width(fields), fields.count("num_experts_per_tok", "moe_top_k")
    held = fields.count("num_local_experts", "moe_num_experts")
    groups, one = fields.count("num_key_value_heads"), fields.count("kv_channels", "head_dim")
    only(fields, "num_attention_heads", groups * active)
    only(fields, "glu", True)  # noqa: FBT003
    only(fields, "bias", True)  # noqa: FBT003
    fields.ignore("n_head", "length", "hidden_act")
    inner = groups * one
    unmet = tuple(
        Linear(name=f"{name} of other experts", inputs=rows, outputs=columns, copies=held - active, active=0)
        for name, rows, columns in (("q", wide, inner), ("o", inner, wide))
        if held > active
    )
    mixer = Attention(
        heads=groups * active,
        kv_heads=groups,
        head_width=one,
        extras=(
            *unmet,
            Linear(name="router", inputs=wide, outputs=held, part="router"),
            vector("bias", wide),
        ),
    )
    expert = Mlp(
        width=fields.count("intermediate_size", "ffn_hidden_size"),
        gated=True,
        activation=activation(fields, "activation_function"),
    )
    mixture = Moe(experts=held, active=active, expert=expert, extras=(vector("bias", wide),))
    return uniform(fields, mixer, mixture, tied=True)


READS = {"jetmoe": jetmoe}
