"""Runs over the processors of one machine: a worker process each, given runs in order, replaced when it dies."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import msgspec

from isoflop.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

TRIES = 3
"""How often a run is begun whose worker died under it (each goes on from the last checkpoint)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A run to do, by its hash, with its habits; `after` names the run whose trunk it branches from.

    `others` are trained together with it, in one process.
    """

    run: str
    others: tuple[str, ...] = ()
    log_every: int = 20
    checkpoint_every: int = 200
    branch_at: tuple[int, ...] = ()
    after: str = ""

    def line(self) -> bytes:
        """For a worker's stdin."""
        return msgspec.json.encode(self) + b"\n"

    @property
    def runs(self) -> tuple[str, ...]:
        """All of its runs."""
        return (self.run, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a worker said of a run: done | diverged | failed | stopped, and why it failed."""

    run: str
    status: str
    message: str = ""


@dataclass(slots=True, kw_only=True)
class _Worker:
    process: subprocess.Popen[bytes]
    task: Task | None = None
    heard: bytearray = field(default_factory=bytearray)


class Pool:
    """Worker processes on one study; use as a context, which ends them."""

    def __init__(self, study: Path, *, processes: int, threads: int = 1) -> None:
        if not 1 <= processes <= 4096 or threads < 1:
            raise BadInput(f"processes = {processes}, threads = {threads}: give whole numbers from 1 up")
        self.study, self.processes, self.threads = study, processes, threads
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.communicate()
        self._workers.clear()
        self._selector.close()

    def do(self, tasks: Sequence[Task], tell: Callable[[Outcome], None]) -> None:
        """Do all these runs; `tell` hears of each as it ends. A run whose trunk is not done yet waits for it."""
        waiting, tries = deque(tasks), {task.run: 0 for task in tasks}
        open_ = {task.run for task in tasks}
        while open_:
            self._give(waiting, open_)
            busy = [worker for worker in self._workers if worker.task is not None]
            assert busy, "runs wait for trunks that are not among them"
            for key, _ in self._selector.select():
                worker: _Worker = key.data
                outcomes = self._hear(worker)
                if outcomes is None:
                    continue
                task, worker.task = worker.task, None
                lost = any(one.status == "lost" for one in outcomes)
                if task is not None and lost and tries[task.run] + 1 < TRIES:
                    tries[task.run] += 1
                    waiting.appendleft(task)
                elif task is not None:
                    open_.discard(task.run)
                    for outcome in outcomes:
                        tell(outcome)

    def _give(self, waiting: deque[Task], open_: set[str]) -> None:
        """Hand runs to workers that have none, starting workers while there are too few."""
        ready = [task for task in waiting if task.after not in open_]
        for task in ready:
            worker = next((one for one in self._workers if one.task is None), None)
            if worker is None:
                if len(self._workers) >= self.processes:
                    return
                worker = self._start()
            waiting.remove(task)
            worker.task = task
            try:
                assert worker.process.stdin is not None
                worker.process.stdin.write(task.line())
                worker.process.stdin.flush()
            except BrokenPipeError:
                continue  # it died; its closed stdout says so

    def _start(self) -> _Worker:
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)}
        process = subprocess.Popen(  # noqa: S603 - this very Python
            [sys.executable, "-m", "isoflop.lab.worker", str(self.study)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process, which tells them
        )
        worker = _Worker(process=process)
        self._workers.append(worker)
        assert process.stdout is not None
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)
        return worker

    def _hear(self, worker: _Worker) -> tuple[Outcome, ...] | None:
        """What a worker says; a dead one is taken out, and its runs are "lost"."""
        assert worker.process.stdout is not None
        data = os.read(worker.process.stdout.fileno(), 65536)
        if not data:
            self._selector.unregister(worker.process.stdout)
            self._workers.remove(worker)
            said = f"its process ended with {_buried(worker.process)}, {TRIES} times"
            runs = worker.task.runs if worker.task else ("",)
            return tuple(Outcome(run=run, status="lost", message=said) for run in runs)
        worker.heard += data
        if not worker.heard.endswith(b"\n"):
            return None
        found = msgspec.json.decode(bytes(worker.heard), type=tuple[Outcome, ...])
        worker.heard.clear()
        return found


def _buried(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process that has ended, its pipes closed."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    process.stdout.close()
    return process.wait()
