"""One folder a run: its spec, what happened in lines that are only added to, a checkpoint, its result, its model."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from isoflop.errors import BadFile, shorten
from isoflop.lab.compact import Log
from isoflop.lab.files import write_atomically
from isoflop.lab.spec import RunSpec, run_spec
from isoflop.quantity.json_file import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a run. `loss` on held-out text and `train_loss` (mean of the last records) in nats per token.

    `status` is done | diverged; `loss` is None where a run that diverged has no finite one. `flops` is convention
    "model", `seconds` the time of its steps, validation and checkpoints left out, and `processor` what they took of
    processors (0 where nobody wrote it down); `threads` what it ran on.
    """

    hash: str
    status: str
    loss: float | None
    train_loss: float | None
    steps: int
    tokens: int
    flops: float
    seconds: float
    epochs: float
    unique_tokens: int
    peak_memory: int
    threads: int
    branched_at: int = 0
    processor: float = 0.0

    @property
    def rate(self) -> float:
        """Work done by this run itself over its time, FLOP/s; steps of a shared trunk are left out."""
        return self.flops * (1 - self.branched_at / max(self.steps, 1)) / max(self.seconds, 1e-9)


class RunFolder:
    """A run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec: RunSpec = run_spec(read_json(path / "spec.json"), str(path / "spec.json"))
        self.log = Log(path)

    @classmethod
    def made(cls, runs: Path, spec: RunSpec) -> RunFolder:
        """The folder of this spec under `runs`, made where there is none yet."""
        path = runs / spec.hash
        if not (path / "spec.json").exists():
            path.mkdir(parents=True, exist_ok=True)
            write_atomically(path / "spec.json", json.dumps(spec.as_json(), indent=1).encode())
        return cls(path)

    @property
    def checkpoint(self) -> Path:
        """Where its last state lies while it runs."""
        return self.path / "checkpoint.safetensors"

    @property
    def result(self) -> Result | None:
        """What came of it; None while it is not over."""
        path = self.path / "result.json"
        if not path.exists():
            return None
        try:
            found: Result = msgspec.convert(read_json(path), Result)
        except (msgspec.ValidationError, BadFile) as error:
            said = shorten(str(error).removeprefix(f"{path}: "), most=200).rstrip(".")
            raise BadFile(f"{path}: {said}; delete it, and the run is done again.") from error
        if found.hash != self.spec.hash:
            raise BadFile(f"{path} is the result of run {found.hash}; delete it, and this run is done again.")
        return found

    def end(self, result: Result) -> None:
        """Keep the result; the checkpoint has done its service."""
        write_atomically(self.path / "result.json", json.dumps(asdict(result), indent=1, allow_nan=False).encode())
        self.checkpoint.unlink(missing_ok=True)

    def losses(self) -> dict[int, float | None]:
        """Loss before each step by its number (from 0); what was run again after a crash counts once, the last."""
        found: dict[int, float | None] = {}
        for record in self.log.read():
            losses = record.get("losses")
            if isinstance(losses, list):
                first = int(str(record["step"])) - len(losses)
                found |= dict(enumerate(losses, start=first))
        return found

    def seconds(self, of: Literal["seconds", "processor"] = "seconds") -> float:
        """Time of all steps that are in the result; steps run again after a crash count once.

        "processor" is that of processors instead, 0 where one record does not have it.
        """
        records = [one for one in self.log.read() if "losses" in one]
        if any(of not in one for one in records):
            return 0.0
        return sum({int(str(one["step"])): float(str(one[of])) for one in records}.values())

    def steps_done(self) -> int:
        """Steps on record."""
        return max((int(str(one["step"])) for one in self.log.read() if "losses" in one), default=0)

    def compact(self) -> bool:
        """Turn the records of a run that is over into `log.parquet`; whether there was something to do.

        A full disk, or no pyarrow, leaves the lines as they are.
        """
        if self.result is None:
            return False
        try:
            return self.log.compact()
        except (OSError, ImportError):
            return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Alone with this run: another process that wants it waits until this one is through, or dead."""
        with (self.path / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def run_folders(runs: Path) -> tuple[RunFolder, ...]:
    """Every run there is, in order of their names."""
    if not runs.is_dir():
        return ()
    return tuple(RunFolder(path) for path in sorted(runs.iterdir()) if (path / "spec.json").exists())


def environment(threads: int) -> dict[str, object]:
    """What a run is run on: versions, processor, threads, load, and the code itself by its hash."""
    import torch

    names = ("isoflop", "torch", "numpy", "safetensors", "tokenizers")
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": versions,
        "python": platform.python_version(),
        "device": _processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": threads,
        "load": os.getloadavg()[0],
        "processors": os.cpu_count(),
        "code": code_hash(),
    }


def code_hash() -> str:
    """Of every file that decides a run's numbers: two runs with one hash were trained by one program."""
    room = Path(__file__).parent
    digest = sha256()
    for folder in (room, room.parent / "torchmodel"):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def fields_of_results() -> tuple[str, ...]:
    """Names of a result's fields, for tables."""
    return tuple(one.name for one in fields(Result))
