"""Schemes by name: what a weight becomes, which neighbours share a scale, and how the file says so.

    int8  int4-g128  int4-g32-affine  int8-w8a8  fp8  fp8-block  mxfp4  mxfp8  nvfp4  bf16  fp16  fp32
    gguf-q8_0  gguf-q4_0  gguf-f16 ...

The layouts are those of compressed-tensors, which transformers and vLLM read, and of GGUF, which llama.cpp reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from isoflop.errors import BadInput, UnknownName, shorten

Element = Literal["int", "e4m3", "e2m1", "plain"]
Granularity = Literal["tensor", "channel", "group", "block"]
ScaleKind = Literal["weight", "e8m0", "e4m3", "none"]
Layout = Literal[
    "pack-quantized", "int-quantized", "float-quantized", "mxfp4-pack-quantized", "mxfp8-quantized",
    "nvfp4-pack-quantized", "dense", "gguf",
]  # fmt: skip
Choice = Literal["absmax", "mse", "percentile"]

BLOCK = 128
"""Side of the square blocks of `fp8-block`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How weights are stored.

    `element` of `bits` bits; one scale per tensor, output channel (a row), group of `group` neighbours in a row, or
    square block. `symmetric` has no zero point. `scale` is the format of scales: the weight's own, a power of two
    (E8M0), or FP8 under one FP32 scale for the tensor. `activations` is what the runtime shall make of activations
    ("" leaves them). `target` is the plain format, or GGUF's name of the type.
    """

    name: str
    element: Element
    bits: int
    granularity: Granularity = "channel"
    group: int = 0
    symmetric: bool = True
    scale: ScaleKind = "weight"
    activations: Literal["", "int8-token", "fp8-token", "fp8-group"] = ""
    layout: Layout = "pack-quantized"
    target: str = ""

    @property
    def low(self) -> float:
        """The smallest code's value."""
        return {"e4m3": -448.0, "e2m1": -6.0}.get(self.element, -float(2 ** (self.bits - 1)))

    @property
    def high(self) -> float:
        """The largest code's value."""
        return {"e4m3": 448.0, "e2m1": 6.0}.get(self.element, float(2 ** (self.bits - 1) - 1))

    @property
    def reach(self) -> float:
        """What the largest magnitude is scaled to: half the range of whole numbers, the largest value of a float."""
        return self.high if self.element in {"e4m3", "e2m1"} else (self.high - self.low) / 2

    @property
    def words(self) -> str:
        """The scheme as people say it."""
        if self.element == "plain":
            return f"{self.target.upper()}, no scales"
        what = {"e4m3": "FP8 E4M3", "e2m1": "FP4 E2M1"}.get(self.element, f"INT{self.bits}")
        per = {
            "tensor": "one scale a tensor", "channel": "one scale an output channel",
            "group": f"one scale for {self.group} weights", "block": f"one scale for {BLOCK} x {BLOCK} weights",
        }[self.granularity]  # fmt: skip
        kind = {"e8m0": ", a power of two", "e4m3": " in FP8 under one in FP32"}.get(self.scale, "")
        zero = "" if self.symmetric else ", with a zero point"
        acts = {"int8-token": "; activations in INT8 by the token", "fp8-token": "; activations in FP8 by the token",
                "fp8-group": "; activations in FP8 by groups of 128"}.get(self.activations, "")  # fmt: skip
        return f"{what}, {per}{kind}{zero}{acts}"


PLAIN = {"bf16": 16, "fp16": 16, "fp32": 32}
GGUF_BITS = {"q8_0": 8, "q4_0": 4, "q4_1": 4, "q5_0": 5, "q5_1": 5, "f16": 16, "bf16": 16, "f32": 32}

_FIXED = {
    "int8": Scheme(name="int8", element="int", bits=8),
    "int8-w8a8": Scheme(name="int8-w8a8", element="int", bits=8, activations="int8-token", layout="int-quantized"),
    "fp8": Scheme(name="fp8", element="e4m3", bits=8, activations="fp8-token", layout="float-quantized"),
    "fp8-tensor": Scheme(
        name="fp8-tensor", element="e4m3", bits=8, granularity="tensor", activations="fp8-token",
        layout="float-quantized",
    ),
    "fp8-block": Scheme(
        name="fp8-block", element="e4m3", bits=8, granularity="block", group=BLOCK, activations="fp8-group",
        layout="float-quantized",
    ),
    "mxfp8": Scheme(
        name="mxfp8", element="e4m3", bits=8, granularity="group", group=32, scale="e8m0", layout="mxfp8-quantized"
    ),
    "mxfp4": Scheme(
        name="mxfp4", element="e2m1", bits=4, granularity="group", group=32, scale="e8m0", layout="mxfp4-pack-quantized"
    ),
    "nvfp4": Scheme(
        name="nvfp4", element="e2m1", bits=4, granularity="group", group=16, scale="e4m3", layout="nvfp4-pack-quantized"
    ),
}  # fmt: skip

_ALIASES = {
    "w8a16": "int8", "w4a16": "int4-g128", "w8a8": "int8-w8a8", "int4": "int4-g128", "fp8-dynamic": "fp8",
    "f16": "fp16",    "fp8-channel": "fp8", "float16": "fp16", "bfloat16": "bf16", "float32": "fp32", "f32": "fp32",
}  # fmt: skip

_INT = re.compile(r"int([2-8])(?:-(?:g(\d{1,5})|(channel)))?(-affine)?")


def schemes() -> tuple[str, ...]:
    """Names that `--to` takes; any int2 to int8 with any group (`-g64`) and zero points (`-affine`) besides."""
    return (*_FIXED, "int4-g128", "int4-g32", "int4-g128-affine", *PLAIN, *(f"gguf-{name}" for name in GGUF_BITS))


def scheme(name: str | Scheme) -> Scheme:
    """The scheme of that name.

    >>> scheme("int4-g128").words
    'INT4, one scale for 128 weights'

    Raises:
        UnknownName: no such scheme.
        BadInput: a group that nothing reads.
    """
    if isinstance(name, Scheme):
        return name
    wanted = name.strip().lower().replace(" ", "-")
    wanted = _ALIASES.get(wanted, wanted)
    if wanted in _FIXED:
        return _FIXED[wanted]
    if wanted in PLAIN:
        return Scheme(name=wanted, element="plain", bits=PLAIN[wanted], scale="none", layout="dense", target=wanted)
    kind = wanted.removeprefix("gguf-")
    if wanted.startswith("gguf-") and kind in GGUF_BITS:
        return _gguf(wanted, kind)
    match = _INT.fullmatch(wanted)
    if match is None:
        raise UnknownName("scheme", name, schemes(), listing="isoflop quantize --list")
    return _int(wanted, int(match[1]), int(match[2] or 0), affine=match[4] is not None)


def _int(name: str, bits: int, group: int, *, affine: bool) -> Scheme:
    if group and (group < 8 or group % 8):
        raise BadInput(
            f"scheme '{shorten(name)}': groups of {group} weights; give a multiple of 8, such as 32, 64 or 128."
        )
    return Scheme(
        name=name, element="int", bits=bits, granularity="group" if group else "channel", group=group,
        symmetric=not affine,
    )  # fmt: skip


def _gguf(name: str, kind: str) -> Scheme:
    if kind in {"f16", "bf16", "f32"}:
        plain = {"f16": "fp16", "f32": "fp32"}.get(kind, kind)
        return Scheme(name=name, element="plain", bits=PLAIN[plain], scale="none", layout="gguf", target=kind)
    return Scheme(
        name=name, element="int", bits=GGUF_BITS[kind], granularity="group", group=32, layout="gguf", target=kind,
        symmetric=kind.endswith("_0"),
    )  # fmt: skip
