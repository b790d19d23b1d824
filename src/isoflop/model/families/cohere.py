"""Command R and A (Cohere): both parts of a layer read the same norm, which has no bias; embeddings are tied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import as_always, attention, gated, layer_count, sliding, uniform
from isoflop.model.parts import Norm

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec

NORM = Norm(kind="layer")


def cohere(fields: Fields) -> ModelSpec:
    """Command R: queries and keys normalised, with weights for every head, where asked for."""
    normed = fields.flag("use_qk_norm", default=False)
    return _cohere(fields, None, normed=normed)


def cohere2(fields: Fields) -> ModelSpec:
    """Command R7B and A: three layers with a window, one that sees everything."""
    as_always(
        fields,
        layer_switch=4,
        order_of_interleaved_layers="local_attn_first",
        position_embedding_type="rope_gptj",
        use_embedding_sharing=True,
        use_gated_activation=True,
        use_parallel_block=True,
        use_parallel_embedding=True,
    )
    return _cohere(fields, sliding(fields, layer_count(fields), every=4), normed=False)


def _cohere(fields: Fields, windows: tuple[int | None, ...] | None, *, normed: bool) -> ModelSpec:
    mixer = attention(fields, qk_norm="full" if normed else "none")
    mlp = gated(fields, bias=False)
    return uniform(fields, mixer, mlp, norms=(NORM,), norm=NORM, windows=windows, parallel=True, tied=True)


READS = {"cohere": cohere, "cohere2": cohere2}
