"""How a matrix lies in a checkpoint: its elements, and the scales, zero points and indexes beside them, to the byte."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from isoflop.errors import UnknownName

if TYPE_CHECKING:
    from collections.abc import Mapping

BITS: Mapping[str, float] = {
    "fp64": 64, "fp32": 32, "tf32": 32, "bf16": 16, "fp16": 16, "fp8": 8, "fp6": 6, "fp4": 4, "nf4": 4,
    "int64": 64, "int32": 32, "int16": 16, "int8": 8, "int6": 6, "int5": 5, "int4": 4, "int3": 3, "int2": 2, "int1": 1,
    "ternary": 1.58496250072,
}  # fmt: skip
"""Bits an element of plain number formats, nothing beside them. "ternary": log2 3, the least that three values take."""

ALIASES: Mapping[str, str] = {
    "float": "fp32", "float64": "fp64", "float32": "fp32", "float16": "fp16", "half": "fp16", "bfloat16": "bf16",
    "f64": "fp64", "f32": "fp32", "f16": "fp16", "float8_e4m3fn": "fp8", "float8_e5m2": "fp8", "fp8_e4m3": "fp8",
    "fp8_e5m2": "fp8", "e4m3": "fp8", "e5m2": "fp8", "f8_e4m3": "fp8", "f8_e5m2": "fp8", "uint8": "int8", "u8": "int8",
    "i8": "int8", "uint4": "int4", "4bit": "int4", "8bit": "int8", "fp4_e2m1": "fp4",
}  # fmt: skip
"""Other spellings of them, as config files and libraries have them, in small letters."""


def dtype_of(text: str) -> str:
    """The short name of a number format ("bf16" for "torch.bfloat16"); an unknown one brings close matches."""
    word = text.strip().lower().removeprefix("torch.")
    name = ALIASES.get(word, word)
    if name not in BITS:
        raise UnknownName("number format", text, BITS, hint=f"Give one of: {', '.join(BITS)}.")
    return name


class Beside(NamedTuple):
    """Numbers of `bits` each beside a matrix: one for every block of `inputs` x `outputs` elements.

    0 is the whole side, so that (0, 0) is one number a matrix. `word`: those of one group lie packed in words of so
    many bits along the outputs. `flat`: one for so many elements in the order of the file, rows not respected.
    `more`: further bytes a matrix.
    """

    bits: float
    inputs: int = 0
    outputs: int = 0
    word: int = 0
    flat: int = 0
    more: int = 0

    def size(self, inputs: int, outputs: int) -> float:
        """Bytes beside one matrix."""
        if self.flat:
            return ceil(inputs * outputs / self.flat) * self.bits / 8 + self.more
        groups = ceil(inputs / self.inputs) if self.inputs else 1
        lines = ceil(outputs / self.outputs) if self.outputs else 1
        each = ceil(lines * self.bits / self.word) * self.word if self.word else lines * self.bits
        return groups * each / 8 + self.more


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How matrices of one kind lie in a checkpoint.

    `name` is short ("fp8"), `words` says all ("FP8, an FP32 scale for every 128 x 128"). Elements of one row (its
    inputs) fill words of `word` bits, 0: without a gap; `by_outputs` packs a column instead.
    """

    name: str
    words: str
    bits: float
    word: int = 8
    by_outputs: bool = False
    beside: tuple[Beside, ...] = ()

    def size(self, inputs: int, outputs: int) -> float:
        """Bytes of one matrix with all that stands beside it."""
        along, lines = (outputs, inputs) if self.by_outputs else (inputs, outputs)
        each = ceil(along * self.bits / self.word) * self.word if self.word else along * self.bits
        return lines * each / 8 + sum(one.size(inputs, outputs) for one in self.beside)


def plain(dtype: str) -> Format:
    """A number format with nothing beside it; elements are not padded."""
    name = dtype_of(dtype)
    return Format(name=name, words=name.upper(), bits=BITS[name], word=0)
