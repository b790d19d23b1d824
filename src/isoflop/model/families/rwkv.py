"""RWKV-4: an average of all values before, decayed channel by channel; the token before is mixed into each input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.model.families.common import LAYER_NORM, decoder, layer_count, width
from isoflop.model.families.common_recurrent import recurrent
from isoflop.model.parts import Embedding, Linear, Mlp, vector
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def rwkv(fields: Fields) -> ModelSpec:
    """Kept of a channel are numerator, denominator and largest exponent, and the last input of both halves."""
    wide, layers = width(fields), layer_count(fields)
    inner = fields.count("attention_hidden_size", default=wide)
    fields.ignore("rescale_every")
    mixer = recurrent(
        "time mixing",
        {"key": (wide, inner), "value": (wide, inner), "receptance": (wide, inner), "output": (inner, wide)},
        {"shift mixing": 3 * wide, "decay": inner, "first": inner},
        memory=(inner, 1, 2),
        products=1,
        shifts=2 * wide,
        beside=inner,
    )
    extras = (Linear(name="receptance", inputs=wide, outputs=wide), vector("shift mixing", 2 * wide))
    mlp = Mlp(
        width=fields.count("intermediate_size", default=4 * wide),
        gated=False,
        activation="squared-relu",
        extras=extras,
    )
    layer = Layer(norms=(LAYER_NORM, LAYER_NORM), mixers=(mixer,), mlp=mlp)
    embedding = Embedding(vocabulary=fields.count("vocab_size"), norm=LAYER_NORM)
    fields.ignore("context_length")
    return decoder(fields, [layer] * layers, tied=False, norm=LAYER_NORM, embedding=embedding)


READS = {"rwkv": rwkv}
