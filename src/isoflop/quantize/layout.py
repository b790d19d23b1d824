"""What a quantized weight is called, shaped and typed in a file that transformers and vLLM read (compressed-tensors).

`layer.weight` becomes `layer.weight_packed` or `layer.weight`, with `layer.weight_scale` beside it, and config.json
gets a `quantization_config` that says what each number means.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from isoflop.model.headers.safetensors import BITS
from isoflop.quantize.encode import groups_of
from isoflop.quantize.scheme import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isoflop.quantize.scheme import Scheme
    from isoflop.quantize.source import Placed

PLAIN_DTYPES = {"bf16": "BF16", "fp16": "F16", "fp32": "F32"}
"""How safetensors spells plain formats."""

FUSED = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"), ("w1", "w3"), ("query", "key", "value"))
"""Layers that runtimes join into one matrix, which then has one scale for the tensor."""


class Out(NamedTuple):
    """A tensor to be written."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Bytes in the file."""
        bits = BITS[self.dtype]
        for side in self.shape:
            bits *= side
        return bits // 8


def outputs(tensor: Placed, scheme: Scheme) -> tuple[Out, ...]:
    """The tensors that a quantized weight becomes: codes first, then scales and what belongs to them."""
    rows, columns = tensor.shape
    groups = groups_of(scheme, columns)
    base = tensor.name.removesuffix("weight")
    if scheme.layout == "pack-quantized":
        words = -(-columns * scheme.bits // 32)
        found = [
            Out(base + "weight_packed", "I32", (rows, words)),
            Out(base + "weight_scale", tensor.dtype, (rows, groups)),
            Out(base + "weight_shape", "I64", (2,)),
        ]
        if not scheme.symmetric:
            found.append(Out(base + "weight_zero_point", "I32", (-(-rows * scheme.bits // 32), groups)))
        return tuple(found)
    if scheme.element == "e2m1":
        scale = "U8" if scheme.scale == "e8m0" else "F8_E4M3"
        packed = Out(base + "weight_packed", "U8", (rows, columns // 2))
        scales = Out(base + "weight_scale", scale, (rows, groups))
        whole = (Out(base + "weight_global_scale", "F32", (1,)),) if scheme.scale == "e4m3" else ()
        return (packed, scales, *whole)
    code = "I8" if scheme.element == "int" else "F8_E4M3"
    scale = "U8" if scheme.scale == "e8m0" else tensor.dtype
    return (Out(tensor.name, code, tensor.shape), Out(base + "weight_scale", scale, _scale_shape(rows, groups, scheme)))


def _scale_shape(rows: int, groups: int, scheme: Scheme) -> tuple[int, ...]:
    if scheme.granularity == "tensor":
        return (1,)
    return (-(-rows // BLOCK) if scheme.granularity == "block" else rows, groups)


def siblings(name: str) -> tuple[str, ...]:
    """Names of the weights that share one scale for the tensor with this one, itself among them."""
    for group in FUSED:
        for one in group:
            if name.endswith(f"{one}.weight"):
                base = name.removesuffix(f"{one}.weight")
                return tuple(f"{base}{other}.weight" for other in group)
    return (name,)


def quantization_config(scheme: Scheme, ignore: Iterable[str]) -> dict[str, object]:
    """What config.json says of the weights, in the words of compressed-tensors."""
    weights: dict[str, object] = {
        "num_bits": scheme.bits,
        "type": "int" if scheme.element == "int" else "float",
        "symmetric": scheme.symmetric,
        "strategy": "tensor_group" if scheme.scale == "e4m3" else scheme.granularity,
        "group_size": scheme.group if scheme.granularity == "group" else None,
        "block_structure": [BLOCK, BLOCK] if scheme.granularity == "block" else None,
        "dynamic": False,
        "observer": "minmax",
    }
    if scheme.scale == "e8m0":
        weights |= {"scale_dtype": "torch.uint8", "zp_dtype": "torch.uint8"}
    if scheme.scale == "e4m3":
        weights |= {"scale_dtype": "torch.float8_e4m3fn", "zp_dtype": "torch.float8_e4m3fn"}
    group = {
        "targets": ["Linear"],
        "weights": weights,
        "input_activations": _activations(scheme),
        "output_activations": None,
        "format": scheme.layout,
    }
    return {
        "quant_method": "compressed-tensors",
        "format": scheme.layout,
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        "ignore": sorted(ignore),
        "kv_cache_scheme": None,
        "global_compression_ratio": None,
    }


def experts_note(scheme: Scheme, quantized: Iterable[str]) -> tuple[str, ...]:
    """What to mind where experts are quantized: transformers joins them, and does not take every layout there."""
    if scheme.name not in {"nvfp4", "fp8-block", "mxfp8", "int8-w8a8"}:
        return ()
    if not any(re.search(r"\.experts\.\d+\.", name) for name in quantized):
        return ()
    what = "computes wrong with" if scheme.name == "nvfp4" else "refuses"
    return (f"transformers 5.23 {what} {scheme.name} experts (vLLM is not tried here); --keep '*.experts.*', or int8",)


def _activations(scheme: Scheme) -> dict[str, object] | None:
    if not scheme.activations:
        return None
    by_group = scheme.activations == "fp8-group"
    return {
        "num_bits": 8,
        "type": "int" if scheme.activations == "int8-token" else "float",
        "symmetric": True,
        "strategy": "group" if by_group else "token",
        "group_size": BLOCK if by_group else None,
        "dynamic": True,
    }
