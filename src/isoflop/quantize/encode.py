"""A chunk of rows of one tensor to codes and scales: the scale is chosen, rounded as it is stored, and then used.

Codes are made with the scale that a reader will see, not with the one before rounding.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput
from isoflop.quantize import kernels as plain
from isoflop.quantize.scheme import BLOCK

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from isoflop.quantize.kernels import Bytes, Floats
    from isoflop.quantize.scheme import Choice, Scheme

GRID = tuple(1 - 0.025 * step for step in range(17))
"""Shares of the largest magnitude that `mse` tries as the largest representable one: 1 down to 0.6."""

HUGE = np.float32(2.0**59)
"""Squares of weights from here on do not add up in float32; no trained weight comes near."""

_NEAR = 1 + 1e-9
_BF16_LARGEST = np.float32((2 - 2.0**-7) * 2.0**127)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How a scale is chosen.

    From the largest magnitude (`absmax`), by the least squared error over `GRID` (`mse`), or from the magnitude that
    `percentile` of the weights stay below. `stored` is the format that scales are kept in ("bf16", "fp16", "fp32").
    """

    choice: Choice = "absmax"
    percentile: float = 99.9
    stored: str = "bf16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Codes of some rows, with what they read back as.

    `codes` are int8 or uint8 (rows, columns); `scale` float32 (rows, groups), as it is stored (for NVFP4 without the
    tensor's scale); `zero` float32 likewise, for affine schemes.
    """

    codes: NDArray[np.int8] | Bytes
    scale: Floats
    zero: Floats | None
    back: Floats


@cache
def kernels(*, fast: bool = True) -> ModuleType:
    """The compiled kernels where numba is there, else NumPy's: the same bytes."""
    if fast and importlib.util.find_spec("numba") is not None:
        from isoflop.quantize import kernels_fast

        return kernels_fast
    return plain


def groups_of(scheme: Scheme, columns: int) -> int:
    """Scales that a row has."""
    if scheme.granularity == "group":
        return columns // scheme.group
    return -(-columns // BLOCK) if scheme.granularity == "block" else 1


def encode(x: Floats, scheme: Scheme, scaling: Scaling, tensor_magnitude: float, use: ModuleType) -> Encoded:
    """Rows of a weight as `scheme` stores them.

    `tensor_magnitude` is the largest |w| of the whole tensor, which schemes with a scale for the tensor need.

    Raises:
        BadInput: a row holds NaN, infinity or a number beyond `HUGE`.
    """
    columns = x.shape[1]
    x = _padded(x, scheme)
    groups = groups_of(scheme, x.shape[1])
    magnitude = use.magnitudes(x, groups)
    if not (magnitude < HUGE).all():
        raise BadInput("holds NaN or infinity" if not np.isfinite(magnitude).all() else f"holds {magnitude.max():.3g}")
    if not scheme.symmetric:
        return _affine(x, scheme, scaling, groups, use)
    magnitude = _shared(magnitude, x, scheme, scaling, tensor_magnitude)
    scale = _rounded(magnitude / np.float32(scheme.reach), scheme, scaling, tensor_magnitude)
    if scaling.choice == "mse":
        scale = _least_error(x, magnitude, scheme, scaling, tensor_magnitude, use)
    codes: NDArray[np.int8] | Bytes
    codes, back = _coded(x, _effective(scale, scheme, tensor_magnitude), scheme, use)
    if x.shape[1] != columns:
        back = np.ascontiguousarray(back[:, :columns])
        codes = codes[:, :columns].copy()
        return Encoded(codes=codes, scale=scale, zero=None, back=back)
    return Encoded(codes=codes, scale=scale, zero=None, back=back)


def _padded(x: Floats, scheme: Scheme) -> Floats:
    """Columns filled up with zeros to whole blocks."""
    missing = -x.shape[1] % BLOCK if scheme.granularity == "block" else 0
    return np.pad(x, ((0, 0), (0, missing))) if missing else x


def _shared(magnitude: Floats, x: Floats, scheme: Scheme, scaling: Scaling, tensor_magnitude: float) -> Floats:
    """The magnitude that decides each group's scale, where it is not the group's largest."""
    if scheme.granularity == "tensor":
        return np.full_like(magnitude, tensor_magnitude)
    if scheme.granularity == "block":
        for start in range(0, magnitude.shape[0], BLOCK):
            magnitude[start : start + BLOCK] = magnitude[start : start + BLOCK].max(axis=0)
        return magnitude
    if scaling.choice == "percentile":
        grouped = np.abs(x).reshape(*magnitude.shape, -1)
        found: Floats = np.percentile(grouped, scaling.percentile, axis=2).astype(np.float32)
        return np.where(found > 0, found, magnitude)
    return magnitude


def global_scale(tensor_magnitude: float) -> np.float32:
    """NVFP4's scale for the tensor, by which block scales are multiplied to fill the range of FP8."""
    if tensor_magnitude <= 0:
        return np.float32(1)
    found = np.float32(448 * 6 / tensor_magnitude)
    return found if np.isfinite(found) else np.float32(1)


def _rounded(scale: Floats, scheme: Scheme, scaling: Scaling, tensor_magnitude: float) -> Floats:
    """Scales as they are stored: one where a group holds only zeros, the format's smallest where it rounds to zero."""
    if scheme.scale == "e8m0":
        return power_of_two(scale * np.float32(scheme.reach), scheme)
    if scheme.scale == "e4m3":
        import ml_dtypes

        wide = np.minimum(scale * global_scale(tensor_magnitude), np.float32(448))
        stored = wide.astype(ml_dtypes.float8_e4m3fn).astype(np.float32)
        return np.where(stored > 0, stored, np.float32(2.0**-9))
    return _above_zero(scale, scaling)


def _above_zero(scale: Floats, scaling: Scaling) -> Floats:
    stored = as_stored(scale, scaling.stored)
    least = np.float32(2.0**-24 if scaling.stored == "fp16" else 2.0**-126)
    return np.where(stored > 0, np.maximum(stored, least), np.where(scale > 0, least, np.float32(1)))


def as_stored(values: Floats, stored: str) -> Floats:
    """Finite float32 values after a round trip through "bf16", "fp16" or "fp32"; beyond the range, its end."""
    if stored == "fp32":
        return values
    if stored == "fp16":
        inside = np.clip(values, -np.float32(65504), np.float32(65504))
        return inside.astype(np.float16).astype(np.float32)
    inside = np.clip(values, -_BF16_LARGEST, _BF16_LARGEST)
    bits = np.ascontiguousarray(inside).view(np.uint32)
    kept = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return kept.view(np.float32)


def power_of_two(magnitude: Floats, scheme: Scheme) -> Floats:
    """The smallest power of two under which the largest magnitude does not round beyond the format's largest value."""
    top = np.frexp(np.float32(scheme.high))[1] - 1
    half_step = {"e2m1": 1.0, "e4m3": 16.0}[scheme.element]
    mantissa, exponent = np.frexp(magnitude)
    beyond = np.ldexp(mantissa, top + 1) >= np.float32(scheme.high + half_step)
    power = np.clip(exponent - 1 - top + beyond, -126, 127)
    return np.where(magnitude > 0, np.ldexp(np.float32(1), power), np.float32(1))


def _effective(scale: Floats, scheme: Scheme, tensor_magnitude: float) -> Floats:
    """What a code is multiplied by."""
    return scale / global_scale(tensor_magnitude) if scheme.scale == "e4m3" else scale


def _coded(x: Floats, scale: Floats, scheme: Scheme, use: ModuleType) -> tuple[NDArray[np.int8] | Bytes, Floats]:
    coded: tuple[NDArray[np.int8] | Bytes, Floats]
    if scheme.element == "int":
        coded = use.to_int(x, scale, np.zeros_like(scale), scheme.low, scheme.high)
    else:
        coded = use.to_e4m3(x, scale) if scheme.element == "e4m3" else use.to_e2m1(x, scale)
    return coded


def _least_error(
    x: Floats, magnitude: Floats, scheme: Scheme, scaling: Scaling, tensor_magnitude: float, use: ModuleType
) -> Floats:
    """The stored scale with the least squared error in each group; of equals the first, so that both kernels agree."""
    least = np.full(magnitude.shape, np.inf)
    chosen = np.zeros_like(magnitude)
    for share in _shares(scheme):
        scale = _rounded(magnitude * np.float32(share) / np.float32(scheme.reach), scheme, scaling, tensor_magnitude)
        _, back = _coded(x, _effective(scale, scheme, tensor_magnitude), scheme, use)
        found = use.squared_errors(x, back, magnitude.shape[1])
        if scheme.granularity == "block":
            for start in range(0, found.shape[0], BLOCK):
                found[start : start + BLOCK] = found[start : start + BLOCK].sum(axis=0)
        better = found * _NEAR < least
        least, chosen = np.where(better, found, least), np.where(better, scale, chosen)
    return chosen


def _shares(scheme: Scheme) -> tuple[float, ...]:
    """Powers of two move by whole powers; other scales by the grid."""
    return (1.0, 0.5, 2.0) if scheme.scale == "e8m0" else GRID


def _affine(x: Floats, scheme: Scheme, scaling: Scaling, groups: int, use: ModuleType) -> Encoded:
    """Codes with a zero point, so that a group's range need not be centred at zero."""
    low, high = use.ranges(x, groups)
    best = _affine_scale(low, high, scheme, scaling, 1.0)
    if scaling.choice == "mse":
        least = np.full(low.shape, np.inf)
        for share in GRID:
            tried = _affine_scale(low, high, scheme, scaling, share)
            back = use.to_int(x, *tried, scheme.low, scheme.high)[1]
            found = use.squared_errors(x, back, groups)
            better = found * _NEAR < least
            least = np.where(better, found, least)
            best = (np.where(better, tried[0], best[0]), np.where(better, tried[1], best[1]))
    codes, back = use.to_int(x, *best, scheme.low, scheme.high)
    return Encoded(codes=codes, scale=best[0], zero=best[1], back=back)


def _affine_scale(low: Floats, high: Floats, scheme: Scheme, scaling: Scaling, share: float) -> tuple[Floats, Floats]:
    """(scale, zero point), both as they are stored."""
    scale = _above_zero((high - low) * np.float32(share) / np.float32(scheme.high - scheme.low), scaling)
    zero = np.rint(np.clip(np.float32(scheme.low) - low * np.float32(share) / scale, scheme.low, scheme.high))
    return scale, zero.astype(np.float32)
