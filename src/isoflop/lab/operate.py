"""A study in its folder: made, run in rounds until its bottoms are enclosed or its allowance is spent, resumed, judged.

Everything lies in the folder: `study.toml`, `corpus/`, `runs/` (one folder each), `trunks/`, `history.jsonl` (what was
predicted and what was measured of each round). Nothing is written elsewhere. After each round the records of its runs
are compacted.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import fields
from time import perf_counter, time
from typing import TYPE_CHECKING, Literal

from isoflop.errors import BadInput, shorten
from isoflop.lab.data import Corpus, build_corpus
from isoflop.lab.files import Records, write_atomically
from isoflop.lab.forecast import Means, check_disk, disk_bytes, forecast, summary
from isoflop.lab.pace import OWN, profile_text
from isoflop.lab.pool import Pool
from isoflop.lab.ray_pool import RayPool
from isoflop.lab.sizes import Wanted, wanted
from isoflop.lab.store import RunFolder, run_folders
from isoflop.lab.study import read_study
from isoflop.lab.tasks import tasks_of
from isoflop.quantity.toml_file import read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from isoflop.lab.forecast import Forecast
    from isoflop.lab.pool import Outcome, Task
    from isoflop.lab.spec import RunSpec
    from isoflop.lab.store import Result
    from isoflop.lab.study import Study


TIMES: tuple[Literal["seconds", "processor"], ...] = ("seconds", "processor")
"""Kinds of time that runs keep: on the clock, and of their processor."""


class StudyFolder:
    """A study on disk."""

    def __init__(self, path: Path) -> None:
        if not (path / "study.toml").is_file():
            raise BadInput(
                f"'{shorten(str(path), most=200)}' holds no study; make one with: isoflop lab new {path} STUDY.toml"
            )
        self.path = path
        self.study = read_study(read_text(path / "study.toml"), str(path / "study.toml"))
        self.corpus = Corpus(path / "corpus")
        _check_same(self.study, self.corpus)
        self.history = Records(path / "history.jsonl")

    @property
    def runs(self) -> Path:
        """The folder of its runs."""
        return self.path / "runs"

    def folders(self) -> tuple[RunFolder, ...]:
        """Every run that was begun."""
        return run_folders(self.runs)

    def results(self) -> dict[str, Result]:
        """Results so far, by hash."""
        found = {one.spec.hash: one.result for one in self.folders()}
        return {name: result for name, result in found.items() if result is not None}

    def wanted(self) -> Wanted:
        """What it asks for as far as its results go."""
        return wanted(self.study, self.corpus, self.results())

    def todo(self) -> tuple[RunSpec, ...]:
        """Runs that are to be done next."""
        done = self.results()
        return tuple(one for one in self.wanted().specs if one.hash not in done)

    def tasks(self, todo: Sequence[RunSpec]) -> list[Task]:
        """These runs in the order in which they are done, with what they share."""
        return tasks_of(todo, self.wanted().specs, together=self.study.most)

    def expect(self, before: Forecast, processes: int) -> None:
        """Keep the seconds predicted of each run, for those who look on while they are done."""
        said = {"processes": processes, "began": time(), "seconds": dict(before.seconds)}
        write_atomically(self.path / "expected.json", json.dumps(said).encode())

    def compact(self) -> int:
        """Records of runs that are over from lines into Parquet; how many runs. Call it alone with the study."""
        return sum(one.compact() for one in self.folders())

    def compact_if_free(self) -> int:
        """The same where no process runs the study, and where nothing may be written here nothing."""
        try:
            with self.held():
                return self.compact()
        except (BadInput, OSError):
            return 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Alone with the study; BadInput where another process runs it."""
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BadInput(f"{self.path} is being run by another process: wait for it, or end it.") from error
            yield


def _check_same(study: Study, corpus: Corpus) -> None:
    """Refuse a study whose text is not what its file says now; how often it may be read can be changed."""
    if corpus.made_of is None:
        return
    names = [one.name for one in fields(study.data) if one.name != "epochs"]
    changed = [name for name in names if getattr(corpus.made_of, name) != getattr(study.data, name)]
    if changed:
        raise BadInput(
            f"{', '.join(changed)} under [data] was changed after the text of this study was read: put it back, or make"
            " another study with isoflop lab new."
        )


def make_study(folder: Path, toml: Path, *, machine: Path | None = None) -> StudyFolder:
    """Make a study from its TOML: read it, build the corpus, and refuse now what could not be trained later.

    Paths under [data] are from where the TOML lies; `machine` is a profile of this machine for forecasts. Raises:
    BadInput where the folder holds something already.
    """
    text = read_text(toml)
    profile = None if machine is None else profile_text(machine)
    study = read_study(text, str(toml))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"'{shorten(str(folder), most=200)}' is not empty; name a folder that is not there yet.")
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = shorten(str(folder), most=200)
        raise BadInput(f"'{said}' cannot be made ({error.strerror}); name a folder that you may write to.") from error
    try:
        corpus = build_corpus(study.data, folder / "corpus", base=toml.resolve().parent)
        first = wanted(study, corpus, {})
        for spec in first.specs:
            corpus.check(spec.tokens, length=spec.sequence, epochs=spec.epochs, vocabulary=spec.shape.vocabulary)
        check_disk(shutil.disk_usage(folder).free, disk_bytes(first.specs, 2))
        if profile is not None:
            write_atomically(folder / OWN, profile.encode())
        write_atomically(folder / "study.toml", text.encode())
        (folder / "runs").mkdir()
    except BaseException:
        shutil.rmtree(folder / "corpus", ignore_errors=True)
        if made:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return StudyFolder(folder)


def run_study(
    held: StudyFolder,
    tell: Callable[[Outcome | Forecast], None],
    *,
    processes: int = 2,
    threads: int = 1,
    probe: bool = True,
    ray: str | None = None,
) -> tuple[Wanted, tuple[Outcome, ...]]:
    """Do every run that the study asks for, round by round; what it asks for at the end, and what failed.

    `tell` hears the forecast of each round before it begins, and of each run as it ends.

    `ray`: the address of a Ray cluster that shares the folder, "" for one started on this machine; None for processes.

    Begun again after a crash or SIGINT it goes on: finished runs are not touched, others resume from their checkpoint.
    """
    failed: list[Outcome] = []
    with held.held(), _engine(held.path, processes, threads, ray) as pool:
        while True:
            todo = [one for one in held.todo() if one.hash not in {bad.run for bad in failed}]
            if not todo:
                return held.wanted(), tuple(failed)
            check_disk(shutil.disk_usage(held.path).free, disk_bytes(todo, processes))
            folders = [RunFolder.made(held.runs, spec) for spec in todo]
            spent: dict[str, float] = {of: sum(one.seconds(of) for one in folders) for of in TIMES}
            before = None
            if probe or (held.path / OWN).is_file():
                means = Means(processes=processes, threads=threads, price=held.study.price, probe=probe)
                before = forecast(held.path, todo, means, held.tasks(todo))
                held.expect(before, processes)
                tell(before)

            def heard(outcome: Outcome) -> None:
                if outcome.status in {"failed", "lost"}:
                    failed.append(outcome)
                tell(outcome)

            began = perf_counter()
            pool.do(held.tasks(todo), heard)
            with suppress(OSError):  # a full disk, which the runs that failed tell of; only what was measured is lost
                _note(held, todo, before, perf_counter() - began, spent)
            held.compact()


def _engine(study: Path, processes: int, threads: int, ray: str | None) -> Pool | RayPool:
    if ray is None:
        return Pool(study, processes=processes, threads=threads)
    return RayPool(study, processes=processes, threads=threads, address=ray)


def _note(
    held: StudyFolder, todo: Sequence[RunSpec], before: Forecast | None, wall: float, spent: Mapping[str, float]
) -> None:
    """Keep what was predicted of a round beside what was measured; `spent` is what its runs had on record before it."""
    results = held.results()
    done = [results[one.hash] for one in todo if one.hash in results]
    held.history.add(
        {
            "runs": [one.hash for one in todo],
            "predicted": None if before is None else summary(before),
            "measured": {
                "runs": len(done),
                "wall": wall,
                "busy": sum(one.seconds for one in done) - spent["seconds"],
                "processor": sum(one.processor for one in done) - spent["processor"],
                "load": os.getloadavg()[0],
                "memory": max((one.peak_memory for one in done), default=0),
                "flops": sum(one.flops for one in done),
            },
        }
    )
