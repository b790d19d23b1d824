"""Dense models that try something out: differential attention, dynamic masks, learned activations, cycles."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt
from typing import TYPE_CHECKING

from isoflop.model.families.common import RMS, RMS_PAIR, attention, decoder, gated, layer_count, uniform, width
from isoflop.model.parts import Linear, Mlp, Moe, vector
from isoflop.model.spec import Layer

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


def diffllama(fields: Fields) -> ModelSpec:
    """Differential attention: heads in pairs, the second's scores subtracted; each score weighs the values of both.

    Counted is what has to be done; the modules of transformers make all scores twice.
    """
    mixer = attention(fields)
    fields.ignore("lambda_std_dev")
    extras = tuple(vector(f"lambda {name}", mixer.head_width) for name in ("q1", "k1", "q2", "k2"))
    return uniform(fields, replace(mixer, sums=2, extras=extras), gated(fields, bias=False))


def doge(fields: Fields) -> ModelSpec:
    """A mask out of the values lets `keep_window_size` tokens through; it is computed, so that no work is saved."""
    mixer = attention(fields, qk_norm="head", window=fields.maybe("sliding_window"))
    inner, kv = mixer.kv_heads * mixer.head_width, mixer.kv_heads
    biased = "o" in mixer.bias
    fields.ignore("keep_window_size")
    mask = (vector("mask scale", kv), Linear(name="mask", inputs=inner, outputs=kv, bias=biased))
    dense = gated(fields)
    mlp: Mlp | Moe = dense
    fields.ignore("num_experts", "num_experts_per_tok")
    if fields.flag("is_moe", default=False):
        experts = fields.count("num_experts")
        mlp = Moe(
            experts=experts,
            active=fields.count("num_experts_per_tok"),
            expert=Mlp(width=1, gated=False, activation=dense.activation),
            shared=dense,
            keys=2 * isqrt(experts),
        )
    wide = width(fields)
    layer = Layer(
        norms=RMS_PAIR,
        mixers=(replace(mixer, extras=mask),),
        mlp=mlp,
        extras=(vector("attention residual", wide), vector("mlp residual", wide)),
    )
    return decoder(fields, [layer] * layer_count(fields), tied=False)


def hrm(fields: Fields) -> ModelSpec:
    """Two stacks of layers: the low one runs `L_cycles` times, then the high one, and all that `H_cycles` times.

    Every run keeps keys and values of its own.
    """
    fields.ignore("L_bp_cycles", "prefix_lm", "embedding_scale")
    each = fields.maybe("num_layers_per_stack") or layer_count(fields)
    # Once a file names the layers of a stack, this is the number of all runs.
    fields.ignore("num_hidden_layers")
    mixer = replace(attention(fields), gate="element")
    mixer = replace(mixer, kv_heads=mixer.heads)
    if mixer.bias:
        mixer = replace(mixer, extras=(vector("gate bias", mixer.heads * mixer.head_width),))
    bare = replace(RMS, scale=False)
    held = Layer(norms=(bare, bare), mixers=(mixer,), mlp=gated(fields))
    again = replace(held, held=False)
    low, high = fields.count("L_cycles"), fields.count("H_cycles")
    fields.check_layers(each * (low + 1) * high, "(L_cycles + 1) x H_cycles x layers")
    first = [held] * each + [again] * (each * (low - 1)) + [held] * each
    rest = [again] * (each * (low + 1) * (high - 1))
    start = vector("start of the low stack", width(fields))
    return decoder(fields, [*first, *rest], tied=False, norm=bare, extras=(start,))


READS = {"apertus": apertus, "diffllama": diffllama, "doge": doge, "hrm_text": hrm}
