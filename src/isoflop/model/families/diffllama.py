"""DiffLlama: differential attention, heads in pairs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import attention, gated, uniform
from isoflop.model.parts import vector

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def diffllama(fields: Fields) -> ModelSpec:
    """Differential attention: heads in pairs, the second's scores subtracted; each score weighs the values of both.

    Counted is what has to be done; the modules of transformers make all scores twice.
    """
    mixer = attention(fields)
    fields.ignore("lambda_std_dev")
    extras = tuple(vector(f"lambda {name}", mixer.head_width) for name in ("q1", "k1", "q2", "k2"))
    return uniform(fields, replace(mixer, sums=2, extras=extras), gated(fields, bias=False))


READS = {"diffllama": diffllama}
