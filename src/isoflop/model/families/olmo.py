"""OLMo 1 to 3: norms without weights at first; then norms after each part, and over whole queries and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, layer_count, sliding, uniform
from isoflop.model.parts import Norm

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

BARE = Norm(kind="layer", scale=False)


def olmo(fields: Fields) -> ModelSpec:
    """OLMo 1."""
    return uniform(fields, attention(fields), gated(fields, bias=False), norms=(BARE, BARE), norm=BARE)


def olmo2(fields: Fields) -> ModelSpec:
    """OLMo 2: the norms stand after attention and feed-forward part."""
    return uniform(fields, attention(fields, qk_norm="full"), gated(fields, bias=False))


def olmo3(fields: Fields) -> ModelSpec:
    """OLMo 3: three layers with a window, one that sees everything."""
    windows = sliding(fields, layer_count(fields), every=4)
    return uniform(fields, attention(fields, qk_norm="full"), gated(fields, bias=False), windows=windows)


READS = {"olmo": olmo, "olmo2": olmo2, "olmo3": olmo3}
