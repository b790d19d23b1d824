"""The parts a model is made of. Each lists its weights; everything that is counted follows from those lists.

A part knows the width of the residual stream it sits in, is otherwise self-contained, and never guesses: a field that
changes a count has no default unless the default is "absent".

A new kind of part is one frozen class with `weights(width)`; a mixer says what `weight.Mixer` lists. Most new mixers
need no class: `Recurrent` and the `extras` of the others hold them as data.
"""

from __future__ import annotations

from isoflop.model.parts.attention import Attention, Index, Positions, Reach
from isoflop.model.parts.compressed import CompressedAttention
from isoflop.model.parts.feedforward import Activation, Mlp, Moe
from isoflop.model.parts.latent import LatentAttention
from isoflop.model.parts.recurrent import Convolution, Recurrent
from isoflop.model.parts.tables import Embedding, Head
from isoflop.model.parts.weight import MOST, Linear, Mixer, Norm, Runs, Saved, State, StateKind, Weight, vector

__all__ = [
    "MOST",
    "Activation",
    "Attention",
    "CompressedAttention",
    "Convolution",
    "Embedding",
    "Head",
    "Index",
    "LatentAttention",
    "Linear",
    "Mixer",
    "Mlp",
    "Moe",
    "Norm",
    "Positions",
    "Reach",
    "Recurrent",
    "Runs",
    "Saved",
    "State",
    "StateKind",
    "Weight",
    "vector",
]
