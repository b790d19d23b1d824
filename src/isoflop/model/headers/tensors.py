"""What the header of a file of weights lists: tensors with their number format, shape and exact bytes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from isoflop.relation.answer import Ledger, Term

if TYPE_CHECKING:
    from collections.abc import Mapping


class Tensor(NamedTuple):
    """One tensor: `dtype` as the file's format spells it ("BF16", "Q4_K"), `shape` outermost first, bytes it takes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def numbers(self) -> int:
        """Elements held."""
        count = 1
        for side in self.shape:
            count *= side
        return count


class Held(NamedTuple):
    """What a file holds in one number format."""

    tensors: int
    numbers: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensors:
    """The tensors of a checkpoint in one or several files, in the order they stand there.

    `metadata` is what the file says of itself; of long lists only the length is kept, as `Many`. `doubts` says what
    keeps the listing from being the whole checkpoint.
    """

    kind: Literal["safetensors", "gguf"]
    files: tuple[str, ...]
    tensors: tuple[Tensor, ...]
    metadata: Mapping[str, object] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Bytes of all tensors, without headers."""
        return sum(tensor.bytes for tensor in self.tensors)

    @property
    def numbers(self) -> int:
        """Elements of all tensors, scales and packed words among them."""
        return sum(tensor.numbers for tensor in self.tensors)

    def by_dtype(self) -> dict[str, Held]:
        """Number format -> tensors, elements and bytes in it, the largest first."""
        found: dict[str, list[Tensor]] = defaultdict(list)
        for tensor in self.tensors:
            found[tensor.dtype].append(tensor)
        held = {
            dtype: Held(len(listed), sum(one.numbers for one in listed), sum(one.bytes for one in listed))
            for dtype, listed in found.items()
        }
        return dict(sorted(held.items(), key=lambda pair: -pair[1].bytes))


def ledger_of(tensors: Tensors) -> Ledger:
    """Bytes of a checkpoint by number format, exact to the byte: what its headers say."""
    terms = tuple(
        Term(name=dtype, value=float(held.bytes), note=f"{held.tensors:,} tensors, {held.numbers:,} numbers")
        for dtype, held in tensors.by_dtype().items()
    )
    return Ledger(quantity="weight_bytes", title=f"Tensors of {tensors.files[0]}", terms=terms)


class Many(NamedTuple):
    """A list in the metadata that is too long to keep, and how many entries it has."""

    entries: int
