"""Mixes of llama.cpp's block formats ("Q4_K_M") as schemes: which tensors are kept finer, and in how many layers.

The mixes are those of `llama-quantize`. Where a tensor is finer in some layers only, the scheme holds the mean over
layers, which is exact for bytes of the whole model. Rows whose length is no multiple of 256 fall back to blocks of 32.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from isoflop.errors import UnknownName
from isoflop.model.parts import Attention, Moe
from isoflop.model.storage.formats import Format, plain
from isoflop.model.storage.modules import MATRICES
from isoflop.model.storage.patterns import Patterns
from isoflop.model.storage.scheme import Rule, Scheme

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.model.spec import ModelSpec

BLOCK_BITS: Mapping[str, float] = {
    "f32": 32, "f16": 16, "bf16": 16, "q8_0": 8.5, "q6_k": 6.5625, "q5_k": 5.5, "q5_1": 6.0, "q5_0": 5.5, "q4_k": 4.5,
    "q4_1": 5.0, "q4_0": 4.5, "q3_k": 3.4375, "q2_k": 2.625, "iq4_nl": 4.5, "iq4_xs": 4.25, "iq3_s": 3.4375,
    "iq3_xxs": 3.0625, "iq2_s": 2.5625, "iq2_xs": 2.3125, "iq2_xxs": 2.0625, "iq1_m": 1.75, "iq1_s": 1.5625,
    "mxfp4": 4.25,
}  # fmt: skip
"""Bits an element of ggml's blocks, scales and all: bytes of a block over its elements (`model.headers.gguf.TYPES`)."""

_FALLBACK: Mapping[str, str] = {
    "q2_k": "q4_0", "q3_k": "q4_0", "q4_k": "q5_0", "q5_k": "q5_1", "q6_k": "q8_0",
    **dict.fromkeys(("iq4_xs", "iq3_s", "iq3_xxs", "iq2_s", "iq2_xs", "iq2_xxs", "iq1_m", "iq1_s"), "iq4_nl"),
}  # fmt: skip
"""What stands in for blocks of 256 where rows are no multiple of that."""

_FINEST = 256

MIXES: Mapping[str, Mapping[str, str]] = {
    "q2_k": {"base": "q2_k", "v": "q3_k", "v grouped": "q4_k", "o": "q3_k", "down": "q3_k"},
    "q3_k_s": {"base": "q3_k"},
    "q3_k_m": {"base": "q3_k", "v": "2:q5_k,q4_k", "o": "q4_k", "down": "sixteenth:q5_k,q4_k"},
    "q3_k_l": {"base": "q3_k", "v": "q5_k", "o": "q5_k", "down": "q5_k"},
    "q4_0": {"base": "q4_0"},
    "q4_1": {"base": "q4_1"},
    "q4_k_s": {"base": "q4_k", "v": "4:q5_k", "down": "eighth:q5_k"},
    "q4_k_m": {"base": "q4_k", "v": "more:q6_k", "down": "more:q6_k"},
    "q5_0": {"base": "q5_0"},
    "q5_1": {"base": "q5_1"},
    "q5_k_s": {"base": "q5_k"},
    "q5_k_m": {"base": "q5_k", "v": "more:q6_k", "down": "more:q6_k"},
    "q6_k": {"base": "q6_k"},
    "q8_0": {"base": "q8_0", "output": "q8_0"},
    "f16": {"base": "f16", "output": "f16"},
    "bf16": {"base": "bf16", "output": "bf16"},
    "f32": {"base": "f32", "output": "f32"},
    "iq4_nl": {"base": "iq4_nl", "v": "q5_k", "down": "eighth:q5_k"},
    "iq4_xs": {"base": "iq4_xs", "v": "q5_k", "down": "eighth:q5_k"},
    "mxfp4_moe": {"base": "q8_0", "expert": "mxfp4", "output": "q8_0"},
}
"""Name of a mix -> what each tensor is in. "more:x": in the first and last eighth of the layers and in every third
between; "4:x": in the first four; "eighth:x", "sixteenth:x": in the first of so many parts; the base elsewhere, or what
follows the comma."""

ALIASES: Mapping[str, str] = {
    "q4_k": "q4_k_m", "q5_k": "q5_k_m", "q3_k": "q3_k_m", "q4_k_medium": "q4_k_m", "q5_k_medium": "q5_k_m",
    "q3_k_medium": "q3_k_m", "q4_k_small": "q4_k_s", "q5_k_small": "q5_k_s", "q3_k_small": "q3_k_s",
    "q3_k_large": "q3_k_l", "q2_k_medium": "q2_k", "fp16": "f16", "fp32": "f32", "mxfp4": "mxfp4_moe",
}  # fmt: skip


def is_ggml(name: str) -> bool:
    """Whether a name is that of a mix, or says its bits ("IQ4_K_R4 - 4.5 bpw")."""
    return _plain(name) in MIXES or "bpw" in name.lower()


def _plain(name: str) -> str:
    word = re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_").removeprefix("gguf_")
    word = re.sub(r"(_r4|_r8)\b", "", word)
    return ALIASES.get(word, word)


@lru_cache(maxsize=256)
def ggml_scheme(model: ModelSpec, name: str) -> Scheme:
    """How llama.cpp stores a model in a mix; one that is only known by its bits has them in every matrix.

    >>> from isoflop.model import model
    >>> from isoflop.model.weight_bytes import weight_bytes
    >>> round(weight_bytes(model("llama-3-8b"), ggml_scheme(model("llama-3-8b"), "Q4_K_M")).total / 1e9, 2)
    4.91
    """
    bits = re.search(r"([\d.]+)\s*bpw", name.lower())
    if bits is not None:
        return _by_bits(model, float(bits[1]), name)
    word = _plain(name)
    if word not in MIXES:
        raise UnknownName("mix of block formats", name, MIXES, hint=f"Give one of: {', '.join(MIXES)}.")
    mix, layers = MIXES[word], model.stack.layers
    grouped = any(one.heads >= 4 * one.kv_heads for _, one in model.stack.attentions())
    output = _form(mix.get("output", "q6_k"), model.width)
    rules = []
    for role, leaf in (("v", "v_proj"), ("o", "o_proj"), ("down", "down_proj")):
        said = mix.get("v grouped", mix.get(role, "")) if role == "v" and grouped else mix.get(role, "")
        if said:
            rules.append(Rule(_mean(said, mix["base"], layers, _row(model, role)), MATRICES, Patterns([leaf])))
    if "expert" in mix:
        rules.insert(0, Rule(_form(mix["expert"], 32), frozenset({"expert"})))
    rules.append(Rule(_form(mix["base"], model.width), MATRICES | {"outer"}))
    rules.append(Rule(output, frozenset({"head"})))
    tied = model.head is not None and model.head.tied
    tables = output if tied else _form(mix["base"], model.width)
    return Scheme(words=f"{word.upper()} (GGUF)", rest=plain("fp32"), rules=tuple(rules), kv="fp16", tables=tables)


@lru_cache(maxsize=64)
def file_scheme(size: int, numbers: int, name: str) -> Scheme:
    """What a file of weights says of itself: its mean bits in every matrix, so that all weighs what the file does.

    `size` bytes of its tensors, `numbers` elements in them.
    """
    form = Format(name=f"{8 * size / numbers:.3g} bits", words=name, bits=8 * size / numbers, word=0)
    rules = (Rule(form, MATRICES | {"outer", "router", "joint"}), Rule(form, frozenset({"head"})))
    return Scheme(words=name, rest=form, rules=rules, kv="fp16", tables=form)


def _by_bits(model: ModelSpec, bits: float, name: str) -> Scheme:
    form = Format(name=f"{bits:g} bits", words=f"{name.strip()} (GGUF)", bits=bits, word=0)
    output = _form("q6_k", model.width)
    rules = (Rule(form, MATRICES | {"outer"}), Rule(output, frozenset({"head"})))
    return Scheme(words=form.words, rest=plain("fp32"), rules=rules, kv="fp16", tables=form)


def _row(model: ModelSpec, role: str) -> int:
    """Length of the rows that a tensor's blocks lie along."""
    layer = model.stack.groups[-1].layer
    if role == "down" and layer.mlp is not None:
        return layer.mlp.expert.width if isinstance(layer.mlp, Moe) else layer.mlp.width
    mixer = layer.mixers[0] if layer.mixers else None
    return mixer.heads * mixer.head_width if role == "o" and isinstance(mixer, Attention) else model.width


def _form(name: str, row: int) -> Format:
    """A block format, or what stands in for it where rows are no multiple of 256."""
    used = _FALLBACK.get(name, name) if row % _FINEST else name
    return Format(name=used, words=used.upper(), bits=BLOCK_BITS[used], word=0)


def _mean(said: str, base: str, layers: int, row: int) -> Format:
    """The mean over layers of what a tensor is in."""
    counted = dict.fromkeys(range(layers), base)
    for part in reversed(said.split(",")):
        where, _, name = part.rpartition(":")
        for layer in range(layers):
            if _finer(where, layer, layers):
                counted[layer] = name
    forms = [_form(name, row) for name in counted.values()]
    bits = sum(form.bits for form in forms) / layers
    names = "/".join(sorted({form.name for form in forms}))
    return Format(name=forms[0].name, words=names.upper(), bits=bits, word=0)


def _finer(where: str, layer: int, layers: int) -> bool:
    match where:
        case "":
            return True
        case "more":
            return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
        case "eighth":
            return layer < layers // 8
        case "sixteenth":
            return layer < layers // 16
        case _:
            return layer < int(where)
