"""What a conversion did: each tensor's error and bytes, and the whole."""

from __future__ import annotations

import math
from dataclasses import dataclass

from isoflop.relation.answer import Ledger, Term
from isoflop.relation.shown import Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorReport:
    """One tensor: its `shape`, number formats before (`dtype`) and after (`stored`), bytes before and after.

    `kept` says why it was not quantized (empty where it was). `squares` is the sum of squared weights, `wrong` that of
    squared errors, `largest` the largest error, `magnitude` the largest |w|. `note` tells of all-zero or constant
    tensors.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    stored: str
    bytes_before: int
    bytes_after: int
    kept: str = ""
    squares: float = 0.0
    wrong: float = 0.0
    largest: float = 0.0
    magnitude: float = 0.0
    note: str = ""

    @property
    def numbers(self) -> int:
        """Elements of the tensor."""
        return math.prod(self.shape)

    @property
    def relative_error(self) -> float | None:
        """Frobenius norm of the error over that of the weight; None where nothing was rounded."""
        return relative(self.squares, self.wrong) if self.squares or not self.kept else None

    @property
    def sqnr(self) -> float | None:
        """Signal to quantization noise [dB]; None without noise."""
        return decibel(self.squares, self.wrong)


def relative(squares: float, wrong: float) -> float:
    """Relative Frobenius error."""
    return math.sqrt(wrong / squares) if squares else 0.0


def decibel(squares: float, wrong: float) -> float | None:
    """10 log10 of signal over noise; None without noise or signal."""
    return 10 * math.log10(squares / wrong) if wrong and squares else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Shown):
    """A whole checkpoint: `tensors` in file order, bytes of the files, and how it was made.

    `source` and `folder` are the paths as given. `seconds` is the wall time of this call, `resumed` the files that an
    earlier, broken call had finished already. `warnings` are for people to read.
    """

    source: str
    folder: str
    scheme: str
    words: str
    choice: str
    tensors: tuple[TensorReport, ...]
    file_bytes_before: int
    file_bytes_after: int
    seconds: float = 0.0
    resumed: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def quantized(self) -> tuple[TensorReport, ...]:
        """Tensors whose numbers have changed their format."""
        return tuple(one for one in self.tensors if not one.kept)

    @property
    def numbers(self) -> int:
        """Elements of all tensors."""
        return sum(one.numbers for one in self.tensors)

    @property
    def bytes_before(self) -> int:
        """Bytes of all tensors in the source."""
        return sum(one.bytes_before for one in self.tensors)

    @property
    def bytes_after(self) -> int:
        """Bytes of all tensors written, scales among them."""
        return sum(one.bytes_after for one in self.tensors)

    @property
    def relative_error(self) -> float:
        """Frobenius norm of all errors over that of all quantized weights."""
        return relative(sum(one.squares for one in self.quantized), sum(one.wrong for one in self.quantized))

    @property
    def sqnr(self) -> float | None:
        """Signal to quantization noise of the quantized weights [dB]."""
        return decibel(sum(one.squares for one in self.quantized), sum(one.wrong for one in self.quantized))

    @property
    def largest_error(self) -> float:
        """The largest error of any weight."""
        return max((one.largest for one in self.quantized), default=0.0)

    @property
    def bits_per_weight(self) -> float:
        """Bits that a quantized weight takes, scales and all."""
        numbers = sum(one.numbers for one in self.quantized)
        return 8 * sum(one.bytes_after for one in self.quantized) / numbers if numbers else 0.0

    def saved(self, dtype_bytes: int | None = None) -> float:
        """Share of bytes saved: against the source, or against all weights in `dtype_bytes` each (4 for FP32)."""
        before = self.bytes_before if dtype_bytes is None else dtype_bytes * self.numbers
        return 1 - self.bytes_after / before if before else 0.0

    @property
    def ledger(self) -> Ledger:
        """Bytes written, by what they are."""
        parts: dict[str, int] = {}
        for one in self.tensors:
            part = f"kept: {one.kept}" if one.kept else f"quantized to {one.stored}"
            parts[part] = parts.get(part, 0) + one.bytes_after
        terms = tuple(Term(name=part, value=float(size)) for part, size in sorted(parts.items(), key=lambda at: -at[1]))
        return Ledger(quantity="weight_bytes", title=f"{self.folder}: {self.words}", terms=terms)
