"""MiniCPM: Llama with constants on embedding, residuals and logits, tied; MiniCPM 3 has latent attention, Youtu too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, latent_attention, uniform, width

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def minicpm(fields: Fields) -> ModelSpec:
    """Remote code; its sparse attention and its experts are not read."""
    fields.ignore("mup_denominator")
    return uniform(fields, attention(fields, bias=""), gated(fields, bias=False), tied=True)


def minicpm3(fields: Fields) -> ModelSpec:
    """Values share out the width among the heads where nothing else is said."""
    fields.assume({"v_head_dim": width(fields) // fields.count("num_attention_heads")})
    return uniform(fields, latent_attention(fields), gated(fields), tied=True)


def youtu(fields: Fields) -> ModelSpec:
    """DeepSeek's attention in every layer, no experts."""
    fields.ignore("embedding_initializer_range")
    return uniform(fields, latent_attention(fields), gated(fields), tied=True)


READS = {"minicpm": minicpm, "minicpm3": minicpm3, "youtu": youtu}
