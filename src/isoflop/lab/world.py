"""One process, or several that train one model together: plain, DDP or FSDP2 [zhao2023], started by torchrun."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from isoflop.errors import BadInput

if TYPE_CHECKING:
    from typing import NoReturn

    from torch import Tensor

    from isoflop.torchmodel.decoder import Decoder

Sharing = Literal["none", "ddp", "fsdp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Which of how many processes this is, and what they share: nothing, gradients (DDP), or weights too (FSDP2)."""

    rank: int = 0
    size: int = 1
    sharing: Sharing = "none"

    def wrapped(self, model: Decoder) -> Decoder:
        """The model as it is to be called; parameters stay those of `model`."""
        if self.sharing == "ddp":
            from torch.nn.parallel import DistributedDataParallel

            return DistributedDataParallel(model)  # type: ignore[no-any-return]
        if self.sharing == "fsdp":
            from torch.distributed.fsdp import fully_shard

            for layer in model.layers:
                fully_shard(layer)
            fully_shard(model)
        return model

    def mean(self, value: Tensor) -> Tensor:
        """The mean over the processes."""
        if self.size == 1:
            return value
        import torch.distributed as dist

        total = value.detach().clone()
        dist.all_reduce(total)
        return total / self.size


def join(sharing: Sharing) -> World:
    """Meet the other processes that torchrun started; alone where it started none.

    Raises: BadInput for "ddp" or "fsdp" outside torchrun.
    """
    if sharing == "none":
        return World()
    if "RANK" not in os.environ:
        raise BadInput(
            f"{sharing} takes processes that torchrun started: torchrun --nproc-per-node 2 -m isoflop.lab.one"
        )
    import torch
    import torch.distributed as dist

    if not dist.is_initialized():
        gpu = torch.cuda.is_available()
        if gpu:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo")
    return World(rank=dist.get_rank(), size=dist.get_world_size(), sharing=sharing)


def leave() -> NoReturn:
    """End this process after the others have come as far; everything must be on the disk.

    Not by Python's own way out: gloo's threads outlive `destroy_process_group`, and one that lets go of its last tensor
    while the interpreter is being taken down is ended by CPython inside a C++ destructor, which aborts the process (3
    of 34 runs of two processes here, torch 2.13). So nothing is taken down.
    """
    import torch.distributed as dist

    dist.barrier()  # none leaves while another still needs it; the first keeps the store that all meet at
    dist.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
