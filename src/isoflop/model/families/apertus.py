"""Apertus: two matrices, and between them an activation with weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, uniform
from isoflop.model.parts import Mlp, vector

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def apertus(fields: Fields) -> ModelSpec:
    """Two matrices; their activation xIELU has two weights a layer."""
    learned = fields.word("hidden_act", default="xielu") == "xielu"
    mlp = Mlp(
        width=fields.count("intermediate_size"),
        gated=False,
        activation="other",
        extras=(vector("positive slope", 1), vector("negative slope", 1)) if learned else (),
    )
    if not learned:
        fields.doubt("hidden_act is not xielu: whether it has weights is not known here")
    return uniform(fields, attention(fields, qk_norm="head"), mlp)


READS = {"apertus": apertus}
