"""Profiles: constants of a class of devices, as data with what they were fitted on and how far off that leaves them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from isoflop.errors import BadFile
from isoflop.quantity.toml_file import read_toml

if TYPE_CHECKING:
    from isoflop.kernel.chip import Chip

FOLDER = Path(__file__).parent / "profiles"
GENERIC = "generic"

_Share = Annotated[float, msgspec.Meta(gt=0, le=2)]
_Positive = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Format(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Products in one class of number formats.

    `efficiency` is the share of the dense peak that large ones reach; small ones take longer by `shape` x (1/m + 1/n +
    1/k): tiles that are not full, waves that are not, the start of each.
    """

    efficiency: _Share
    shape: _Positive


class Attention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares of the 16-bit peak: fused kernels (FlashAttention and its like), unfused ones; `backward` over forward."""

    fused: _Share
    unfused: _Share
    backward: _Positive = 2.5


class Elementwise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bytes moved by element-wise work, forward, over the bytes that fused kernels save for backward, by kernels."""

    fused: _Positive
    compiled: _Positive
    eager: _Positive
    loss: _Positive


class Wire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Share of the rated bandwidth that collectives reach, and the time that one step of them takes to start."""

    efficiency: _Share
    latency: _Seconds


class Launch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Host time a layer needs to start its kernels, forward and backward, by kernels; with experts so much more.

    `graphs` is what is left of it with CUDA graphs.
    """

    fused: _Seconds
    compiled: _Seconds
    eager: _Seconds
    experts: _Seconds
    graphs: _Positive


class Overlap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What communication costs beside compute: shares that stay exposed.

    `tensor` where it is overlapped by chunks, `gradients` of data parallelism once a step, `sharded` of what FSDP moves
    even where compute takes longer, `context`, `experts` by default and where they are overlapped.
    """

    tensor: _Positive
    gradients: _Positive
    sharded: _Positive
    context: _Positive
    experts: _Positive
    experts_hidden: _Positive


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A class of devices: `architectures` it stands for; `spread` is the factor that 5 to 95 % of residuals stay in."""

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
    power: _Positive
    spread: _Positive
    fitted: str

    def format(self, group: str) -> Format:
        """Constants of a class of number formats ("16", "8", "4", "fp32"); of one it lacks, those of 16 bits."""
        return self.matmul.get(group, self.matmul["16"])


def read_profile(path: Path) -> Profile:
    """The profile in a file of this form."""
    try:
        return msgspec.convert(read_toml(path), Profile)
    except msgspec.ValidationError as error:
        raise BadFile(f"{path}: {error}. For the form see {FOLDER / 'hopper.toml'}") from error


@cache
def profiles() -> dict[str, Profile]:
    """All shipped profiles by name."""
    return {path.stem: read_profile(path) for path in sorted(FOLDER.glob("*.toml"))}


def profile_of(chip: Chip) -> tuple[str, Profile]:
    """(name, profile) of the architecture of a chip; the generic one, with its wider spread, where it has none."""
    for name, profile in profiles().items():
        if chip.architecture in profile.architectures:
            return name, profile
    return GENERIC, profiles()[GENERIC]
