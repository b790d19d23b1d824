"""From a `quantization_config` to a scheme, by its method.

What a method quantises where no list says otherwise: matrices of the layers. Embeddings, norms, convolutions and biases
never; routers and the output layer only where a file asks for it. Facts are those of the libraries that write the files
(transformers, compressed-tensors, modelopt, AutoGPTQ, AutoAWQ, bitsandbytes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadFile, MissingData, shorten
from isoflop.model.fields import Fields
from isoflop.model.storage.compressed import compressed
from isoflop.model.storage.formats import Beside, Format, plain
from isoflop.model.storage.lists import check_bits, ignore, kept_of, unread
from isoflop.model.storage.modelopt import modelopt
from isoflop.model.storage.modules import MATRICES
from isoflop.model.storage.patterns import Patterns
from isoflop.model.storage.scheme import Rule, Scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from isoflop.model.storage.formats import Format as _Format
    from isoflop.model.storage.modules import Kind

    Read = Callable[[Fields, _Format], Scheme]


def scheme_of(quantization: Mapping[str, object], dtype: str, file: str = "config.json") -> Scheme:
    """The scheme that a config asks for; `dtype` is what its other weights are in, `file` what errors call it.

    A method that is not counted here is MissingData.
    """
    fields = Fields(quantization, file, "quantization_config.")
    method = fields.word("quant_method").lower()
    if not method:
        method = _guessed(fields)
    read = _METHODS.get(method)
    if read is None:
        raise MissingData(
            f"quantization method '{shorten(method)}' is not counted from a config; counted are "
            f"{', '.join(sorted(_METHODS))}. Give the files (safetensors, GGUF): their headers say every byte."
        )
    return unread(fields, read(fields, plain(dtype)))


def _guessed(fields: Fields) -> str:
    """The method of files that do not name it."""
    if fields.has("config_groups"):
        return "compressed-tensors"
    if fields.has("quant_algo", "quantization"):
        return "modelopt"
    if fields.has("load_in_8bit", "load_in_4bit"):
        return "bitsandbytes"
    raise BadFile("config.json: quantization_config names no quant_method, so how its weights are stored is not known.")


def _fp8(fields: Fields, rest: Format) -> Scheme:
    """Blocks with a scale each (DeepSeek-V3), or one scale a matrix."""
    ignore(fields, "fp8")
    block = fields.counts("weight_block_size", length=2, least=1)
    static = fields.word("activation_scheme", default="dynamic").lower() == "static"
    exponent = fields.word("scale_fmt").lower() == "ue8m0"
    doubts: list[str] = []
    if block is None:
        form = Format(name="fp8", words="FP8, an FP32 scale a matrix", bits=8, beside=(Beside(32),))
    else:
        scale = Beside(8 if exponent else 32, inputs=block[1], outputs=block[0])
        called = "8-bit" if exponent else "FP32"
        form = Format(
            name="fp8", words=f"FP8, a scale ({called}) for every {block[0]} x {block[1]}", bits=8, beside=(scale,)
        )
        if exponent:
            doubts.append("scales of form ue8m0 are counted as one byte; DeepSeek-V3.1 stores them in four")
    if static:
        form = Format(name="fp8", words=form.words, bits=8, beside=(*form.beside, Beside(32)))
    rules = [Rule(form, MATRICES | {"outer"})]
    if fields.word("expert_dtype", default="fp8").lower() == "fp4":
        rules.insert(0, Rule(_MXFP4, frozenset({"expert"})))
    fields.word("expert_dtype")
    kept = kept_of(fields, "modules_to_not_convert", "ignored_layers")
    return Scheme(words=form.words, rest=rest, rules=tuple(rules), kept=kept, doubts=tuple(doubts))


def _fbgemm(fields: Fields, rest: Format) -> Scheme:
    """FP8 with a scale for every row."""
    ignore(fields, "fbgemm_fp8")
    form = Format(name="fp8", words="FP8, an FP32 scale a row", bits=8, beside=(Beside(32, outputs=1),))
    return Scheme(
        words=form.words, rest=rest, rules=(Rule(form, MATRICES),), kept=kept_of(fields, "modules_to_not_convert")
    )


_MXFP4 = Format(name="mxfp4", words="MXFP4: 4 bits, an 8-bit scale for every 32", bits=4, beside=(Beside(8, 32, 1),))


def _mxfp4(fields: Fields, rest: Format) -> Scheme:
    """gpt-oss: routed experts alone; the rest is BF16 whatever the file says."""
    ignore(fields, "mxfp4")
    kept = kept_of(fields, "modules_to_not_convert")
    rules = (Rule(_MXFP4, frozenset({"expert"})),)
    return Scheme(words=f"{_MXFP4.words}; experts only", rest=rest, rules=rules, kept=kept)


def _gptq(fields: Fields, rest: Format) -> Scheme:
    """Words of 32 bits, FP16 scales, packed zero points, and for every input the number of its group."""
    ignore(fields, "gptq")
    bits = fields.count("bits", "w_bit", "wbits", default=4)
    check_bits(fields, "bits", bits, (2, 3, 4, 8))
    group = _group(fields)
    layout = fields.word("checkpoint_format", "format", default="gptq").lower()
    doubts = [] if layout in {"gptq", "gptq_v2"} else [f"the layout '{shorten(layout)}' is counted like plain GPTQ"]
    if fields.has("dynamic", "extra_config"):
        doubts.append("modules with settings of their own ('dynamic') are counted like the others")
        fields.ignore("dynamic", "extra_config")
    form = Format(
        name=f"int{bits}",
        words=f"INT{bits} by GPTQ, {_scales(group)} and zero points",
        bits=bits,
        word=32,
        beside=(
            Beside(16, inputs=group, outputs=1),
            Beside(bits, inputs=group, outputs=1, word=32),
            Beside(32, inputs=1),
        ),
    )
    kinds: set[Kind] = {*MATRICES, *(("head",) if fields.flag("lm_head", default=False) else ())}
    named = _named(fields)
    return Scheme(
        words=form.words,
        rest=rest,
        rules=(Rule(form, frozenset(kinds), named),),
        kept=kept_of(fields, "modules_to_not_convert"),
        doubts=tuple(doubts),
    )


def _named(fields: Fields) -> Patterns | None:
    """`modules_in_block_to_quantize`: lists of lists of names."""
    fields.ignore("modules_in_block_to_quantize", "inside_layer_modules")
    found = fields.values.get("modules_in_block_to_quantize")
    if found is None:
        return None
    flat = (
        [name for one in found for name in (one if isinstance(one, list) else [one])] if isinstance(found, list) else []
    )
    if not flat or not all(isinstance(name, str) for name in flat):
        raise fields.wrong("modules_in_block_to_quantize", found, "a list of lists of names")
    return Patterns(flat)


def _awq(fields: Fields, rest: Format) -> Scheme:
    """Words of 32 bits along the outputs, FP16 scales, packed zero points."""
    ignore(fields, "awq")
    bits = fields.count("bits", "w_bit", default=4)
    check_bits(fields, "bits", bits, (4, 8))
    group = _group(fields, "group_size", "q_group_size")
    layout = fields.word("version", default="gemm").lower()
    doubts = () if layout in {"gemm", "gemv"} else (f"the layout '{shorten(layout)}' is counted like 'gemm'",)
    zeros = (Beside(bits, inputs=group, outputs=1, word=32),) if fields.flag("zero_point", default=True) else ()
    form = Format(
        name=f"int{bits}",
        words=f"INT{bits} by AWQ, {_scales(group)}{' and zero points' if zeros else ''}",
        bits=bits,
        word=32,
        by_outputs=layout != "gemv",
        beside=(Beside(16, inputs=group, outputs=1), *zeros),
    )
    kept = kept_of(fields, "modules_to_not_convert")
    return Scheme(words=form.words, rest=rest, rules=(Rule(form, MATRICES),), kept=kept, doubts=doubts)


def _group(fields: Fields, *names: str) -> int:
    """Elements that share a scale; 0 for a whole row."""
    fields.ignore(*(names or ("group_size",)))
    found = next((fields.values[name] for name in names or ("group_size",) if name in fields.values), 128)
    if isinstance(found, int) and not isinstance(found, bool) and found in {-1, 0}:
        return 0
    return fields.count(*(names or ("group_size",)), default=128)


def _scales(group: int) -> str:
    return f"FP16 scales for every {group}" if group else "an FP16 scale a row"


def _auto_round(fields: Fields, rest: Format) -> Scheme:
    """AutoRound packs like GPTQ or AWQ."""
    ignore(fields, "auto-round")
    packed = fields.word("packing_format", default="auto_round:auto_gptq").lower()
    return _awq(fields, rest) if "awq" in packed else _gptq(fields, rest)


def _bitsandbytes(fields: Fields, rest: Format) -> Scheme:
    """8 bits with a scale a row, or 4 bits with one for every 64; files may still hold what they are made from."""
    ignore(fields, "bitsandbytes")
    four, eight = (fields.flag(name, default=False) for name in ("load_in_4bit", "load_in_8bit"))
    if four == eight:
        raise fields.wrong("load_in_4bit", four, "true for one of load_in_4bit and load_in_8bit")
    doubt = "the file may hold unquantised weights that bitsandbytes quantises on loading; counted is what it makes"
    kind = fields.word("bnb_4bit_quant_type", default="fp4").lower()
    double = fields.flag("bnb_4bit_use_double_quant", default=False)
    kept = kept_of(fields, "llm_int8_skip_modules", "modules_to_not_convert")
    if eight:
        form = Format(name="int8", words="INT8, an FP32 scale a row", bits=8, beside=(Beside(32, outputs=1, more=1),))
    elif double:
        twice = (Beside(8, flat=64, more=16 * 4), Beside(32, flat=64 * 256, more=256 * 4))
        form = Format(name=kind, words=f"{kind.upper()}, 8-bit scales for every 64, FP32 for 256 of these", bits=4,
                      beside=twice)  # fmt: skip
    else:
        form = Format(name=kind, words=f"{kind.upper()}, an FP32 scale for every 64", bits=4,
                      beside=(Beside(32, flat=64, more=16 * 4),))  # fmt: skip
    return Scheme(words=form.words, rest=rest, rules=(Rule(form, MATRICES | {"outer"}),), kept=kept, doubts=(doubt,))


_METHODS: Mapping[str, Read] = {
    "auto-round": _auto_round,
    "awq": _awq,
    "bitsandbytes": _bitsandbytes,
    "compressed-tensors": compressed,
    "fbgemm_fp8": _fbgemm,
    "fp8": _fp8,
    "gptq": _gptq,
    "modelopt": modelopt,
    "modelopt_fp4": modelopt,
    "modelopt_mixed": modelopt,
    "mxfp4": _mxfp4,
    "nvfp4": modelopt,
}
