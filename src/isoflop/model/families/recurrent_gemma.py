"""RecurrentGemma (Griffin): two layers of a gated linear recurrence, then one of attention in a window, and so on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS_PAIR, as_always, attention, decoder, gated, layer_count, width
from isoflop.model.families.common_recurrent import kinds, recurrent
from isoflop.model.parts import Convolution
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Recurrent
    from isoflop.model.spec import ModelSpec

RECURRENT = "recurrent"


def recurrent_gemma(fields: Fields) -> ModelSpec:
    """`block_types` is repeated; the feed-forward part has half of `intermediate_size`, and biases."""
    layers = layer_count(fields)
    as_always(fields, embeddings_scale_by_sqrt_dim=True)
    fields.ignore("logits_soft_cap", "w_init_variance_scale", "final_w_init_variance_scale", "_block_types")
    pattern = kinds(fields, "block_types", layers=None, known=(RECURRENT, "full_attention"))
    if not pattern:
        raise fields.missing("block_types")
    window = fields.count("attention_window_size", "sliding_window")
    reading = attention(fields, window=window)
    reading = replace(reading, bias=reading.bias or "o")
    mixers = {RECURRENT: _recurrence(fields, reading.heads)}
    mlp = gated(fields, bias=True)
    mlp = replace(mlp, width=mlp.width // 2)
    order = (pattern[place % len(pattern)] for place in range(layers))
    stack = [Layer(norms=RMS_PAIR, mixers=(mixers.get(kind, reading),), mlp=mlp) for kind in order]
    return decoder(fields, stack, tied=True)


def _recurrence(fields: Fields, heads: int) -> Recurrent:
    """Two ways in, a convolution, two gates that mix within a head, one number kept a channel."""
    wide = width(fields)
    inner = fields.count("lru_width", default=wide)
    block = inner // heads
    matrices = dict.fromkeys(("x", "y"), (wide, inner)) | {"out": (inner, wide)}
    gates = dict.fromkeys(("input gate", "recurrence gate"), (inner, block))
    return recurrent(
        "gated recurrence",
        {**matrices, **gates},
        {"input gate bias": heads * block, "recurrence gate bias": heads * block, "decay": inner},
        memory=(inner, 1, 1),
        products=1,
        convolutions=(Convolution(channels=inner, kernel=fields.count("conv1d_width"), bias=True),),
        biased=matrices,
    )


READS = {"recurrent_gemma": recurrent_gemma}
