"""InternLM 1 to 3: Llama with biases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def internlm(fields: Fields) -> ModelSpec:
    """InternLM 1 and 2: one flag for the biases of attention."""
    bias = "qkvo" if fields.flag("bias", default=True) else ""
    return uniform(fields, attention(fields, bias=bias), gated(fields, bias=False))


def internlm3(fields: Fields) -> ModelSpec:
    """Biases on queries, keys and values by one flag, on all other matrices by another; the output's is disputed."""
    bias = fields.flag("bias", "mlp_bias", default=False)
    reading = fields.flag("qkv_bias", "attention_bias", default=False)
    if reading != bias:
        fields.doubt("only some matrices have a bias: its own code and transformers differ on attention's output")
    letters = ("qkv" if reading else "") + ("o" if bias else "")
    return uniform(fields, attention(fields, bias=letters), gated(fields, bias=bias))


READS = {
    "internlm": internlm,
    "internlm2": internlm,
    "internlm3": internlm3,
}
