"""Baichuan 1 and 2: Llama with queries, keys and values in one matrix; the 13B has ALiBi in place of rotation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def baichuan(fields: Fields) -> ModelSpec:
    """Files of models with ALiBi name no `max_position_embeddings`. The head is normalised and not tied."""
    rotated = fields.has("max_position_embeddings")
    fields.assume({"max_position_embeddings": fields.maybe("model_max_length")})
    mixer = attention(fields, bias="", positions="rope" if rotated else "alibi")
    return uniform(fields, mixer, gated(fields, bias=False))


READS = {"baichuan": baichuan}
"""Code that came with the weights; sizes agree with the released ones (7.51 B and 13.9 B)."""
