"""compressed-tensors: groups of modules, each with the number format of its weights (llm-compressor writes these)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import MissingData, shorten
from isoflop.model.storage.formats import Beside, Format, plain
from isoflop.model.storage.lists import cache_dtype, ignore, kept_of
from isoflop.model.storage.modules import MATRICES
from isoflop.model.storage.patterns import Patterns
from isoflop.model.storage.scheme import EVERY, Rule, Scheme

if TYPE_CHECKING:
    from isoflop.model.fields import Fields

NVFP4 = "nvfp4-pack-quantized"
MXFP4 = "mxfp4-pack-quantized"
_BYTE_SCALES = {MXFP4, "mxfp6-pack-quantized", "mxfp8-quantized"}
_PREFIXES = {NVFP4: "NV", **dict.fromkeys(_BYTE_SCALES, "MX")}
_UNPACKED = {"float-quantized", "naive-quantized", "int-quantized", "mxfp8-quantized"}
_KNOWN = {NVFP4, MXFP4, "mxfp6-pack-quantized", "pack-quantized", "dense", "mixed-precision", *_UNPACKED}


def compressed(fields: Fields, rest: Format) -> Scheme:
    """Groups with weights of their own format; classes of modules ("Linear") come after names and patterns."""
    ignore(fields, "compressed-tensors")
    _refuse_sparse(fields)
    whole = fields.word("format")
    groups = fields.within("config_groups")
    if groups is None:
        raise fields.missing("config_groups")
    named: list[Rule] = []
    classes: list[Rule] = []
    words: list[str] = []
    for name in groups.values:
        group = groups.within(name)
        if group is None:
            continue
        targets = group.words("targets") or ("Linear",)
        form = _form(group, group.word("format", default=whole) or whole, rest)
        if form is None:
            continue
        words.append(form.words)
        by_class = [target for target in targets if target[:1].isupper() and "." not in target]
        if by_class:
            classes.append(Rule(form, MATRICES | {"outer", "head"}))
        others = [target for target in targets if target not in by_class]
        if others:
            named.append(Rule(form, EVERY, Patterns(others)))
    kept = kept_of(fields, "ignore")
    return Scheme(
        words="; ".join(dict.fromkeys(words)) or rest.words,
        rest=rest,
        rules=(*named, *classes),
        kept=kept,
        kv=cache_dtype(fields, "kv_cache_scheme"),
        routers_doubted=bool(classes),
    )


def _refuse_sparse(fields: Fields) -> None:
    """Weights with zeros left out take less, and how much depends on the file."""
    inner = fields.within("sparsity_config")
    if inner is None:
        return
    kind = inner.word("format", default="dense")
    inner.ignore(*inner.values)
    if kind != "dense":
        raise MissingData(
            f"compressed-tensors with sparse weights ('{shorten(kind)}') is not counted from a config. "
            "Give the safetensors files: their headers say every byte."
        )


def _form(group: Fields, kind: str, rest: Format) -> Format | None:
    """The format of a group's weights; None where only activations are quantised."""
    acts = group.within("input_activations")
    static = acts is not None and acts.values.get("dynamic") is not True
    for one in (acts, group.within("output_activations")):
        if one is not None:
            one.ignore(*one.values)
    args = group.within("weights")
    if args is None:
        return None
    if kind in {"sparse-24-bitmask", "marlin-24"} or (kind and kind not in _KNOWN):
        raise MissingData(
            f"compressed-tensors format '{shorten(kind)}' is not counted from a config; counted are "
            f"{', '.join(sorted(_KNOWN))}. Give the safetensors files: their headers say every byte."
        )
    return _weights(args, kind, rest, static=static)


def _weights(args: Fields, kind: str, rest: Format, *, static: bool) -> Format:
    """What one group says of its weights, as a format."""
    args.ignore("observer", "observer_kwargs", "dynamic", "zp_dtype")
    bits = args.count("num_bits", default=8)
    floating = args.word("type", default="int") == "float"
    group = args.values.get("group_size")
    args.ignore("group_size")
    size = group if isinstance(group, int) and not isinstance(group, bool) and group > 0 else 0
    strategy = args.word("strategy") or ("group" if size else "channel" if group == -1 else "tensor")
    spelled = isinstance(args.values.get("block_structure"), str)
    block = _block(args) if spelled else args.counts("block_structure", length=2, least=1)
    symmetric = args.flag("symmetric", default=True)
    reordered = args.values.get("actorder") is True or args.values.get("actorder") == "group"
    args.ignore("actorder")
    kind = _kind(kind, bits, floating=floating, size=size, strategy=strategy)
    scale, said = _scale_dtype(args, kind, rest)
    places = _places(args, strategy, size, block)
    packed = kind == "pack-quantized"
    beside = [Beside(scale, *places)]
    beside += [] if symmetric else [Beside(bits if packed else 8, *places, word=32 if packed else 0)]
    beside += [Beside(32)] if strategy == "tensor_group" else []  # the scale of the scales
    beside += [Beside(32 if strategy == "tensor_group" else scale)] if static else []  # of the activations
    beside += [Beside(64, more=8)] if packed else []  # the shape
    beside += [Beside(32, inputs=1)] if reordered else []
    called = f"{_PREFIXES.get(kind, '')}{'FP' if floating else 'INT'}{bits}"
    held = 8 if kind in _UNPACKED else bits
    kept = "" if held == bits else f" in {held} bits"
    zeros = "" if symmetric else " and zero points"
    return Format(
        name=called.lower(),
        words=f"{called}{kept}, {said} scales {_where(strategy, places)}{zeros}",
        bits=held,
        word=32 if packed else 8,
        beside=tuple(beside),
    )


def _places(args: Fields, strategy: str, size: int, block: tuple[int, ...] | None) -> tuple[int, int]:
    """(inputs, outputs) that share a scale, 0 for all of them."""
    sides = block or (128, 128)
    known = {
        "tensor": (0, 0),
        "channel": (0, 1),
        "group": (size or 128, 1),
        "tensor_group": (size or 16, 1),
        "block": (sides[1], sides[0]),
    }
    if strategy not in known:
        raise args.wrong("strategy", strategy, f"one of {', '.join(known)}")
    return known[strategy]


def _where(strategy: str, places: tuple[int, int]) -> str:
    known = {"tensor": "for a matrix", "channel": "for a row", "block": f"for every {places[1]} x {places[0]}"}
    return known.get(strategy, f"for every {places[0]}")


def _block(args: Fields) -> tuple[int, int]:
    """A block as older files spell it ("128x128")."""
    text = args.word("block_structure")
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() and len(side) < 7 and int(side) for side in sides):
        raise args.wrong("block_structure", text, "two sides, like '128x128'")
    return int(sides[0]), int(sides[1])


def _kind(kind: str, bits: int, *, floating: bool, size: int, strategy: str) -> str:
    """The format on disk; files with several say only "mixed-precision", older ones nothing."""
    if kind and kind not in {"mixed-precision", "dense"}:
        return kind
    if not floating:
        return "pack-quantized" if strategy in {"group", "channel"} and bits < 8 else "int-quantized"
    if bits == 4:
        return MXFP4 if size == 32 else NVFP4
    return "float-quantized"


def _scale_dtype(args: Fields, kind: str, rest: Format) -> tuple[float, str]:
    """(bits, name) of a scale."""
    given = args.word("scale_dtype")
    if kind in _BYTE_SCALES:
        return 8, "8-bit"
    if kind == NVFP4:
        return 8, "FP8"
    form = plain(given) if given else rest
    return form.bits, form.words
