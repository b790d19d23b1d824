"""NVIDIA's modelopt: one algorithm for all matrices, or a list of modules with one each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.errors import MissingData, shorten
from isoflop.model.storage.compressed import compressed
from isoflop.model.storage.formats import Beside, Format
from isoflop.model.storage.lists import cache_dtype, ignore, kept_of
from isoflop.model.storage.modules import MATRICES
from isoflop.model.storage.patterns import Patterns
from isoflop.model.storage.scheme import EVERY, Rule, Scheme

if TYPE_CHECKING:
    from isoflop.model.fields import Fields

_SCALAR = Beside(32)


def modelopt(fields: Fields, rest: Format) -> Scheme:
    """`quant_algo` with what it leaves out; the object may lie within "quantization", as in hf_quant_config.json."""
    inner = fields.within("quantization")
    if inner is not None:
        return _scheme(inner, rest)
    if not fields.has("quant_algo") and fields.has("config_groups"):
        return compressed(fields, rest)
    return _scheme(fields, rest)


def _scheme(fields: Fields, rest: Format) -> Scheme:
    ignore(fields, "modelopt")
    algorithm = fields.word("quant_algo", default="NVFP4").upper()
    cache = fields.word("kv_cache_quant_algo").upper()
    kv = {"FP8": "fp8", "NVFP4": "fp4", "INT8": "int8"}.get(cache, "") or cache_dtype(fields, "kv_cache_scheme")
    group = fields.maybe("group_size")
    layers = fields.within("quantized_layers")
    kept = kept_of(fields, "exclude_modules", "ignore", "modules_to_not_convert")
    if algorithm != "MIXED_PRECISION":
        form = _form(algorithm, group)
        return Scheme(words=form.words, rest=rest, rules=(Rule(form, MATRICES),), kept=kept, kv=kv)
    if layers is None:
        raise fields.missing("quantized_layers")
    named: dict[Format, list[str]] = {}
    for name in layers.values:
        one = layers.within(name)
        if one is None:
            continue
        form = _form(one.word("quant_algo").upper(), one.maybe("group_size"))
        one.ignore(*one.values)
        named.setdefault(form, []).append(name)
    rules = tuple(Rule(form, EVERY, Patterns(names)) for form, names in named.items())
    words = "; ".join(form.words for form in named) or rest.words
    return Scheme(words=words, rest=rest, rules=rules, kept=kept, kv=kv)


def _form(algorithm: str, group: int | None) -> Format:
    """The format of one algorithm; scales of activations are counted where a file has them."""
    known = _KNOWN.get(algorithm)
    if known is None:
        raise MissingData(
            f"modelopt's '{shorten(algorithm)}' is not counted from a config; counted are {', '.join(_KNOWN)}. "
            "Give the safetensors files: their headers say every byte."
        )
    if group is None or not known.beside or not known.beside[0].inputs or known.beside[0].outputs != 1:
        return known
    usual = known.beside[0].inputs
    return replace(
        known,
        words=known.words.replace(f"every {usual}", f"every {group}"),
        beside=(known.beside[0]._replace(inputs=group), *known.beside[1:]),
    )


_FP8 = Format(name="fp8", words="FP8, an FP32 scale a matrix", bits=8, beside=(_SCALAR, _SCALAR))
_NVFP4 = Format(
    name="nvfp4",
    words="NVFP4: 4 bits, FP8 scales for every 16, an FP32 scale a matrix",
    bits=4,
    beside=(Beside(8, 16, 1), _SCALAR, _SCALAR),
)
_INT4 = Format(name="int4", words="INT4 by AWQ, FP16 scales for every 128", bits=4, beside=(Beside(16, 128, 1),))

_KNOWN = {
    "FP8": _FP8,
    "FP8_PB_WO": Format(
        name="fp8", words="FP8, FP32 scales for every 128 x 128", bits=8, beside=(Beside(32, 128, 128),)
    ),
    "FP8_PER_CHANNEL_PER_TOKEN": Format(
        name="fp8", words="FP8, an FP32 scale a row", bits=8, beside=(Beside(32, outputs=1),)
    ),
    "MXFP8": Format(name="mxfp8", words="MXFP8, 8-bit scales for every 32", bits=8, beside=(Beside(8, 32, 1),)),
    "NVFP4": _NVFP4,
    "W4A16_AWQ": _INT4,
    "W4A16_NVFP4": replace(_NVFP4, beside=(Beside(8, 16, 1), _SCALAR)),
    "W4A8_AWQ": replace(_INT4, beside=(Beside(16, 128, 1), _SCALAR, _SCALAR)),
    "W8A16": Format(name="int8", words="INT8, an FP16 scale a row", bits=8, beside=(Beside(16, outputs=1),)),
}
