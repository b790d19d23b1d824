"""Falcon-H1: attention and Mamba-2 side by side in every layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, as_always, attention, decoder, gated, layer_count, width
from isoflop.model.families.common_recurrent import mamba2_layers
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def falcon_h1(fields: Fields) -> ModelSpec:
    """Attention and Mamba-2 read the same input in every layer; the inner width is a field of its own."""
    wide = width(fields)
    as_always(fields, mamba_use_mlp=True)
    fields.ignore("mlp_expansion_factor", "mamba_norm_before_gate")
    inner = fields.maybe("mamba_d_ssm")
    norm = fields.flag("mamba_rms_norm", default=False)
    recurrent = mamba2_layers(fields, wide, norm=norm, inner=inner)
    layer = Layer(norms=RMS_PAIR, mixers=(attention(fields), recurrent), mlp=gated(fields))
    return decoder(fields, [layer] * layer_count(fields), tied=False)


READS = {"falcon_h1": falcon_h1}
