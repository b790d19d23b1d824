"""The folder in which a conversion is made: what is finished there, and how it gets its name.

`DST.unfinished/` holds `.job.json` (what is being made of what), one report a finished file, and the files. A call that
finds its own job there goes on with it; another's is refused while that runs, and replaced when it does not. What is
not part of the checkpoint has names that begin with a dot, which no file carried along has.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Self

from isoflop.errors import BadFile, shorten
from isoflop.model.headers.safetensors import INDEX, read_safetensors
from isoflop.quantity.json_file import read_json
from isoflop.quantize.report import Report, TensorReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from isoflop.quantize.options import Options
    from isoflop.quantize.scheme import Scheme
    from isoflop.quantize.source import Source

REPORT = "quantization_report.json"
_JOB = ".job.json"
_DONE = ".done.json"
_SPEED_ONLY = frozenset({"threads", "fast", "sync"})


class Job:
    """A conversion in the making; a context manager that holds the folder's lock."""

    def __init__(self, target: Path, source: Source, lock: int, wanted: Callable[[], str], *, sync: bool) -> None:
        self.target, self.source, self.folder = target, source, _beside(target)
        self._lock, self._wanted, self._sync = lock, wanted, sync
        self.resumed = 0

    @classmethod
    def open(cls, target: Path, source: Source, chosen: Scheme, options: Options) -> Job:
        """Start the job, or go on with it.

        Raises:
            BadFile: another process makes it right now, or the folder is not one of ours.
        """
        folder = _beside(target)
        wanted = _said(source, chosen, options)
        if folder.exists() and not (folder / _JOB).is_file() and any(folder.iterdir()):
            raise BadFile(f"{shorten(str(folder), most=200)}: is there and was not made by a conversion; move it away.")
        folder.mkdir(exist_ok=True)
        lock = os.open(folder / _JOB, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise BadFile(
                f"{shorten(str(folder), most=200)}: another process is writing there; wait for it."
            ) from error
        if not _is_at(lock, folder / _JOB):
            os.close(lock)
            raise BadFile(f"{shorten(str(target), most=200)}: another process has just finished it.")
        if os.pread(lock, 1 << 26, 0).decode(errors="replace") != wanted:
            for one in folder.iterdir():
                if one.is_dir() and not one.is_symlink():
                    shutil.rmtree(one)
                elif one.name != _JOB:
                    one.unlink()
            os.ftruncate(lock, 0)
            os.pwrite(lock, wanted.encode(), 0)
        return cls(target, source, lock, lambda: _said(source, chosen, options), sync=options.sync)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the lock go; a folder in which nothing was finished goes too."""
        os.close(self._lock)
        if kind is not None and self.folder.is_dir() and not any(self.folder.glob(f".*{_DONE}")):
            shutil.rmtree(self.folder)

    def done(self, name: str) -> list[TensorReport] | None:
        """What an earlier call reported of a file that it finished; None where it did not."""
        note, file = self.folder / f".{name}{_DONE}", self.folder / name
        if not (note.is_file() and file.is_file()):
            return None
        told = read_json(note, most_bytes=1 << 30)
        listed = told["tensors"]
        if told["bytes"] != file.stat().st_size:  # the disk lost its end in a power cut
            return None
        assert isinstance(listed, list)
        self.resumed += 1
        return [TensorReport(**{**one, "shape": tuple(one["shape"])}) for one in listed]

    def finish(self, name: str, tensors: Sequence[TensorReport]) -> None:
        """Note that a file is whole, and what was done in it."""
        size = (self.folder / name).stat().st_size
        _write_json(
            self.folder / f".{name}{_DONE}",
            {"bytes": size, "tensors": [asdict(one) for one in tensors]},
            sync=self._sync,
        )

    def complete(self, config: Mapping[str, object] | None) -> tuple[str, ...]:
        """Add what belongs to a checkpoint beside its weights. Returns what people should know.

        Raises:
            BadFile: the source has changed since the call began.
        """
        if os.pread(self._lock, 1 << 26, 0).decode(errors="replace") != self._wanted():
            raise BadFile(f"{shorten(str(self.source.folder), most=200)}: has changed while it was read; begin again.")
        for one in self.source.beside:
            copy = self.folder / one.relative_to(self.source.folder)
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(one, copy)
            if self._sync:
                _sync(copy)
        left = self.source.left
        said = (f"folders that are not carried along: {shorten(', '.join(left), most=200)}",) if left else ()
        names = [shard.path.name for shard in self.source.shards]
        if names != ["model.safetensors"]:
            _write_json(self.folder / INDEX, self._index(), sync=self._sync)
        if config is None:
            return (*said, "no config.json beside the weights: readers will not know how they are quantized")
        _write_json(self.folder / "config.json", config, sync=self._sync)
        return said

    def _index(self) -> dict[str, object]:
        placed, total = {}, 0
        for shard in self.source.shards:
            for tensor in read_safetensors(self.folder / shard.path.name).tensors:
                placed[tensor.name] = shard.path.name
                total += tensor.bytes
        return {"metadata": {"total_size": total}, "weight_map": placed}

    def publish(self, report: Report) -> None:
        """The whole folder under its name, at once; only then the notes go, so that a kill here loses nothing."""
        _write_json(self.folder / REPORT, report_object(report), sync=self._sync)
        if self._sync:
            _sync(self.folder)
        self.folder.rename(self.target)
        if self._sync:
            _sync(self.target.parent)
        for note in (*self.target.glob(f".*{_DONE}"), self.target / _JOB):
            note.unlink()


def report_object(report: Report) -> dict[str, object]:
    """The report as scripts read it: base units, the whole first."""
    tensors = [
        {
            "name": one.name, "shape": list(one.shape), "dtype": one.dtype, "stored": one.stored,
            "bytes_before": one.bytes_before, "bytes_after": one.bytes_after, "kept": one.kept,
            "relative_error": one.relative_error, "sqnr": one.sqnr, "largest_error": one.largest,
            "magnitude": one.magnitude, "note": one.note,
        }
        for one in report.tensors
    ]  # fmt: skip
    return {
        "schema_version": 1, "scheme": report.scheme, "words": report.words, "scales": report.choice,
        "source": report.source, "numbers": report.numbers, "bytes_before": report.bytes_before,
        "bytes_after": report.bytes_after, "file_bytes_before": report.file_bytes_before,
        "file_bytes_after": report.file_bytes_after, "saved_against_source": report.saved(),
        "saved_against_fp32": report.saved(4), "saved_against_bf16": report.saved(2),
        "bits_per_weight": report.bits_per_weight, "relative_error": report.relative_error, "sqnr": report.sqnr,
        "largest_error": report.largest_error, "warnings": list(report.warnings), "tensors": tensors,
    }  # fmt: skip


def _said(source: Source, chosen: Scheme, options: Options) -> str:
    """The job in words that are equal for equal jobs: what is read (names, sizes, times), and what is made of it."""
    stats = [(shard.path.name, shard.path.stat()) for shard in source.shards]
    asked = {key: value for key, value in asdict(options).items() if key not in _SPEED_ONLY}
    return json.dumps(
        {
            "source": str(source.folder.resolve()),
            "files": [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats],
            "scheme": asdict(chosen),
            "options": asked,
        },
        sort_keys=True,
    )


def _beside(target: Path) -> Path:
    return target.with_name(target.name + ".unfinished")


def _is_at(file: int, path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _sync(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _write_json(path: Path, table: Mapping[str, object], *, sync: bool) -> None:
    """The file whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
        if sync:
            _sync(temporary)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BadFile(f"{shorten(str(path), most=200)}: cannot be written: {error.strerror}.") from error
    temporary.replace(path)
