"""A quantized checkpoint back in plain numbers: what its codes and scales mean, a chunk of rows at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadFile, shorten
from isoflop.quantize.encode import as_stored
from isoflop.quantize.kernels import e2m1_values
from isoflop.quantize.layout import PLAIN_DTYPES
from isoflop.quantize.pack import unpack_words
from isoflop.quantize.scheme import BLOCK
from isoflop.quantize.source import SIZES
from isoflop.quantize.tensor import chunks, plain_bytes, read_raw

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from isoflop.quantize.kernels import Floats
    from isoflop.quantize.shard_file import ShardFile
    from isoflop.quantize.source import Placed, Source

CODES = ("weight_packed", "weight")
PARTS = (
    "weight_scale",
    "weight_shape",
    "weight_zero_point",
    "weight_global_scale",
    "weight_g_idx",
    "input_global_scale",
    "input_scale",
)
"""Tensors beside the codes; of the last two, which belong to activations, nothing is left in plain numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """How the weights of a checkpoint are stored, as its config says."""

    kind: str
    bits: int
    symmetric: bool
    layout: str
    blocks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """One quantized weight: its codes and the tensors beside them, each with the file it lies in."""

    name: str
    codes: tuple[Path, Placed]
    beside: Mapping[str, tuple[Path, Placed]]

    @property
    def bytes(self) -> int:
        """Bytes of all of them."""
        return self.codes[1].bytes + sum(tensor.bytes for _, tensor in self.beside.values())


def stored_as(config: Mapping[str, object], called: str) -> Stored:
    """What `quantization_config` says.

    Raises:
        BadFile: another library's format, or several schemes in one checkpoint.
    """
    inner = config.get("text_config")
    table = config.get("quantization_config", inner.get("quantization_config") if isinstance(inner, dict) else None)
    method = table.get("quant_method") if isinstance(table, dict) else None
    if not isinstance(table, dict) or method != "compressed-tensors":
        raise BadFile(
            f"{called}: quantized by '{shorten(str(method))}'; read back is what compressed-tensors describes."
        )
    groups = table.get("config_groups")
    if not isinstance(groups, dict) or len(groups) != 1:
        raise BadFile(f"{called}: needs one group in config_groups; with several, layers differ and are not read back.")
    group = next(iter(groups.values()))
    weights = group.get("weights") if isinstance(group, dict) else None
    layout = group.get("format") or table.get("format") if isinstance(group, dict) else None
    if not isinstance(weights, dict) or not isinstance(layout, str):
        raise BadFile(f"{called}: config_groups says nothing of weights, or no format.")
    kind, bits = str(weights.get("type")), weights.get("num_bits")
    if (
        kind not in {"int", "float"}
        or not isinstance(bits, int)
        or not (2 <= bits <= 8 if kind == "int" else bits in {4, 8})
    ):
        raise BadFile(f"{called}: weights of type {shorten(kind)} with {shorten(str(bits))} bits are not read.")
    blocks = weights.get("strategy") == "block"
    if blocks and weights.get("block_structure") != [BLOCK, BLOCK]:
        raise BadFile(
            f"{called}: blocks are read of {BLOCK} x {BLOCK}, not {shorten(str(weights.get('block_structure')))}."
        )
    return Stored(kind=kind, bits=bits, symmetric=weights.get("symmetric") is not False, layout=layout, blocks=blocks)


def coded_weights(found: Source) -> dict[str, Coded]:
    """The quantized weights by the name of their codes: those with a scale beside them.

    Raises:
        BadFile: codes that lack what belongs to them.
    """
    placed = {tensor.name: (shard.path, tensor) for shard in found.shards for tensor in shard.tensors}
    coded = {}
    for name in placed:
        if not name.endswith("weight_scale"):
            continue
        base = name.removesuffix("weight_scale")
        codes = next((base + kind for kind in CODES if base + kind in placed), None)
        if codes is None:
            raise BadFile(f"'{shorten(name)}' has no weight that it scales.")
        beside = {part: placed[base + part] for part in PARTS if base + part in placed}
        coded[codes] = Coded(name=base + "weight", codes=placed[codes], beside=beside)
    return coded


def shape_of(one: Coded, stored: Stored) -> tuple[int, int]:
    """(rows, columns) of the weight.

    Raises:
        BadFile: codes that are no matrix, or another shape than is said.
    """
    tensor = one.codes[1]
    if len(tensor.shape) != 2:
        raise BadFile(f"'{shorten(tensor.name)}' has shape {list(tensor.shape)}; codes are a matrix.")
    rows, words = tensor.shape
    if not tensor.name.endswith("weight_packed"):
        return rows, words
    if stored.kind == "float":
        return rows, 2 * words
    if "weight_shape" not in one.beside:
        raise BadFile(f"'{shorten(one.name)}' has no weight_shape.")
    said = _whole(*one.beside["weight_shape"]).view(np.int64) if one.beside["weight_shape"][1].dtype == "I64" else None
    if (
        said is None
        or said.size != 2
        or said[0] != rows
        or -(-int(said[1]) * stored.bits // 32) != words
        or said[1] < 1
    ):
        raise BadFile(f"'{shorten(one.name)}': weight_shape does not fit its {rows:,} x {words:,} words.")
    return rows, int(said[1])


def _whole(path: Path, tensor: Placed) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """A small tensor's bytes."""
    file = os.open(path, os.O_RDONLY)
    try:
        return np.frombuffer(read_raw(file, tensor, 0, tensor.bytes), dtype=np.uint8)
    finally:
        os.close(file)


def _numbers(path: Path, tensor: Placed) -> Floats:
    """A small tensor as float32: plain, FP8, or U8 as powers of two."""
    raw = _whole(path, tensor)
    if tensor.dtype == "U8":
        found = np.ldexp(np.float32(1), raw.astype(np.int32) - 127)
    elif tensor.dtype == "F8_E4M3":
        import ml_dtypes

        found = raw.view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    elif tensor.dtype == "BF16":
        found = (raw.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)
    elif tensor.dtype in SIZES:
        found = raw.view({"F16": np.float16, "F32": np.float32, "F64": np.float64}[tensor.dtype]).astype(np.float32)
    else:
        raise BadFile(f"'{shorten(tensor.name)}' is {tensor.dtype}; scales are floating-point numbers or U8 exponents.")
    return found.reshape(tensor.shape)


def _scales(one: Coded, stored: Stored, rows: int, columns: int) -> Floats:
    """What codes are multiplied by (rows, groups)."""
    scale = _numbers(*one.beside["weight_scale"])
    if "weight_global_scale" in one.beside:
        scale = scale / _numbers(*one.beside["weight_global_scale"]).reshape(-1)[0]
    if stored.blocks and scale.shape == (-(-rows // BLOCK), -(-columns // BLOCK)):
        return np.repeat(scale, BLOCK, axis=0)[:rows]
    if scale.size == 1:
        return np.broadcast_to(scale.reshape(1, 1), (rows, 1))
    if scale.ndim == 1:
        scale = scale[:, None]
    if stored.blocks or scale.shape[0] != rows or not scale.shape[1] or columns % scale.shape[1]:
        raise BadFile(f"'{shorten(one.name)}': scales {list(scale.shape)} do not fit {rows:,} x {columns:,} weights.")
    return scale


def _groups(one: Coded, stored: Stored, columns: int, groups: int) -> NDArray[np.intp]:
    """Which group each column is in: neighbours, or whatever GPTQ has put together (`weight_g_idx`)."""
    if "weight_g_idx" not in one.beside:
        return np.arange(columns) // (BLOCK if stored.blocks and groups > 1 else columns // groups)
    path, tensor = one.beside["weight_g_idx"]
    found = _whole(path, tensor).view(np.int32) if tensor.dtype == "I32" else np.empty(0, np.int32)
    if found.size != columns or found.min(initial=0) < 0 or found.max(initial=0) >= groups:
        raise BadFile(f"'{shorten(one.name)}': weight_g_idx does not say for {columns:,} columns which group they are.")
    return found.astype(np.intp)


def _zeros(one: Coded, stored: Stored, rows: int, groups: int) -> Floats | None:
    """Zero points (rows, groups)."""
    if stored.symmetric or "weight_zero_point" not in one.beside:
        return None
    path, tensor = one.beside["weight_zero_point"]
    if tensor.dtype != "I32" or tensor.shape != (-(-rows * stored.bits // 32), groups):
        raise BadFile(f"'{shorten(one.name)}': zero points of shape {list(tensor.shape)} do not fit its rows.")
    words = _whole(path, tensor).view(np.int32).reshape(tensor.shape)
    return unpack_words(np.ascontiguousarray(words.T), stored.bits, rows).T.astype(np.float32)


def decode_into(one: Coded, stored: Stored, into: ShardFile, target: str) -> None:
    """Write one weight in the plain format `target`.

    Raises:
        BadFile: tensors that do not fit each other.
    """
    rows, columns = shape_of(one, stored)
    scale = _scales(one, stored, rows, columns)
    zero, group = _zeros(one, stored, rows, scale.shape[1]), _groups(one, stored, columns, scale.shape[1])
    path, codes = one.codes
    row_bytes, dtype = codes.bytes // max(rows, 1), PLAIN_DTYPES[target]
    file = os.open(path, os.O_RDONLY)
    try:
        for first, count in chunks(rows, columns):
            raw = read_raw(file, codes, first * row_bytes, count * row_bytes)
            values = _decoded(np.frombuffer(raw, dtype=np.uint8).reshape(count, -1), codes, stored, columns)
            part = slice(first, first + count)
            if zero is not None:
                values -= zero[part][:, group]
            values *= scale[part][:, group]
            out = plain_bytes(as_stored(values, target), dtype)
            into.write(one.name, first * columns * SIZES[dtype], out)
    finally:
        os.close(file)


def _decoded(
    raw: np.ndarray[tuple[int, int], np.dtype[np.uint8]], codes: Placed, stored: Stored, columns: int
) -> Floats:
    """Values of codes before any scale (rows, columns)."""
    packed = codes.name.endswith("weight_packed")
    if stored.kind == "int" and packed and codes.dtype == "I32":
        return unpack_words(raw.view(np.int32), stored.bits, columns).astype(np.float32)
    if stored.kind == "int" and codes.dtype == "I8":
        return raw.view(np.int8).astype(np.float32)
    if stored.kind == "float" and packed and codes.dtype == "U8":
        both = np.stack((raw & np.uint8(15), raw >> np.uint8(4)), axis=2).reshape(raw.shape[0], -1)
        return e2m1_values()[both]
    if stored.kind == "float" and codes.dtype == "F8_E4M3":
        import ml_dtypes

        values: Floats = raw.view(ml_dtypes.float8_e4m3fn).astype(np.float32)
        return values
    raise BadFile(f"'{shorten(codes.name)}' is {codes.dtype}, which the config's {stored.kind}{stored.bits} is not.")


def parts_of(coded: Mapping[str, Coded]) -> frozenset[str]:
    """Names of the tensors beside codes, which plain numbers do without."""
    return frozenset(tensor.name for one in coded.values() for _, tensor in one.beside.values())
