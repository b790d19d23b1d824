"""Profiles: constants of a class of devices, as data with what they were fitted on and how far off that leaves them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from isoflop.errors import BadFile
from isoflop.quantity.toml_file import read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.kernel.chip import Chip

FOLDER = Path(__file__).parent / "profiles"
GENERIC = "generic"

_Share = Annotated[float, msgspec.Meta(gt=0, le=2)]
_Positive = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Format(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Products in one class of number formats.

    `efficiency` is the share of the dense peak that large ones reach; small ones take longer by `shape` x (1/m + 1/n +
    1/k): operands that are read and written. `wave` is half of what all units of the chip write at once, in elements:
    of the last wave of tiles half is lost in the mean. Both are fitted to steps in 16 bit and less; of fp32 they follow
    from those, no step in fp32 being among the rows: the bytes are twice as many and the units so many times slower, so
    that `shape` is smaller by half of that, and tiles are half as large.
    """

    efficiency: _Share
    shape: _Positive
    wave: Annotated[float, msgspec.Meta(ge=0, le=1e8)]


class Attention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares of the 16-bit peak that fused kernels reach at heads 128 wide, by generation; `backward` over forward.

    `first`: FlashAttention and Triton kernels of 2022 and 2023; `second`: FlashAttention-2, as torch has it; `third`:
    FlashAttention-3, cuDNN. `unfused` is how many bytes are moved a score, forward, where scores are kept.
    """

    first: _Share
    second: _Share
    third: _Share
    unfused: _Positive
    backward: _Positive = 2.5

    def share(self, generation: int) -> float:
        """The share that a generation of fused kernels reaches."""
        return (self.first, self.second, self.third)[generation - 1]


class Elementwise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bytes moved by element-wise work, forward, over the bytes that fused kernels save for backward, by kernels.

    `native`: plain PyTorch of 2025 with its own fused norms; 1.7 is a count of what its kernels of norms, rotary
    positions, residual sums and gated activations read and write. `loss`: over those of the logits at 8 bytes; `cast`:
    bytes moved an element that goes into or out of a product in 8 or 4 bit: its largest value is looked up, it is
    scaled and written by rows and by columns.
    """

    fused: _Positive
    compiled: _Positive
    eager: _Positive
    loss: _Positive
    cast: _Positive
    native: _Positive = 1.7

    def factor(self, kernels: str) -> float:
        """Bytes moved over bytes saved, by kernels or of the loss; layers compiled one by one move what others do."""
        alike = {"layered": "compiled", "autocast": "native", "parts": "eager"}
        found: float = getattr(self, alike.get(kernels, kernels))
        return found


class Wire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Share of the rated bandwidth that collectives reach, and what each rank or, of the network, each node adds."""

    efficiency: _Share
    latency: _Seconds


class Launch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Host time a layer needs to start its kernels, forward and backward, by kernels; so much more an expert on a rank.

    `product` is what each product waits on the chip before and after the work itself, whoever started it.
    `graphs` is what is left of it with CUDA graphs. Embedding and loss take as long as a layer each; `step` is what the
    host does once a step (optimizer, norms of gradients, logging).
    """

    fused: _Seconds
    compiled: _Seconds
    eager: _Seconds
    experts: _Seconds
    graphs: _Positive
    step: _Seconds
    product: _Seconds

    def layer(self, kernels: str) -> float:
        """Host time of a layer by kernels; torch's own norms take it about as long as others that are not compiled."""
        alike = {"native": "eager", "parts": "eager", "autocast": "eager", "layered": "compiled"}
        found: float = getattr(self, alike.get(kernels, kernels))
        return found


class Overlap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What communication costs beside compute: shares that stay exposed.

    `tensor` where it is overlapped by chunks, `tensor_alone` where not (above 1: ranks wait for each other);
    `gradients` of data parallelism, `sharded` of what FSDP moves, even where compute takes longer (`sharded_alone`
    before collectives of layers were prefetched on streams of their own: up to 2022); `context`; `experts` of the
    dispatch by plain all-to-all with its permutations, `experts_once` by fused kernels that send a token to a node
    once, `experts_hidden` where either is overlapped; `pipeline` of what interleaved stages send (others wait for all
    of it).
    """

    tensor: _Positive
    tensor_alone: _Positive
    gradients: _Positive
    sharded: _Positive
    sharded_alone: _Positive
    context: _Positive
    experts: _Positive
    experts_once: _Positive
    experts_hidden: _Positive
    pipeline: _Positive


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A class of devices: `architectures` it stands for; `spread` is the factor that 5 to 95 % of residuals stay in.

    `power` is the exponent by which products and attention go with the power limit, over that of the usual part;
    `expert_matmul` the rate of products of experts over that of others in 16 bit, `expert_low` in fewer; `young` is how
    much longer all takes with software of the year in which such devices `arrived`, or before; `pace` multiplies every
    step (1 as shipped; what calibration on one's own runs moves first).
    """

    title: str
    architectures: tuple[str, ...]
    matmul: dict[str, Format]
    attention: Attention
    elementwise: Elementwise
    link: Wire
    network: Wire
    launch: Launch
    overlap: Overlap
    optimizer: _Positive
    bubble: _Positive
    expert_matmul: _Share
    expert_low: _Share
    power: _Positive
    arrived: int
    young: Annotated[float, msgspec.Meta(ge=0.9, le=2)]
    pace: _Positive = 1.0
    spread: _Positive
    fitted: str

    def format(self, group: str) -> Format:
        """Constants of a class of number formats ("16", "8", "4", "tf32", "fp32"); of one it lacks, those of 16 bits.

        Profiles hold what "fp32" reaches of the peak; matrix units in tf32 reach about as much of theirs.
        """
        found = self.matmul.get(group) or self.matmul.get("fp32" if group == "tf32" else "16")
        return found or self.matmul["16"]


def read_profile(path: Path) -> Profile:
    """The profile in a file of this form."""
    try:
        return msgspec.convert(read_toml(path), Profile)
    except msgspec.ValidationError as error:
        raise BadFile(f"{path}: {error}. For the form see {FOLDER / 'hopper.toml'}") from error


@cache
def profiles() -> dict[str, Profile]:
    """All shipped profiles by name."""
    return {path.stem: _shipped(path) for path in sorted(FOLDER.glob("*.toml"))}


_shipped = cache(read_profile)


def profile_in(tables: Mapping[str, object], architecture: str, where: str) -> Profile:
    """The profile that a device file holds: a whole one, or what differs from that of its architecture."""
    base = profile_by(architecture)[1]
    try:
        return msgspec.convert(merged(msgspec.to_builtins(base), tables), Profile)
    except msgspec.ValidationError as error:
        raise BadFile(f"{where}: [profile]: {error}. For the form see {FOLDER / 'hopper.toml'}") from error


def merged(base: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """`base` with the changes in its place, tables within tables too."""
    found = dict(base)
    for name, value in changes.items():
        own = found.get(name)
        found[name] = merged(own, value) if isinstance(own, dict) and isinstance(value, dict) else value
    return found


OWN = "own"
"""What a profile that stands in the device's own file is called."""


def profile_of(chip: Chip) -> tuple[str, Profile]:
    """(name, profile) of a chip: its own, else that of its architecture."""
    return (OWN, chip.own) if chip.own is not None else profile_by(chip.architecture)


def profile_by(architecture: str) -> tuple[str, Profile]:
    """(name, profile) of an architecture; the generic one, with its wider spread, where it has none."""
    for path in sorted(FOLDER.glob("*.toml")):
        # only files that name the architecture are worth parsing
        if architecture in path.read_text(encoding="utf-8") and architecture in _shipped(path).architectures:
            return path.stem, _shipped(path)
    return GENERIC, _shipped(FOLDER / f"{GENERIC}.toml")
