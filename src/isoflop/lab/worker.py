"""A process that trains one run after the other: `python -m isoflop.lab.worker STUDY`, runs in, results out.

A line on stdin: {"run": hash, "branch_at": [...], "log_every": n, "checkpoint_every": n}. A line on stdout: {"run":
hash, "status": ...}; "failed" has a message with it. SIGTERM, or a parent that is gone, ends the process after at most
`log_every` steps, with a checkpoint.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from types import FrameType


class Ending:
    """Whether this process is to end: told by SIGTERM, or because who started it is gone."""

    def __init__(self) -> None:
        self.parent = os.getppid()
        self.told = False
        signal.signal(signal.SIGTERM, self._hear)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and tells

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.told = True

    def __call__(self) -> bool:
        """Whether to stop now."""
        return self.told or os.getppid() != self.parent


def main(study: Path) -> None:
    """Serve until stdin ends."""
    import torch

    from isoflop.lab.data import Corpus
    from isoflop.lab.run import Stopped, perform
    from isoflop.lab.store import RunFolder
    from isoflop.lab.train import Habits

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    ending, corpus = Ending(), Corpus(study / "corpus")
    for line in sys.stdin:
        task = json.loads(line)
        habits = Habits(
            log_every=task["log_every"],
            checkpoint_every=task["checkpoint_every"],
            branch_at=tuple(task["branch_at"]),
        )
        said: dict[str, object] = {"run": task["run"]}
        try:
            folder = RunFolder(study / "runs" / task["run"])
            result = perform(folder, corpus, habits, trunks=study / "trunks", stopping=ending)
            said |= {"status": result.status, "loss": result.loss, "flops": result.flops, "seconds": result.seconds}
        except Stopped:
            said["status"] = "stopped"
        except (IsoflopError, OSError, RuntimeError) as error:  # RuntimeError: what torch raises, memory too
            said |= {"status": "failed", "message": f"{type(error).__name__}: {error}"[:500]}
        sys.stdout.buffer.write(json.dumps(said).encode() + b"\n")  # to the pool, not to a person
        sys.stdout.buffer.flush()
        if ending():
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
