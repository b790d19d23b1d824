"""GPT-NeoX and what has its shape: layer norms with biases, two matrices, rotary positions (Pythia, Phi, Persimmon)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.model.families.common import LAYER_NORM, as_always, attention, decoder, layer_count, plain, uniform, width
from isoflop.model.families.common_classic import multi_head, two_norms
from isoflop.model.parts import vector
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.spec import ModelSpec


def gpt_neox(fields: Fields) -> ModelSpec:
    """Both parts have a norm of their own, side by side or not; one flag for the biases of attention."""
    parallel = fields.flag("use_parallel_residual", default=True)
    mixer = multi_head(fields, bias="qkvo" if fields.flag("attention_bias", default=True) else "", positions="rope")
    fields.ignore("is_decoder", "gpt_j_residual", "output_layer_parallelism")
    layer = replace(two_norms(mixer, plain(fields, bias=True)), parallel=parallel)
    return decoder(fields, [layer] * layer_count(fields), tied=False, norm=LAYER_NORM)


def gpt_neox_japanese(fields: Fields) -> ModelSpec:
    """No biases, but one on the way out of the last layer's attention."""
    wide = width(fields)
    mixer = multi_head(fields, bias="", positions="rope")
    fields.ignore("is_decoder", "use_parallel_residual")
    times = fields.count("intermediate_multiple_size", default=4)
    mlp = plain(fields.changed({"intermediate_size": times * wide}), bias=False)
    layer = two_norms(mixer, mlp)
    last = replace(layer, extras=(vector("o bias", wide, part="attention"),))
    return decoder(fields, [layer] * (layer_count(fields) - 1) + [last], tied=True, norm=LAYER_NORM)


def phi(fields: Fields) -> ModelSpec:
    """Phi 1 to 2: one norm for both parts, biases everywhere, on the head too."""
    normed = fields.flag("qk_layernorm", default=False)
    mixer = replace(attention(fields, bias="qkvo", qk_norm="head" if normed else "none"), norm_bias=normed)
    layer = Layer(norms=(LAYER_NORM,), mixers=(mixer,), mlp=plain(fields, bias=True, act="gelu_new"), parallel=True)
    return decoder(fields, [layer] * layer_count(fields), tied=False, norm=LAYER_NORM, head_bias=True)


def phi_msft(fields: Fields) -> ModelSpec:
    """Phi as first released, by GPT's names and with code of its own."""
    wide = width(fields)
    fields.ignore("img_processor", "flash_rotary", "fused_dense", "checkpointing")
    heads = fields.count("n_head")
    mixer = multi_head(fields, "n_head", positions="rope", kv_heads=fields.count("n_head_kv", default=heads))
    mlp = plain(fields, "n_inner", bias=True, default=4 * wide, act="gelu_new")
    layer = Layer(norms=(LAYER_NORM,), mixers=(mixer,), mlp=mlp, parallel=True)
    return decoder(fields, [layer] * layer_count(fields), tied=False, norm=LAYER_NORM, head_bias=True)


def persimmon(fields: Fields) -> ModelSpec:
    """Queries and keys normalised head by head, as many heads for keys as for queries."""
    normed = fields.flag("qk_layernorm", default=True)
    mixer = multi_head(fields, positions="rope")
    as_always(fields, num_key_value_heads=mixer.heads)
    mixer = replace(mixer, qk_norm="head" if normed else "none", norm_bias=normed)
    mlp = plain(fields, bias=True, act="relu2")
    return uniform(fields, mixer, mlp, norms=(LAYER_NORM, LAYER_NORM), norm=LAYER_NORM)


def nemotron(fields: Fields) -> ModelSpec:
    """Nemotron-4, Minitron and Jais 2: a squared ReLU, grouped queries, one flag for the biases of each part."""
    mlp = plain(fields, bias=fields.flag("mlp_bias", default=False), act="relu2")
    return uniform(fields, attention(fields), mlp, norms=(LAYER_NORM, LAYER_NORM), norm=LAYER_NORM)


READS = {
    "gpt_neox": gpt_neox,
    "gpt_neox_japanese": gpt_neox_japanese,
    "jais2": nemotron,
    "nemotron": nemotron,
    "persimmon": persimmon,
    "phi": phi,
    "phi-msft": phi_msft,
}
