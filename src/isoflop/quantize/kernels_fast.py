"""The kernels compiled: one pass over the numbers of a chunk that lies in the cache. Needs numba (extra `fast`).

Rounding adds and takes away 1.5 * 2^23, after which the low bits of a float32 are the nearest whole number, ties to
even: the compiler turns that into vector instructions, which it does not do with a call. Sums of errors alone are
reordered; the codes are those of `kernels`, bit by bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from isoflop.quantize import kernels as plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isoflop.quantize.kernels import Bytes, Floats

_ROUND = np.float32(12582912.0)
_ONE_512TH = np.float32(1 / 512)
_SUMS = {"reassoc", "contract", "nsz"}

ranges = plain.ranges


def widen_bf16(raw: NDArray[np.uint16], out: Floats) -> None:
    """As in `kernels`."""
    _widen(raw.reshape(-1), out.view(np.uint32).reshape(-1))


def magnitudes(x: Floats, groups: int) -> Floats:
    """As in `kernels`."""
    found = np.empty((x.shape[0], groups), np.uint32)
    _magnitudes(x.view(np.uint32), found)
    return found.view(np.float32)


def to_int(x: Floats, scale: Floats, zero: Floats, low: float, high: float) -> tuple[NDArray[np.int8], Floats]:
    """As in `kernels`."""
    codes, back = np.empty(x.shape, np.int8), np.empty(x.shape, np.float32)
    _to_int(x, scale, zero, np.float32(low), np.float32(high), codes, back)
    return codes, back


def to_e4m3(x: Floats, scale: Floats) -> tuple[Bytes, Floats]:
    """As in `kernels`."""
    codes, back = np.empty(x.shape, np.uint8), np.empty(x.shape, np.float32)
    inside, magic = np.empty((2, x.shape[1] // scale.shape[1]), np.float32)
    _to_e4m3(x, scale, codes, back, inside, magic)
    return codes, back


def to_e2m1(x: Floats, scale: Floats) -> tuple[Bytes, Floats]:
    """As in `kernels`."""
    codes, back = np.empty(x.shape, np.uint8), np.empty(x.shape, np.float32)
    inside = np.empty(x.shape[1] // scale.shape[1], np.float32)
    _to_e2m1(x, scale, codes, back, inside, inside.view(np.uint32))
    return codes, back


def pack_nibbles(codes: Bytes) -> Bytes:
    """As in `kernels`."""
    if codes.shape[1] % 2:
        return plain.pack_nibbles(codes)
    packed = np.empty((codes.shape[0], codes.shape[1] // 2), np.uint8)
    _pack_nibbles(codes.reshape(-1), packed.reshape(-1))
    return packed


def errors(x: Floats, back: Floats) -> tuple[float, float, float]:
    """As in `kernels`."""
    found, off = np.zeros(2), np.empty(256, np.float32)
    largest = np.array(_errors(x, back, off, off.view(np.uint32), found), dtype=np.uint32)
    return float(found[0]), float(found[1]), float(largest.view(np.float32))


def squared_errors(x: Floats, back: Floats, groups: int) -> NDArray[np.float64]:
    """As in `kernels`."""
    found = np.zeros((x.shape[0], groups))
    _squared_errors(x, back, found)
    return found


@njit(cache=True, nogil=True)
def _widen(raw, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(raw.shape[0]):
        out[i] = np.uint32(raw[i]) << np.uint32(16)


@njit(cache=True, nogil=True)
def _magnitudes(bits, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Bits of non-negative floats are ordered as the floats are, so whole numbers are compared."""
    size = bits.shape[1] // out.shape[1]
    for i in range(out.shape[0]):
        for g in range(out.shape[1]):
            most = np.uint32(0)
            row = bits[i, g * size : (g + 1) * size]
            for j in range(size):
                most = max(most, row[j] & np.uint32(0x7FFFFFFF))
            out[i, g] = most


@njit(cache=True, nogil=True)
def _to_int(x, scale, zero, low, high, codes, back):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0913, PLR0917
    size = x.shape[1] // scale.shape[1]
    for i in range(x.shape[0]):
        for g in range(scale.shape[1]):
            s, z = scale[i, g], zero[i, g]
            row, out, read = (
                x[i, g * size : (g + 1) * size],
                codes[i, g * size : (g + 1) * size],
                back[i, g * size : (g + 1) * size],
            )
            for j in range(size):
                whole = (min(max(row[j] / s + z, low), high) + _ROUND) - _ROUND
                out[j] = np.int8(whole)
                read[j] = (whole - z) * s


@njit(cache=True, nogil=True)
def _to_e4m3(x, scale, codes, back, inside, magic):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Each loop writes one array and reads others, so that it becomes vector instructions.

    `magic` is 1.5 * 2^23 times the step at each number: 2^-3 of its power of two, and 2^-9 below 2^-6.
    """
    size = x.shape[1] // scale.shape[1]
    inside_bits, magic_bits = inside.view(np.uint32), magic.view(np.uint32)
    for i in range(x.shape[0]):
        for g in range(scale.shape[1]):
            s = scale[i, g]
            row, out = x[i, g * size : (g + 1) * size], codes[i, g * size : (g + 1) * size]
            read = back[i, g * size : (g + 1) * size]
            for j in range(size):
                inside[j] = min(max(row[j] / s, np.float32(-448)), np.float32(448))
            for j in range(size):
                exponent = max(inside_bits[j] & np.uint32(0x7F800000), np.uint32(0x3C800000))
                magic_bits[j] = exponent + np.uint32(0x0A400000)
            for j in range(size):
                magic[j] = (inside[j] + magic[j]) - magic[j]
            for j in range(size):
                bits = magic_bits[j] & np.uint32(0x7FFFFFFF)
                low = np.uint32(np.int32(abs(magic[j]) * np.float32(512)))
                code = (bits >> np.uint32(20)) - np.uint32(960) if bits >= np.uint32(0x3C800000) else low
                out[j] = np.uint8(code | ((inside_bits[j] >> np.uint32(24)) & np.uint32(0x80)))
            for j in range(size):
                read[j] = magic[j] * s


@njit(cache=True, nogil=True)
def _to_e2m1(x, scale, codes, back, inside, bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Steps are 1/2 below 2, 1 below 4, 2 above: `times` makes them 1, and `first` is the code that they count from."""
    size = x.shape[1] // scale.shape[1]
    for i in range(x.shape[0]):
        for g in range(scale.shape[1]):
            s = scale[i, g]
            row, out = x[i, g * size : (g + 1) * size], codes[i, g * size : (g + 1) * size]
            read = back[i, g * size : (g + 1) * size]
            for j in range(size):
                inside[j] = min(max(row[j] / s, np.float32(-6)), np.float32(6))
            for j in range(size):
                a = abs(inside[j])
                times = np.float32(2) if a < np.float32(2) else np.float32(1) if a < np.float32(4) else np.float32(0.5)
                step = np.float32(0.5) if a < np.float32(2) else np.float32(1) if a < np.float32(4) else np.float32(2)
                first = np.float32(0) if a < np.float32(2) else np.float32(2) if a < np.float32(4) else np.float32(4)
                whole = (a * times + _ROUND) - _ROUND
                out[j] = np.uint8(np.int32(whole + first)) | np.uint8((bits[j] >> np.uint32(28)) & np.uint32(8))
                read[j] = np.copysign(whole * step, inside[j]) * s


@njit(cache=True, nogil=True)
def _pack_nibbles(codes, packed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(packed.shape[0]):
        packed[i] = codes[2 * i] | (codes[2 * i + 1] << np.uint8(4))


@njit(cache=True, nogil=True, fastmath=_SUMS)
def _errors(x, back, off, off_bits, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    largest = np.uint32(0)
    for i in range(x.shape[0]):
        squares, wrong = np.float64(0), np.float64(0)
        for start in range(0, x.shape[1], off.shape[0]):
            row, read = x[i, start : start + off.shape[0]], back[i, start : start + off.shape[0]]
            a, b = np.float32(0), np.float32(0)
            for j in range(row.shape[0]):
                off[j] = row[j] - read[j]
            for j in range(row.shape[0]):
                a += row[j] * row[j]
                b += off[j] * off[j]
            for j in range(row.shape[0]):
                largest = max(largest, off_bits[j] & np.uint32(0x7FFFFFFF))
            squares += a
            wrong += b
        found[0] += squares
        found[1] += wrong
    return largest


@njit(cache=True, nogil=True)
def _squared_errors(x, back, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    size = x.shape[1] // found.shape[1]
    for i in range(x.shape[0]):
        for g in range(found.shape[1]):
            a = 0.0
            for j in range(g * size, (g + 1) * size):
                off = np.float64(x[i, j] - back[i, j])
                a += off * off
            found[i, g] = a
