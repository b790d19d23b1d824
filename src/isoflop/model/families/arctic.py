"""Arctic, run by code that came with its weights; the published size agrees (479 B)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, attention, experts, gated, uniform, width
from isoflop.model.families.common_experts import only

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def arctic(fields: Fields) -> ModelSpec:
    """Arctic: a dense part as wide as the stream, behind a norm of its own, beside attention and mixture."""
    only(fields, "moe_layer_frequency", 1)
    only(fields, "parallel_attn_mlp_res", True)  # noqa: FBT003
    only(fields, "use_residual", True)  # noqa: FBT003
    fields.ignore("moe_eval_capacity_factor", "moe_train_capacity_factor", "moe_min_capacity", "moe_token_dropping")
    fields.ignore("enable_expert_tensor_parallelism", "enc_index")
    expert = gated(fields, bias=False)
    mixture = experts(fields, expert, shared=replace(expert, width=width(fields)))
    mixer = attention(fields, bias="", window=fields.maybe("sliding_window"))
    return uniform(fields, mixer, mixture, norms=(RMS,) * 3)


READS = {"arctic": arctic}
