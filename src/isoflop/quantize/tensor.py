"""One tensor from the source file into the new one, a chunk of rows at a time, on several threads."""

from __future__ import annotations

import os
from concurrent.futures import wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from isoflop.errors import BadFile, BadInput, shorten
from isoflop.quantize import kernels as plain
from isoflop.quantize.encode import GRID, HUGE, Encoded, as_stored, encode, global_scale
from isoflop.quantize.layout import PLAIN_DTYPES, Out, outputs
from isoflop.quantize.pack import pack_words
from isoflop.quantize.scheme import BLOCK
from isoflop.quantize.source import SIZES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor
    from types import ModuleType

    from numpy.typing import NDArray

    from isoflop.quantize.encode import Scaling
    from isoflop.quantize.kernels import Floats
    from isoflop.quantize.scheme import Scheme
    from isoflop.quantize.shard_file import ShardFile
    from isoflop.quantize.source import Placed

CHUNK = 1 << 20
"""Numbers in a chunk, about: 4 MB as float32, which caches hold."""

_COPY = 1 << 24
_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


class Sums(NamedTuple):
    """What a chunk adds to the report: squares, squared errors, the largest error, the largest magnitude."""

    squares: float = 0.0
    wrong: float = 0.0
    largest: float = 0.0
    magnitude: float = 0.0
    constant: float | None = None
    """The one value that all numbers have; None where they differ."""

    def plus(self, other: Sums) -> Sums:
        """Both chunks together."""
        return Sums(
            self.squares + other.squares,
            self.wrong + other.wrong,
            max(self.largest, other.largest),
            max(self.magnitude, other.magnitude),
            self.constant if self.constant == other.constant else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How tensors are treated: the scheme, how scales are chosen, kernels, threads."""

    scheme: Scheme
    scaling: Scaling
    use: ModuleType
    pool: Executor


def read_rows(file: int, tensor: Placed, first: int, rows: int, use: ModuleType) -> Floats:
    """Rows of a floating-point matrix as float32.

    Raises:
        BadFile: the file ends early; it has changed while it was read.
    """
    columns = tensor.shape[-1] if tensor.shape else 1
    size = SIZES[tensor.dtype]
    wanted = rows * columns * size
    raw = read_raw(file, tensor, first * columns * size, wanted)
    kind = {"BF16": np.uint16, "F16": np.float16, "F32": np.float32, "F64": np.float64}[tensor.dtype]
    values = np.frombuffer(raw, dtype=kind).reshape(rows, columns)
    if tensor.dtype == "BF16":
        out = np.empty(values.shape, np.float32)
        use.widen_bf16(values, out)
        return out
    return values.astype(np.float32, copy=False)


def read_raw(file: int, tensor: Placed, offset: int, size: int) -> bytearray:
    """`size` bytes of a tensor, from `offset` bytes behind its begin.

    Raises:
        BadFile: the file ends early; it has changed while it was read.
    """
    raw = bytearray(size)
    view, at = memoryview(raw), tensor.begin + offset
    while view:
        found = os.preadv(file, [view], at)
        if not found:
            raise BadFile(
                f"tensor '{shorten(tensor.name)}' ends before its {tensor.bytes:,} bytes; the file was cut off."
            )
        view, at = view[found:], at + found
    return raw


def chunks(rows: int, columns: int) -> list[tuple[int, int]]:
    """(first row, rows) of each chunk: whole blocks of rows."""
    step = max(BLOCK, CHUNK // max(columns, 1) // BLOCK * BLOCK)
    return [(first, min(step, rows - first)) for first in range(0, rows, step)]


def magnitude_of(file: int, tensor: Placed, work: Work) -> float:
    """The largest |w| of a matrix."""

    def one(chunk: tuple[int, int]) -> float:
        return float(work.use.magnitudes(read_rows(file, tensor, *chunk, work.use), 1).max(initial=0))

    return max(each(work.pool, one, chunks(*tensor.shape)), default=0.0)


def least_error(file: int, tensor: Placed, work: Work, magnitude: float) -> float:
    """The magnitude, of a grid up to the largest, whose one scale for the whole tensor has the least squared error."""
    shares = np.asarray(GRID)
    by_magnitude = replace(work.scaling, choice="absmax")

    def one(chunk: tuple[int, int]) -> list[float]:
        x = read_rows(file, tensor, *chunk, work.use)
        return [
            work.use.errors(x, encode(x, work.scheme, by_magnitude, magnitude * share, work.use).back)[1]
            for share in shares
        ]

    found = each(work.pool, one, chunks(*tensor.shape))
    return magnitude * float(shares[np.argmin(np.sum(found, axis=0))])


def processors() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(pool: Executor, do: Callable[[_Part], _Result], parts: Iterable[_Part]) -> list[_Result]:
    """`do` of every part, on the pool's threads. Where one fails, none still runs when the error is raised.

    Files may be closed after an error: a thread that still wrote would write to a number that another file has now.
    """
    waiting = [pool.submit(do, part) for part in parts]
    try:
        return [one.result() for one in waiting]
    except BaseException:
        for one in waiting:
            one.cancel()
        wait(waiting)
        raise


def quantize_tensor(file: int, tensor: Placed, into: ShardFile, work: Work, magnitude: float) -> Sums:
    """Write codes and scales of one weight; `magnitude` is that of the tensor, where the scheme needs it.

    Raises:
        BadInput: the weight holds NaN or infinity.
    """
    codes_out, scale_out, *_ = outputs(tensor, work.scheme)
    row_bytes = codes_out.bytes // tensor.shape[0]

    def one(chunk: tuple[int, int]) -> tuple[Sums, Floats, Floats | None]:
        x = read_rows(file, tensor, *chunk, work.use)
        found = encode(x, work.scheme, scaling, magnitude, work.use)
        into.write(codes_out.name, chunk[0] * row_bytes, pack(found, work.scheme, work.use))
        squares, wrong, largest = work.use.errors(x, found.back)
        most = float(work.use.magnitudes(x, 1).max(initial=0))
        return Sums(squares, wrong, largest, most, constant(x)), found.scale, found.zero

    scaling = work.scaling
    try:
        if work.scheme.granularity == "tensor" and scaling.choice == "mse":
            magnitude, scaling = least_error(file, tensor, work, magnitude), replace(scaling, choice="absmax")
        done = each(work.pool, one, chunks(*tensor.shape))
    except BadInput as error:
        raise BadInput(
            f"tensor '{shorten(tensor.name)}' {error}: no scale fits such a weight. Mend the checkpoint, or keep the "
            f"layer as it is: --keep '{tensor.name.removesuffix('.weight')}'"
        ) from error
    scales = np.concatenate([scale for _, scale, _ in done])
    into.write(scale_out.name, 0, stored_scales(scales, scale_out, work.scheme))
    _write_rest(tensor, into, work, [zero for _, _, zero in done], magnitude)
    total = done[0][0]
    for sums, _, _ in done[1:]:
        total = total.plus(sums)
    return total


def constant(x: Floats) -> float | None:
    """The one value that all numbers have; None where they differ."""
    first = x.flat[0]
    return float(first) if x[0, -1] == first and bool((x == first).all()) else None


def pack(found: Encoded, scheme: Scheme, use: ModuleType) -> NDArray[np.generic]:
    """Codes as they lie in the file."""
    if scheme.layout == "pack-quantized":
        return pack_words(found.codes, scheme.bits, use)
    return use.pack_nibbles(found.codes) if scheme.element == "e2m1" else found.codes


def stored_scales(scales: Floats, out: Out, scheme: Scheme) -> NDArray[np.generic]:
    """Scales in the number format of the file."""
    if scheme.granularity == "tensor":
        scales = scales[:1]
    elif scheme.granularity == "block":
        scales = scales[::BLOCK]
    if out.dtype == "U8":
        return (np.frexp(scales)[1] + 126).astype(np.uint8)
    if out.dtype == "F8_E4M3":
        import ml_dtypes

        return scales.astype(ml_dtypes.float8_e4m3fn)
    return plain_bytes(scales, out.dtype)


def plain_bytes(values: Floats, dtype: str) -> NDArray[np.generic]:
    """Float32 values in a plain format; they are on its grid already, or get rounded to it."""
    if dtype == "BF16":
        return (as_stored(values, "bf16").view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    return values.astype({"F16": np.float16, "F32": np.float32, "F64": np.float64}[dtype])


def _write_rest(tensor: Placed, into: ShardFile, work: Work, zeros: list[Floats | None], magnitude: float) -> None:
    """Shape, zero points, the scale for the tensor: whatever the layout wants besides codes and scales."""
    for out in outputs(tensor, work.scheme)[2:]:
        if out.name.endswith("weight_shape"):
            into.write(out.name, 0, np.asarray(tensor.shape, dtype=np.int64))
        elif out.name.endswith("weight_global_scale"):
            into.write(out.name, 0, np.asarray([global_scale(magnitude)], dtype=np.float32))
        else:
            zero = np.concatenate([one for one in zeros if one is not None]).astype(np.int8)
            packed = pack_words(np.ascontiguousarray(zero.T), work.scheme.bits, work.use)
            into.write(out.name, 0, np.ascontiguousarray(packed.T))


def copy_tensor(file: int, tensor: Placed, into: ShardFile) -> None:
    """The bytes as they are."""
    for start in range(0, tensor.bytes, _COPY):
        raw = read_raw(file, tensor, start, min(_COPY, tensor.bytes - start))
        into.write(tensor.name, start, np.frombuffer(raw, dtype=np.uint8))


def cast_tensor(file: int, tensor: Placed, into: ShardFile, target: str, work: Work) -> Sums:
    """A floating-point tensor in another plain format; what lies outside its range becomes its end.

    Raises:
        BadInput: the tensor holds NaN or infinity.
    """
    dtype = PLAIN_DTYPES[target]
    flat = tensor._replace(shape=(tensor.numbers, 1))
    step = CHUNK

    def one(first: int) -> Sums:
        x = read_rows(file, flat, first, min(step, tensor.numbers - first), work.use).reshape(1, -1)
        most = float(work.use.magnitudes(x, 1).max(initial=0))
        if not np.isfinite(most):
            raise BadInput(f"tensor '{shorten(tensor.name)}' holds NaN or infinity; mend the checkpoint first.")
        back = as_stored(x, target)
        into.write(tensor.name, first * SIZES[dtype], plain_bytes(back, dtype))
        errors: tuple[float, float, float] = (work.use if most < HUGE else plain).errors(x, back)
        return Sums(*errors, magnitude=most, constant=constant(x))

    total: Sums | None = None
    for sums in each(work.pool, one, range(0, tensor.numbers, step)):
        total = sums if total is None else total.plus(sums)
    return total or Sums()
