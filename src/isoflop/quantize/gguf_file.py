"""One GGUF file, which llama.cpp reads, from a safetensors checkpoint.

Names, shapes and encodings are those of the library gguf; this adds which tensor becomes what, and streams. Only
families are written whose tensors map one to one (`FAMILIES`); any other is refused rather than written wrongly.
"""

from __future__ import annotations

import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadFile, BadInput, MissingData, shorten
from isoflop.quantize.encode import kernels
from isoflop.quantize.gguf_model import FAMILIES, arch_of, describe_model, heads_of
from isoflop.quantize.report import Report, TensorReport
from isoflop.quantize.source import FLOATS
from isoflop.quantize.tensor import Sums, constant, each, processors, read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from isoflop.quantize.kernels import Bytes, Floats
    from isoflop.quantize.options import Options
    from isoflop.quantize.scheme import Scheme
    from isoflop.quantize.source import Placed, Source

_CHUNK = 1 << 20
_BLOCK = 32
_AT_ONCE = 16
"""Chunks that are read before the first of them is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One tensor: where it is, its name in GGUF, its type there, and heads that rows are regrouped by (0: none)."""

    path: Path
    tensor: Placed
    name: str
    kind: str
    heads: int


def library() -> ModuleType:
    """The library gguf.

    Raises:
        MissingData: it is not installed.
    """
    try:
        import gguf
    except ImportError as error:
        raise MissingData(
            "GGUF is written with the library gguf; install it with: pip install 'isoflop[quant]'"
        ) from error
    found: ModuleType = gguf
    return found


def write_gguf(
    found: Source, target: Path, chosen: Scheme, options: Options, *, progress: Callable[[int, int], None] | None
) -> Report:
    """Write `target`, a file, in GGUF.

    Matrices get the scheme's type; with four or five bits, embeddings and head get Q8_0. Vectors are F32.

    Raises:
        BadFile: no config, a family that is not written, tensors that have no place in it.
        BadInput: NaN or infinity; a way to choose scales that the format does not have.
    """
    if target.suffix != ".gguf":
        raise BadInput(
            f"{shorten(str(target), most=200)}: a GGUF checkpoint is one file; give a name that ends in .gguf."
        )
    if options.choice != "absmax" or options.keep or options.include or options.rest:
        raise BadInput("the types of GGUF fix scales and what is kept: without --scales, --keep, --include and --rest.")
    gguf = library()
    started = time.monotonic()
    items = _items(found, chosen, gguf)
    temporary = target.with_name(target.name + ".unfinished")
    threads = options.threads or processors()
    try:
        with _alone(temporary), ThreadPoolExecutor(threads) as pool:
            try:
                reports = _write(found, temporary, items, gguf, pool, progress)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise BadFile(f"{shorten(str(target), most=200)}: cannot be written: {error.strerror}.") from error
    return Report(
        source=str(found.folder), folder=str(target), scheme=chosen.name, words=chosen.words, choice="absmax",
        tensors=tuple(reports), file_bytes_before=sum(shard.path.stat().st_size for shard in found.shards),
        file_bytes_after=target.stat().st_size, seconds=time.monotonic() - started,
    )  # fmt: skip


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a file that is being written, so that two calls do not write into one."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        raise BadFile(f"{shorten(str(path), most=200)}: another process is writing it; wait for it.") from error
    try:
        yield
    finally:
        os.close(file)


def _items(found: Source, chosen: Scheme, gguf: ModuleType) -> list[_Item]:
    arch = arch_of(found)
    names = gguf.get_tensor_name_map(FAMILIES[arch].architecture(gguf), int(str(found.config["num_hidden_layers"])))
    items = []
    for shard in found.shards:
        for tensor in shard.tensors:
            if tensor.name.endswith("rotary_emb.inv_freq"):
                continue
            name = names.get_name(tensor.name, try_suffixes=(".weight", ".bias"))
            if name is None or tensor.dtype not in FLOATS or len(tensor.shape) > 2:
                raise BadFile(
                    f"tensor '{shorten(tensor.name)}' has no place in GGUF's {arch}; the checkpoint is not written."
                )
            kind, heads = _kind(name, tensor, chosen.target), heads_of(found, arch, tensor.name)
            if heads and (not tensor.shape or tensor.shape[0] % (2 * heads)):
                raise BadFile(
                    f"tensor '{shorten(tensor.name)}': {list(tensor.shape)} does not divide into {heads} heads."
                )
            if 0 in tensor.shape:
                raise BadFile(f"tensor '{shorten(tensor.name)}' is empty; GGUF holds none such.")
            items.append(_Item(path=shard.path, tensor=tensor, name=name, kind=kind, heads=heads))
    return items


def _kind(name: str, tensor: Placed, target: str) -> str:
    """GGUF's type of a tensor: F32 for vectors, F16 where rows do not divide into blocks."""
    if len(tensor.shape) < 2:
        return "F32"
    if target.startswith("q") and tensor.shape[1] % _BLOCK:
        return "F16"
    if target[:2] in {"q4", "q5"} and name in {"token_embd.weight", "output.weight"}:
        return "Q8_0"
    return target.upper()


def _write(
    found: Source, path: Path, items: list[_Item], gguf: ModuleType, pool: ThreadPoolExecutor,
    progress: Callable[[int, int], None] | None,
) -> list[TensorReport]:  # fmt: skip
    writer = gguf.GGUFWriter(str(path), FAMILIES[arch_of(found)].name)
    describe_model(found, writer, gguf, items[0].kind if items else "F16")
    for item in items:
        kind = gguf.GGMLQuantizationType[item.kind]
        size = int(np.prod(gguf.quant_shape_to_byte_shape(item.tensor.shape or (1,), kind)))
        writer.add_tensor_info(item.name, item.tensor.shape, np.dtype(np.float32), size, raw_dtype=kind)
    reports, read, total = [], 0, sum(item.tensor.bytes for item in items)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        out = writer.fout[0]
        writer.write_padding(out, out.tell())
        for item in items:
            reports.append(_tensor(item, writer, gguf, pool))
            read += item.tensor.bytes
            if progress is not None:
                progress(read, total)
    finally:
        writer.close()
    return reports


def _tensor(item: _Item, writer: object, gguf: ModuleType, pool: ThreadPoolExecutor) -> TensorReport:
    """Stream one tensor; what it reads back as is asked of the library."""
    kind = gguf.GGMLQuantizationType[item.kind]
    out = writer.fout[0]  # type: ignore[attr-defined]
    file = os.open(item.path, os.O_RDONLY)
    use = kernels(fast=True)

    def one(chunk: tuple[int, int]) -> tuple[Bytes, Sums]:
        x = _rows(file, item, chunk, use)
        most = float(use.magnitudes(x, 1).max(initial=0))
        if not np.isfinite(most):
            raise BadInput(f"tensor '{shorten(item.tensor.name)}' holds NaN or infinity; mend the checkpoint first.")
        data = gguf.quants.quantize(x, kind)
        back = gguf.quants.dequantize(data, kind)
        errors: tuple[float, float, float] = use.errors(x, np.ascontiguousarray(back, dtype=np.float32))
        return data, Sums(*errors, magnitude=most, constant=constant(x))

    total, size = None, 0
    try:
        parts = _chunks(item)
        for start in range(0, len(parts), _AT_ONCE):
            for data, sums in each(pool, one, parts[start : start + _AT_ONCE]):
                out.write(np.ascontiguousarray(data).reshape(-1).view(np.uint8).data)
                size += data.nbytes
                total = sums if total is None else total.plus(sums)
    finally:
        os.close(file)
    writer.write_padding(out, size)  # type: ignore[attr-defined]
    sums = total or Sums()
    return TensorReport(
        name=item.name, shape=item.tensor.shape, dtype=item.tensor.dtype, stored=item.kind, bytes_after=size,
        bytes_before=item.tensor.bytes, kept="a vector" if len(item.tensor.shape) < 2 else "", squares=sums.squares,
        wrong=sums.wrong, largest=sums.largest, magnitude=sums.magnitude, note="" if sums.magnitude else "all zeros",
    )  # fmt: skip


def _matrix(item: _Item) -> tuple[int, int]:
    """(rows, columns); a vector is one row, or one column where it belongs to rows that are regrouped."""
    shape = item.tensor.shape
    if len(shape) == 2:
        return shape[0], shape[1]
    return (item.tensor.numbers, 1) if item.heads else (1, item.tensor.numbers)


def _chunks(item: _Item) -> list[tuple[int, int]]:
    """(first row, rows) of each chunk, whole heads where their rows are regrouped."""
    rows, columns = _matrix(item)
    unit = rows // item.heads if item.heads else 1
    step = max(unit, _CHUNK // columns // unit * unit)
    return [(first, min(step, rows - first)) for first in range(0, rows, step)]


def _rows(file: int, item: _Item, chunk: tuple[int, int], use: ModuleType) -> Floats:
    """One chunk in the order that GGUF has its rows in."""
    shape = _matrix(item)
    x = read_rows(file, item.tensor._replace(shape=shape), *chunk, use)
    return _regrouped(x, shape[0] // item.heads) if item.heads else x


def _regrouped(x: Floats, per_head: int) -> Floats:
    """Rows of each head from halves to pairs: what rotary embeddings turn together stands together in llama.cpp."""
    heads = x.reshape(-1, 2, per_head // 2, x.shape[1])
    return np.ascontiguousarray(heads.swapaxes(1, 2)).reshape(x.shape)
