"""What is done to every number, in NumPy: largest magnitudes, candidates for the scale, rounding, packing, the error.

`kernels_fast` has the same functions compiled; both give the same bytes. `x` is float32 (rows, columns), and scales are
float32 (rows, groups): a group is `columns / groups` neighbours in a row that share a scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Bytes = NDArray[np.uint8]

EXPONENT_OF_INFINITY = np.uint32(0x7F800000)
_MAGNITUDE = np.uint32(0x7FFFFFFF)
_E4M3_LARGEST = np.float32(448)
_E2M1_LARGEST = np.float32(6)


def widen_bf16(raw: NDArray[np.uint16], out: Floats) -> None:
    """BF16 bits as float32."""
    np.left_shift(raw.astype(np.uint32), np.uint32(16), out=out.view(np.uint32))


def magnitudes(x: Floats, groups: int) -> Floats:
    """Largest |x| of every group (rows, groups); a NaN counts as larger than infinity."""
    bits = x.view(np.uint32) & _MAGNITUDE
    most: Floats = bits.reshape(x.shape[0], groups, -1).max(axis=2).view(np.float32)
    return most


def ranges(x: Floats, groups: int) -> tuple[Floats, Floats]:
    """Smallest and largest of every group, zero counted among its numbers."""
    grouped = x.reshape(x.shape[0], groups, -1)
    return np.minimum(grouped.min(axis=2), np.float32(0)), np.maximum(grouped.max(axis=2), np.float32(0))


def to_int(x: Floats, scale: Floats, zero: Floats, low: float, high: float) -> tuple[NDArray[np.int8], Floats]:
    """(codes, what they read back as): nearest whole number of x / scale + zero, ties to even, clipped."""
    grouped = x.reshape(*scale.shape, -1)
    whole = grouped / scale[..., None] + zero[..., None]
    np.clip(whole, np.float32(low), np.float32(high), out=whole)
    np.rint(whole, out=whole)
    codes = whole.astype(np.int8).reshape(x.shape)
    whole -= zero[..., None]
    whole *= scale[..., None]
    return codes, whole.reshape(x.shape)


def to_e4m3(x: Floats, scale: Floats) -> tuple[Bytes, Floats]:
    """(codes, what they read back as) in FP8 E4M3, clipped to ±448."""
    import ml_dtypes

    inside = x.reshape(*scale.shape, -1) / scale[..., None]
    np.clip(inside, -_E4M3_LARGEST, _E4M3_LARGEST, out=inside)
    stored = inside.astype(ml_dtypes.float8_e4m3fn)
    back = stored.astype(np.float32) * scale[..., None]
    return stored.view(np.uint8).reshape(x.shape), back.reshape(x.shape)


def to_e2m1(x: Floats, scale: Floats) -> tuple[Bytes, Floats]:
    """(codes 0 to 15, what they read back as) in FP4 E2M1, clipped to ±6."""
    import ml_dtypes

    inside = x.reshape(*scale.shape, -1) / scale[..., None]
    np.clip(inside, -_E2M1_LARGEST, _E2M1_LARGEST, out=inside)
    stored = inside.astype(ml_dtypes.float4_e2m1fn)
    back = stored.astype(np.float32) * scale[..., None]
    return (stored.view(np.uint8) & np.uint8(15)).reshape(x.shape), back.reshape(x.shape)


def e2m1_values() -> Floats:
    """The value of each code of FP4 E2M1."""
    half = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], dtype=np.float32)
    return np.concatenate([half, -half])


def pack_nibbles(codes: Bytes) -> Bytes:
    """Two codes a byte, the first in the low half; an odd row ends with a zero."""
    if codes.shape[1] % 2:
        codes = np.pad(codes, ((0, 0), (0, 1)))
    return codes[:, 0::2] | (codes[:, 1::2] << np.uint8(4))


def errors(x: Floats, back: Floats) -> tuple[float, float, float]:
    """(sum of squares, sum of squared errors, largest error) of x and what it reads back as."""
    wide = x.astype(np.float64).reshape(-1)
    off = wide - back.reshape(-1)
    return float(wide @ wide), float(off @ off), float(np.abs(off).max(initial=0))


def squared_errors(x: Floats, back: Floats, groups: int) -> NDArray[np.float64]:
    """Sum of squared errors of every group (rows, groups)."""
    off = (x - back).reshape(x.shape[0], groups, -1).astype(np.float64)
    found: NDArray[np.float64] = np.einsum("rgc,rgc->rg", off, off)
    return found
