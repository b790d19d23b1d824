"""The model of a row of serving by its name, and the formats that its columns say it is served in."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from isoflop.errors import BadFile, BadInput, IsoflopError, MissingData, UnknownName
from isoflop.model import describe, model_names, preset
from isoflop.model.presets import find_preset
from isoflop.model.storage.ggml import ggml_scheme, is_ggml
from isoflop.model.storage.methods import scheme_of
from isoflop.serving.beside import tower_bytes
from isoflop.serving.spec import AS_STORED, KV_BITS, Formats
from isoflop.serving.weights import experts_of

if TYPE_CHECKING:
    from isoflop.model.names import Description
    from isoflop.model.storage.scheme import Scheme

MOST_CONFIGS = 2000
SHORTEST = 6
"""Letters from which the beginning of a preset's name means it."""


class Found(NamedTuple):
    """A model, what its image encoder weighs, and what was taken for granted."""

    what: Description
    beside: float
    assumed: tuple[str, ...] = ()


def read_library(folder: str | Path | None) -> dict[str, Description]:
    """The configs of a folder (*.json, or folders with a config.json) by plain name.

    Files that are no readable config are left out: they may be other JSON.
    """
    if folder is None:
        return {}
    place = Path(folder)
    if not place.is_dir():
        raise BadFile(f"{folder}: not a folder. Give the folder that holds config.json files.")
    paths = sorted([*place.glob("*.json"), *place.glob("*/config.json")])[:MOST_CONFIGS]
    found: dict[str, Description] = {}
    for path in paths:
        try:
            one = describe(path)
        except BadInput:
            continue
        found.setdefault(exact(one.spec.name), one)
    for one in tuple(found.values()):
        found.setdefault(plain(one.spec.name), one)
    if not found:
        raise BadFile(f"{folder}: no config.json in it that can be read.")
    return found


_OWNER = re.compile(r"^[\w.-]+(?:/|--)")
_ASIDE = re.compile(r"\(.*?\)|\b(?:gguf|dummy weights)\b|\bshaped\b|\bclass\b")
_ENDINGS = re.compile(
    r"[-_ ](?:instruct|chat|base|hf|it|thinking|2507|0324|0528|0731|1210|fp8|nvfp4|bf16|awq|int4|gptq|8.?bit|4.?bit|"
    r"qat|unquantized|q\d\w*|w4a16|ct|mtp|derivative|unsloth|128k|preview|text)\b.*$"
)


def plain(name: str) -> str:
    """A name without owner, marks of tuning and of formats, and spelling: "Qwen/Qwen3-8B-FP8" is "qwen38b"."""
    word = _OWNER.sub("", name.strip().lower())
    word = _ENDINGS.sub("", _ASIDE.sub("", word).strip())
    return re.sub(r"[^a-z0-9]", "", word).removeprefix("meta")


def exact(name: str) -> str:
    """A name without owner and spelling, marks of formats kept."""
    return re.sub(r"[^a-z0-9]", "", _OWNER.sub("", name.strip().lower()))


@cache
def _preset_names() -> dict[str, str]:
    """Plain names of presets and of their aliases."""
    found: dict[str, str] = {}
    for name in model_names():
        for one in (name, *preset(name).aliases):
            found.setdefault(plain(one), name)
    return found


def model_of(name: str, family: str, library: dict[str, Description]) -> Found:
    """The model that a row names: a config of that name, a preset, then the same for its family."""
    for asked in (name, family):
        if not asked:
            continue
        config = library.get(exact(asked)) or library.get(plain(asked))
        if config is not None:
            return _found(config, asked, name)
        known = _preset_of(asked)
        if known is not None:
            return _found(describe(known), asked, name)
    raise MissingData(f"column model: no config and no preset is called '{name[:60]}'; give its config with --configs")


def _preset_of(name: str) -> str | None:
    """The preset of that name, in any spelling."""
    word = plain(name)
    if word in _preset_names():
        return _preset_names()[word]
    if len(word) < SHORTEST:
        return None
    try:
        return find_preset(name)
    except (BadInput, UnknownName):
        return None


def _found(what: Description, asked: str, name: str) -> Found:
    config = what.reading.config if what.reading is not None else {}
    assumed = () if asked == name else (f"model {what.spec.name}, by its family",)
    return Found(what, tower_bytes(config), assumed)


BLOCKS_FP8: dict[str, object] = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}
SCHEMES: dict[str, dict[str, object]] = {
    "fp8": BLOCKS_FP8,
    "int4": {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": True},
    "w4a16": {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": True},
    "mxfp4": {"quant_method": "mxfp4", "modules_to_not_convert": ["self_attn", "router", "embed_tokens", "lm_head"]},
    "nvfp4": {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16, "kv_cache_quant_algo": "FP8"},
    "nvfp4 experts": {
        "quant_method": "modelopt",
        "quant_algo": "NVFP4",
        "group_size": 16,
        "kv_cache_quant_algo": "FP8",
        "exclude_modules": ["*self_attn*", "*linear_attn*", "*mixer*", "*shared_expert*", "*mtp*", "lm_head"],
    },
}
"""Precisions as rows name them, and of mixtures that keep all but experts -> what configs of such checkpoints say."""

PLAIN = {"bf16": "bf16", "fp16": "fp16", "fp32": "fp32", "f16": "fp16", "float16": "fp16", "half": "fp16"}
_SAME = {"fp8": {"fp8"}, "fp4": {"nvfp4", "mxfp4"}, "nvfp4": {"nvfp4"}, "mxfp4": {"mxfp4"}, "int4": {"int4"}}


def formats_of(found: Found, weights: str, kv: str) -> tuple[Formats, tuple[str, ...]]:
    """(formats that the columns weight_prec and kv_prec say, what was taken for granted)."""
    scheme, assumed = _weights(found.what, weights)
    rest = "fp16" if weights.lower().startswith(("fp16", "f16")) else "bf16"
    cache_format = kv_format(kv)
    if cache_format == AS_STORED and _word(weights) == "nvfp4":
        cache_format, assumed = "fp8", (*assumed, "kv_prec fp8, as NVFP4 checkpoints ask for")
    return Formats(weights=scheme, kv=cache_format, rest=rest), assumed


def _weights(what: Description, text: str) -> tuple[str | Scheme, tuple[str, ...]]:
    word = _word(text)
    own = _own_scheme(what)
    if not text:
        kept = own if own is not None else (what.dtype or "bf16")
        return kept, ("weight_prec as in its config",)
    if word in PLAIN:
        return PLAIN[word], ()
    if own is not None and _matches(own, word):
        return own, ()
    if is_ggml(text) or is_ggml(word):
        return ggml_scheme(what.spec, text if is_ggml(text) else word), ()
    if word in SCHEMES:
        mixed = word == "nvfp4" and experts_of(what.spec) > 0
        return _made("nvfp4 experts" if mixed else word), (f"weight_prec {word} as such checkpoints usually are",)
    if word in {"int8", "w8a8"}:
        return "int8", ()
    raise MissingData(f"column weight_prec: '{text[:40]}' is not known; known are {', '.join([*PLAIN, *SCHEMES])}")


def _word(text: str) -> str:
    """The precision in a text: "int4 wna16" is int4, "gguf q8_0" q8_0."""
    lowered = text.strip().lower()
    for word in ("nvfp4", "mxfp4", "fp8", "int4", "w4a16", "int8", "bf16", "fp16", "fp32", "float16"):
        if lowered.startswith(word):
            return word
    if lowered in {"fp4", "nvfp4"}:
        return "nvfp4"
    return lowered.removeprefix("gguf ").split(" (")[0]


@lru_cache(maxsize=64)
def _made(word: str) -> Scheme:
    return scheme_of(SCHEMES[word], "bf16")


def _own_scheme(what: Description) -> Scheme | None:
    """The scheme of its config, None where that quantises nothing or cannot be counted."""
    if what.reading is None or what.reading.quantization is None:
        return None
    try:
        return scheme_of(what.reading.quantization, what.reading.dtype or "bf16", what.reading.file)
    except IsoflopError:
        return None


def _matches(scheme: Scheme, word: str) -> bool:
    """Whether a scheme's main format is the one that a row names."""
    names = {rule.form.name for rule in scheme.rules}
    return bool(names & (_SAME.get(word, {word})))


def kv_format(text: str) -> str:
    """The format of the cache that a column names: "fp8 (inferred)" is fp8, "K q8_0 / V f16" is q8_0-f16."""
    word = text.strip().lower().split(" (")[0]
    if not word:
        return AS_STORED
    both = re.fullmatch(r"k (\S+) / v (\S+)", word)
    if both is not None:
        return f"{both[1]}-{both[2]}"
    for start in ("fp8", "fp4", "int8", "int4"):
        if word.startswith(start):
            return start
    return word if word in KV_BITS else PLAIN.get(word, word)
