"""Llama and what is built exactly like it, differences by flag only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, uniform

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def llama(fields: Fields) -> ModelSpec:
    """Llama 1 to 3: grouped queries, gated feed-forward part, two RMS norms."""
    return uniform(fields, attention(fields), gated(fields))


READS = {"Yi": llama, "iquestcoder": llama, "llama": llama}
