"""Number formats: how many bits, which values, and what a given value becomes in each.

A format is sign, exponent and mantissa (or a whole number, or a table of values); what it can hold follows from these.
Encodings come from NumPy and ml_dtypes (extra `quant`), so that a stored bit is what the hardware's libraries store.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from isoflop.errors import BadInput, MissingData, UnknownName

if TYPE_CHECKING:
    from types import ModuleType

    from isoflop.quantity import FloatArray

Kind = Literal["float", "int", "table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFormat:
    """One format of a single number.

    `bits` a value, of them `exponent` and `mantissa` (0 for whole numbers). `largest` and `smallest` are the largest
    value and the smallest above zero, subnormals counted; `normal` is the smallest with full precision. `epsilon` is
    the step at 1, relative. `scaled` says that it is meant to be used with a scaling factor. `block` neighbours share
    one scale of `scale_bits` where the format says so: a power of two (E8M0), or FP8 for NVFP4.
    """

    name: str
    title: str
    kind: Kind
    bits: int
    exponent: int = 0
    mantissa: int = 0
    library: str = ""
    scaled: bool = False
    block: int = 0
    scale_bits: int = 0
    note: str = ""

    @property
    def bits_with_scale(self) -> float:
        """Bits a value takes with its share of the scale of its block."""
        return self.bits + (self.scale_bits / self.block if self.block else 0)

    @property
    def layout(self) -> str:
        """Sign / exponent / mantissa bits as people write them."""
        if self.kind == "float":
            sign = self.bits - self.exponent - self.mantissa
            return f"{sign}/{self.exponent}/{self.mantissa}"
        return f"{self.bits} bits, two's complement" if self.kind == "int" else f"{2**self.bits} values"

    @property
    def lowest(self) -> float:
        """The most negative value."""
        if self.kind == "int":
            return -float(2 ** (self.bits - 1))
        return -1.0 if self.kind == "table" else _limits(self).lowest

    @property
    def largest(self) -> float:
        """The largest finite value."""
        if self.kind == "int":
            return float(2 ** (self.bits - 1) - 1)
        return 1.0 if self.kind == "table" else _limits(self).largest

    @property
    def smallest(self) -> float:
        """The smallest value above zero."""
        if self.kind == "int":
            return 1.0
        if self.kind == "table":
            return float(min(value for value in NF4 if value > 0))
        return _limits(self).smallest

    @property
    def normal(self) -> float:
        """The smallest value above zero that has all mantissa bits."""
        return _limits(self).normal if self.kind == "float" else self.smallest

    @property
    def epsilon(self) -> float | None:
        """From 1 to the next value above it; None where 1 is the last, or where steps are not relative."""
        return 2.0**-self.mantissa if self.kind == "float" and self.exponent else None


NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""Quantiles of a normal distribution, scaled to 1 [dettmers2023 appendix E]."""

FORMATS = (
    NumberFormat(name="fp64", title="FP64", kind="float", bits=64, exponent=11, mantissa=52, library="float64"),
    NumberFormat(name="fp32", title="FP32", kind="float", bits=32, exponent=8, mantissa=23, library="float32"),
    NumberFormat(
        name="tf32", title="TF32", kind="float", bits=19, exponent=8, mantissa=10,
        note="what tensor cores read of FP32; stored in 32 bits",
    ),
    NumberFormat(name="fp16", title="FP16", kind="float", bits=16, exponent=5, mantissa=10, library="float16"),
    NumberFormat(name="bf16", title="BF16", kind="float", bits=16, exponent=8, mantissa=7, library="bfloat16"),
    NumberFormat(
        name="fp8-e4m3", title="FP8 E4M3", kind="float", bits=8, exponent=4, mantissa=3, library="float8_e4m3fn",
        scaled=True, note="no infinity: its bits hold 256 to 448",
    ),
    NumberFormat(
        name="fp8-e5m2", title="FP8 E5M2", kind="float", bits=8, exponent=5, mantissa=2, library="float8_e5m2",
        scaled=True,
    ),
    NumberFormat(
        name="fp6-e2m3", title="FP6 E2M3", kind="float", bits=6, exponent=2, mantissa=3, library="float6_e2m3fn",
        scaled=True,
    ),
    NumberFormat(
        name="fp6-e3m2", title="FP6 E3M2", kind="float", bits=6, exponent=3, mantissa=2, library="float6_e3m2fn",
        scaled=True,
    ),
    NumberFormat(
        name="fp4-e2m1", title="FP4 E2M1", kind="float", bits=4, exponent=2, mantissa=1, library="float4_e2m1fn",
        scaled=True,
    ),
    NumberFormat(
        name="mxfp8", title="MXFP8", kind="float", bits=8, exponent=4, mantissa=3, library="float8_e4m3fn", scaled=True,
        block=32, scale_bits=8, note="E4M3; 32 neighbours share a power of two",
    ),
    NumberFormat(
        name="mxfp6", title="MXFP6", kind="float", bits=6, exponent=2, mantissa=3, library="float6_e2m3fn", scaled=True,
        block=32, scale_bits=8, note="E2M3; 32 neighbours share a power of two",
    ),
    NumberFormat(
        name="mxfp4", title="MXFP4", kind="float", bits=4, exponent=2, mantissa=1, library="float4_e2m1fn", scaled=True,
        block=32, scale_bits=8, note="E2M1; 32 neighbours share a power of two",
    ),
    NumberFormat(
        name="nvfp4", title="NVFP4", kind="float", bits=4, exponent=2, mantissa=1, library="float4_e2m1fn", scaled=True,
        block=16, scale_bits=8, note="E2M1; 16 neighbours share an FP8 scale, the tensor one in FP32",
    ),
    NumberFormat(
        name="e8m0", title="E8M0", kind="float", bits=8, exponent=8, mantissa=0, library="float8_e8m0fnu",
        note="the scale of MX formats: powers of two, no sign",
    ),
    NumberFormat(name="int8", title="INT8", kind="int", bits=8, scaled=True),
    NumberFormat(name="int4", title="INT4", kind="int", bits=4, scaled=True),
    NumberFormat(name="nf4", title="NF4", kind="table", bits=4, scaled=True, note="always scaled: values from -1 to 1"),
)  # fmt: skip
"""Every format, from the widest to the narrowest of its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a value becomes: its `code` in bits, what is `read` back, and by how much that is off.

    `scale` is what the value was divided by before it was stored and multiplied with after (1 without scaling).
    """

    format: NumberFormat
    given: float
    scale: float
    code: str
    read: float
    clipped: bool = False

    @property
    def error(self) -> float:
        """Read back less given."""
        return self.read - self.given

    @property
    def relative(self) -> float | None:
        """The error as a share of the value; None for zero."""
        return self.error / self.given if self.given else None


def number_format(name: str) -> NumberFormat:
    """The format of that name ("bf16", "FP8 E4M3").

    Raises:
        UnknownName: no such format.
    """
    wanted = name.strip().lower().replace("_", "-").replace(" ", "-")
    wanted = {"fp8": "fp8-e4m3", "fp4": "fp4-e2m1", "float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}.get(
        wanted, wanted
    )
    for one in FORMATS:
        if wanted == one.name or wanted == one.name.removeprefix("fp8-").removeprefix("fp6-").removeprefix("fp4-"):
            return one
    raise UnknownName("number format", name, [one.name for one in FORMATS], listing="isoflop dtype")


def store(value: float, form: NumberFormat | str, *, absmax: float | None = None) -> Stored:
    """`value` as `form` stores it, alone (scale 1) or in a tensor whose largest magnitude is `absmax`.

    With `absmax` the scale is absmax / the largest value of the format, which is then reached exactly; for MX formats a
    power of two near it. Rounding is to
    nearest, ties to even; what lies outside the range becomes its end, as quantizers do (IEEE formats alone would say
    infinity).

    >>> store(3.14159265, "int8").read, round(store(3.14159265, "int8", absmax=4).read, 4)
    (3.0, 3.1496)

    Raises:
        BadInput: value or absmax is not finite, or absmax is below the value.
        MissingData: the format's library, ml_dtypes, is not there.
    """
    form = number_format(form) if isinstance(form, str) else form
    if not math.isfinite(value):
        raise BadInput(f"{value} has no place between numbers; give a finite one.")
    if absmax is not None and not (math.isfinite(absmax) and absmax >= abs(value) and absmax > 0):
        raise BadInput(f"absmax {absmax:g} must be finite, above zero and at least |{value:g}|.")
    scale = 1.0 if absmax is None else _scale(absmax, form)
    inside = value / scale
    clipped = inside > form.largest or inside < form.lowest
    code, read = _encode(min(max(inside, form.lowest), form.largest), form)
    return Stored(format=form, given=value, scale=scale, code=code, read=read * scale, clipped=clipped)


def _scale(absmax: float, form: NumberFormat) -> float:
    """What values are divided by, so that the largest of their tensor or block is the format's largest.

    MX formats round it to a power of two, up where the largest would otherwise round beyond the format's range.
    NVFP4's FP8 scale is exact here: the tensor's own scale makes it 448.
    """
    scale = max(absmax / form.largest, math.ulp(0.0))
    if not form.name.startswith("mx"):
        return scale
    step = 2.0 ** (math.floor(math.log2(form.largest)) - form.mantissa)
    reach = form.largest + step / 2
    power = math.floor(math.log2(absmax)) - math.floor(math.log2(form.largest))
    return 2.0 ** max(-126, power + (absmax >= reach * 2.0**power))


def _encode(value: float, form: NumberFormat) -> tuple[str, float]:
    """(bits, value read back) of a value inside the range."""
    if form.kind == "int":
        whole = int(np.rint(value))
        return format(whole % 2**form.bits, f"0{form.bits}b"), float(whole)
    if form.kind == "table":
        index = int(np.argmin(np.abs(np.asarray(NF4) - value)))
        return format(index, f"0{form.bits}b"), NF4[index]
    if form.name == "tf32":
        code = _tf32(value)
        return _spaced(format(code >> 13, "019b"), form), float(np.uint32(code).view(np.float32))
    stored = np.asarray(value, dtype=np.float64).astype(_dtype(form))
    bits = int.from_bytes(stored.tobytes(), "little") & (2**form.bits - 1)
    return _spaced(format(bits, f"0{form.bits}b"), form), float(stored.astype(np.float64))


def _tf32(value: float) -> int:
    """FP32 bits with the mantissa rounded to ten bits, nearest even."""
    bits = int(np.asarray(value, dtype=np.float32).view(np.uint32))
    return (bits + 0xFFF + (bits >> 13 & 1)) & 0xFFFFE000


def _spaced(bits: str, form: NumberFormat) -> str:
    """Bits with a gap between sign, exponent and mantissa."""
    sign = form.bits - form.exponent - form.mantissa
    parts = (bits[:sign], bits[sign : sign + form.exponent], bits[sign + form.exponent :])
    return " ".join(part for part in parts if part)


@cache
def _dtype(form: NumberFormat) -> np.dtype[np.generic]:
    """The array type that encodes a format."""
    return np.dtype(form.library) if hasattr(np, form.library) else np.dtype(getattr(_small(form), form.library))


def _small(form: NumberFormat) -> ModuleType:
    """The library of small floating-point formats.

    Raises:
        MissingData: it is not installed.
    """
    try:
        import ml_dtypes
    except ImportError as error:
        install = "pip install 'isoflop[quant]'"
        raise MissingData(f"{form.title} is encoded by the library ml_dtypes; install it with: {install}") from error
    found: ModuleType = ml_dtypes
    return found


class Limits(NamedTuple):
    """The ends of a floating-point format."""

    lowest: float
    largest: float
    normal: float
    smallest: float


@cache
def _limits(form: NumberFormat) -> Limits:
    """What the format's library says; of TF32, which none has: FP32's exponent, ten bits of mantissa."""
    if form.name == "tf32":
        largest = (2 - 2.0**-10) * 2.0**127
        return Limits(-largest, largest, 2.0**-126, 2.0**-136)
    info = np.finfo(form.library) if hasattr(np, form.library) else _small(form).finfo(_dtype(form))
    return Limits(float(info.min), float(info.max), float(info.smallest_normal), float(info.smallest_subnormal))


def values_of(form: NumberFormat) -> FloatArray:
    """Every finite value of a format of at most 8 bits, ascending."""
    if form.kind == "int":
        return np.arange(form.lowest, form.largest + 1)
    if form.kind == "table":
        return np.asarray(NF4)
    if form.bits > 8:
        raise BadInput(f"{form.title} has 2^{form.bits} values; formats of at most 8 bits are listed.")
    codes = np.arange(2**form.bits, dtype=np.uint8).view(_dtype(form)).astype(np.float64)
    return np.unique(codes[np.isfinite(codes)])
