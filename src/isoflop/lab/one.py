"""One run by several processes, for what is larger than one device: DDP or FSDP2, started by torchrun.

    torchrun --nproc-per-node 2 -m isoflop.lab.one STUDY RUN --sharing fsdp

The run is one of the study's folder, by its hash, and lies there as any other afterwards. Its numbers are those of one
process up to rounding: gradients are summed in another order.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def main() -> None:
    """Train the run."""
    import torch

    from isoflop.lab.data import Corpus
    from isoflop.lab.run import perform
    from isoflop.lab.store import RunFolder
    from isoflop.lab.train import Habits
    from isoflop.lab.world import join, leave

    words = argparse.ArgumentParser(prog="isoflop.lab.one")
    words.add_argument("study", type=Path)
    words.add_argument("run")
    words.add_argument("--sharing", choices=("none", "ddp", "fsdp"), default="ddp")
    words.add_argument("--log-every", type=int, default=20)
    words.add_argument("--checkpoint-every", type=int, default=200)
    given = words.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    world = join(given.sharing)
    habits = Habits(log_every=given.log_every, checkpoint_every=given.checkpoint_every)
    folder = RunFolder(given.study / "runs" / given.run)
    perform(folder, Corpus(given.study / "corpus"), habits, world=world)
    if world.sharing != "none":
        leave()


if __name__ == "__main__":
    main()
