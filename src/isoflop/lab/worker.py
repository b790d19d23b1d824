"""A process that trains one run after the other: `python -m isoflop.lab.worker STUDY`, runs in, results out.

A line on stdin is a `pool.Task`; a line on stdout a list of `pool.Outcome`, one of each of its runs that was not over.
SIGTERM, or a parent that is gone, ends the process after at most `log_every` steps, with a checkpoint.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from isoflop.lab.data import Corpus
    from isoflop.lab.pool import Outcome, Task


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


def do_task(
    study: Path, corpus: Corpus, task: Task, stopping: Callable[[], bool] = lambda: False
) -> tuple[Outcome, ...]:
    """Train what is left of a task's runs; what came of each."""
    from isoflop.lab.party import Places, perform_together
    from isoflop.lab.pool import Outcome
    from isoflop.lab.run import Stopped, perform
    from isoflop.lab.store import RunFolder
    from isoflop.lab.train import Habits

    habits = Habits(log_every=task.log_every, checkpoint_every=task.checkpoint_every, branch_at=task.branch_at)
    places = Places(trunks=study / "trunks", together=study / "together")
    runs: tuple[str, ...] = task.runs
    try:
        folders = [RunFolder(study / "runs" / run) for run in runs]
        left = [one for one in folders if one.result is None]
        runs = tuple(one.spec.hash for one in left) or runs
        if len(folders) > 1:
            found = perform_together(folders, corpus, habits, places=places, stopping=stopping)
        else:
            result = perform(folders[0], corpus, habits, trunks=places.trunks, stopping=stopping)
            found = {result.hash: result.status}
        return tuple(Outcome(run=run, status=found[run]) for run in runs)
    except Stopped:
        return tuple(Outcome(run=run, status="stopped") for run in runs)
    except (IsoflopError, OSError, RuntimeError) as error:  # RuntimeError: what torch raises, memory too
        said = f"{type(error).__name__}: {error}"[:500]
        return tuple(Outcome(run=run, status="failed", message=said) for run in runs)


def main(study: Path) -> None:
    """Serve until stdin ends."""
    # What torch.compile makes is kept for the next run of that shape; nothing is written outside the study's folder.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(study.resolve() / "compiled"))
    import torch

    from isoflop.lab.data import Corpus
    from isoflop.lab.pool import Task

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    ending, corpus = Ending(), Corpus(study / "corpus")
    for line in sys.stdin:
        said = do_task(study, corpus, msgspec.json.decode(line, type=Task), ending)
        sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")  # to the pool, not to a person
        sys.stdout.buffer.flush()
        if ending():
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
