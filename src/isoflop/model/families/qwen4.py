"""Qwen4-Exp's text part: the delta rule and attention behind an index over pools of tokens, in several streams.

Some layers add vectors looked up by the last few tokens (n-grams), from tables with a prime number of rows a head.
"""

from __future__ import annotations

from dataclasses import replace
from math import isqrt
from typing import TYPE_CHECKING

from isoflop.errors import BadFile
from isoflop.model.families.common import decoder, layer_count, width
from isoflop.model.families.common_recurrent import FULL, LINEAR, kinds, recurrent
from isoflop.model.families.qwen_next import qwen_attention, qwen_delta, qwen_mixture
from isoflop.model.parts import Convolution, Index, Linear, vector
from isoflop.model.spec import Layer

if TYPE_CHECKING:
    from isoflop.model.fields import Fields
    from isoflop.model.parts import Mixer, Recurrent
    from isoflop.model.spec import ModelSpec

INDEXED = "indexed_attention"
MOST_TABLES = 1_000


def qwen4_exp(fields: Fields) -> ModelSpec:
    """Full attention in a list means attention with an index. No norms but those of the streams."""
    layers = layer_count(fields)
    interval = fields.count("full_attention_interval", default=4)
    usual = tuple(LINEAR if (place + 1) % interval else INDEXED for place in range(layers))
    listed = kinds(fields, "layer_types", layers=layers, known=(LINEAR, FULL, INDEXED, "qwen_sparse_attention"))
    fields.ignore("output_gate_type", "number_of_conv_states", "seed", "mtp_num_hidden_layers")
    mixing = _streams(fields)
    mixture, delta = qwen_mixture(fields), qwen_delta(fields)
    order = tuple(LINEAR if kind == LINEAR else INDEXED for kind in listed or usual)
    mixers: dict[str, Mixer] = {LINEAR: delta}
    if INDEXED in order:
        mixers[INDEXED] = replace(qwen_attention(fields), index=_index(fields))
    fields.ignore(*_ATTENTION)
    grams, tables = _grams(fields, layers)
    stack = []
    for place, kind in enumerate(order):
        beside = (grams,) if grams is not None and place in tables else ()
        table = (tables[place],) if place in tables else ()
        stack.append(Layer(mixers=(mixers[kind], *beside), mlp=mixture, extras=(*mixing, *mixing, *table)))
    joined = tuple(one for one in mixing if one.name != "stream injection")
    spec = decoder(fields, stack, tied=False, norm=None, extras=joined)
    return replace(spec, notes=(*spec.notes, _NOTE))


_NOTE = "layers that predict further tokens (mtp.*) are left out: their shape is not known here"
_ATTENTION = (
    "attention_bias", "head_dim", "indexer_budget", "indexer_compress_ratio", "indexer_head_dim", "indexer_kv_heads",
    "indexer_n_heads", "num_attention_heads", "num_key_value_heads",
)  # fmt: skip


def _index(fields: Fields) -> Index:
    """Scores of all heads are added up; one key, an average, stands for `indexer_compress_ratio` tokens."""
    if fields.count("indexer_kv_heads", default=1) != 1:
        fields.doubt("indexer_kv_heads is not 1")
    one = fields.count("indexer_head_dim")
    return Index(
        heads=fields.count("indexer_n_heads"),
        head_width=one,
        top=fields.count("indexer_budget"),
        inputs=width(fields),
        weighted=False,
        pool=fields.count("indexer_compress_ratio"),
        extras=(vector("index q norm", one), vector("index k norm", one)),
    )


def _streams(fields: Fields) -> tuple[Linear, ...]:
    """What mixes the streams before a half of a layer, by a narrow matrix, and weighs what it gives back to each."""
    streams, narrow, part = fields.count("hc_count"), fields.count("hc_lowrank"), "hyper-connections"
    wide = streams * width(fields)
    return (
        vector("stream norm", wide, part=part),
        Linear(name="stream mixing down", inputs=wide, outputs=narrow, part=part),
        Linear(name="stream mixing up", inputs=narrow, outputs=wide, part=part),
        Linear(name="stream injection", inputs=wide, outputs=streams, part=part),
    )


def _grams(fields: Fields, layers: int) -> tuple[Recurrent | None, dict[int, Linear]]:
    """What turns looked up vectors into additions to the streams, and the table of each layer (from 0) that has one."""
    chosen = sorted(set(fields.counts("ple_layer_ids", least=1) or ()))
    wide, reach = width(fields), fields.count("ngram_size")
    heads = (reach - 1) * fields.count("heads_per_ngram")
    inside, streams = fields.count("ple_embed_dim", default=wide), fields.count("hc_count")
    start, multiple = fields.count("ngram_vocab_size_base"), fields.count("make_ngram_vocab_size_divisible_by")
    kernel = fields.count("ple_conv_kernel_size")
    fields.ignore("split_ngram_parts")
    if not chosen:
        return None, {}
    if chosen[-1] > layers or inside % max(heads, 1) or not heads:
        raise BadFile(f"{fields.file}: ple_layer_ids and ple_embed_dim do not fit {layers} layers and {heads} heads.")
    if heads * len(chosen) > MOST_TABLES:
        raise BadFile(f"{fields.file}: {heads * len(chosen):,} tables of n-grams; at most {MOST_TABLES:,} are read.")
    sizes = _primes(start, heads * len(chosen))
    rows = [sum(sizes[place * heads :][:heads]) for place in range(len(chosen))]
    tables = {
        layer - 1: Linear(
            name="n-grams",
            inputs=-(-count // multiple) * multiple,
            outputs=inside // heads,
            runs="never",
            part="per-layer embedding",
        )
        for layer, count in zip(chosen, rows, strict=True)
    }
    joined = streams * wide
    grams = recurrent(
        "n-gram inputs",
        {"key": (inside, joined), "value": (inside, wide)},
        {"norms": 3 * joined},
        memory=(0, 0, 0),
        convolutions=(Convolution(channels=joined, kernel=kernel, dilation=reach),),
        shifts=reach - 1,
    )
    return grams, tables


def _primes(start: int, count: int) -> list[int]:
    """The first primes from `start` on."""
    found: list[int] = []
    number = start
    while len(found) < count:
        if number >= 2 and all(number % divisor for divisor in range(2, isqrt(number) + 1)):
            found.append(number)
        number += 1
    return found


READS = {"qwen4_exp_text": qwen4_exp}
