"""Runs over the machines of a Ray cluster that share the study's folder; the same tasks and numbers as the pool.

A run whose worker or machine is lost (spot instances) is begun again elsewhere and goes on from its checkpoint. Without
an address a Ray of this machine is started, in a temporary folder that is removed afterwards; token files in the home
directory, which Ray writes by default, are turned off for it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import deque
from typing import TYPE_CHECKING, Self

from isoflop.errors import MissingData
from isoflop.lab.pool import TRIES, Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import ModuleType


class RayPool:
    """Ray instead of processes of one's own; use as a context, which ends what it started.

    `address`: that of a cluster ("auto" for the one this machine is in), "" for one started here with `processes`
    processors. Raises: MissingData where ray is not installed.
    """

    def __init__(self, study: Path, *, processes: int, threads: int = 1, address: str = "") -> None:
        self.study, self.processes, self.threads, self.address = study.resolve(), processes, threads, address
        self._ray = _library()
        self._temporary = ""

    def __enter__(self) -> Self:
        if self.address:
            self._ray.init(address=self.address, log_to_driver=False)
            return self
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        self._temporary = tempfile.mkdtemp(prefix="ray")
        cores = self.processes * self.threads
        self._ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False, _temp_dir=self._temporary)
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def do(self, tasks: Sequence[Task], tell: Callable[[Outcome], None]) -> None:
        """Do all these runs; `tell` hears of each as it ends. A run whose trunk is not done yet waits for it."""
        environment = {"env_vars": {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)}}
        remote = self._ray.remote(num_cpus=self.threads, max_retries=TRIES, runtime_env=environment)(train_task)
        waiting, open_ = deque(tasks), {task.run for task in tasks}
        running: dict[object, Task] = {}
        while open_:
            for task in [one for one in waiting if one.after not in open_]:
                waiting.remove(task)
                running[remote.remote(str(self.study), task, self.threads)] = task
            ready, _ = self._ray.wait(list(running), num_returns=1)
            task = running.pop(ready[0])
            try:
                outcomes: tuple[Outcome, ...] = self._ray.get(ready[0])
            except self._ray.exceptions.RayError as error:  # its worker died more often than it may
                outcomes = tuple(Outcome(run=run, status="lost", message=str(error)[:300]) for run in task.runs)
            open_.discard(task.run)
            for outcome in outcomes:
                tell(outcome)


def train_task(study: str, task: Task, threads: int) -> tuple[Outcome, ...]:
    """The runs of a task on whatever machine this is."""
    from pathlib import Path

    import torch

    from isoflop.lab.data import Corpus
    from isoflop.lab.worker import do_task

    torch.set_num_threads(threads)
    folder = Path(study)
    return do_task(folder, Corpus(folder / "corpus"), task)


def _library() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise MissingData("this engine needs Ray: pip install 'isoflop[ray]'; the process pool does not.") from error
    module: ModuleType = ray
    return module
