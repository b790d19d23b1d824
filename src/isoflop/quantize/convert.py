"""A whole checkpoint, one tensor at a time: never more in memory than some chunks, and resumable file by file.

The new checkpoint is made in a folder beside the place it shall have and gets its name when it is whole. What a killed
call leaves there is used by the next one of the same kind.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput, shorten
from isoflop.quantize.encode import Scaling, kernels
from isoflop.quantize.job import Job
from isoflop.quantize.layout import PLAIN_DTYPES, experts_note, siblings
from isoflop.quantize.options import Options
from isoflop.quantize.plan import Plan, Plans, check_places, config_of, is_quantized, plan_all
from isoflop.quantize.read_back import decode_into
from isoflop.quantize.report import Report, TensorReport
from isoflop.quantize.scheme import PLAIN, scheme
from isoflop.quantize.shard_file import ShardFile
from isoflop.quantize.source import FLOATS, Source, open_source
from isoflop.quantize.tensor import Sums, Work, cast_tensor, copy_tensor, magnitude_of, processors, quantize_tensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from isoflop.quantize.scheme import Scheme
    from isoflop.quantize.source import SourceShard


def quantize(
    source: str | PathLike[str],
    folder: str | PathLike[str],
    to: str | Scheme,
    *,
    options: Options | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Convert the checkpoint at `source` into a new `folder` by the scheme `to`.

    A plain format ("bf16") casts, and reads a quantized checkpoint back. The source is only read. `progress` is called
    with bytes read so far and in all. Peak memory is that of the interpreter and a few chunks of some 10 MB a thread,
    plus the scales of one tensor; a matrix whose rows are longer than a chunk takes nine bytes a weight of a row.

    Raises:
        BadFile: a checkpoint that cannot be believed, a folder that is there already, a disk that is full.
        BadInput: weights with NaN or infinity, patterns that match nothing, nothing to convert.
        Infeasible: too little room on the disk.
        UnknownName: no such scheme.
    """
    chosen, options = scheme(to), options or Options()
    _check_choice(chosen, options)
    found, target = open_source(source), Path(folder)
    check_places(found, target)
    if chosen.layout == "gguf":
        from isoflop.quantize.gguf_file import write_gguf

        return write_gguf(found, target, chosen, options, progress=progress)
    try:
        return _convert(found, target, chosen, options, _Meter(progress, found.bytes))
    except OSError as error:
        where = shorten(str(error.filename or target), most=200)
        raise BadFile(
            f"{where}: {error.strerror or error}. Files that are finished are kept: the same call goes on from there."
        ) from error


def dequantize(
    source: str | PathLike[str],
    folder: str | PathLike[str],
    to: str = "bf16",
    *,
    options: Options | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Read the quantized checkpoint at `source` back into plain numbers ("bf16", "fp16" or "fp32") in a new `folder`.

    It is `quantize` to a plain format, which refuses a source that is not quantized.

    Raises:
        BadFile: as in `quantize`, and where the config does not say that the weights are quantized.
        BadInput: `to` is no plain format.
    """
    if scheme(to).layout != "dense":
        raise BadInput(f"weights are read back as {', '.join(PLAIN)}, not as {shorten(to)}.")
    if not is_quantized(open_source(source)):
        raise BadFile(f"{shorten(str(source), most=200)}: its config does not say that it is quantized.")
    return quantize(source, folder, to, options=options, progress=progress)


def _convert(found: Source, target: Path, chosen: Scheme, options: Options, meter: _Meter) -> Report:
    plans = plan_all(found, target, chosen, options)
    started = time.monotonic()
    threads = options.threads or processors()
    with Job.open(target, found, chosen, options) as job, ThreadPoolExecutor(threads) as pool:
        scaling = Scaling(choice=options.choice, percentile=options.percentile)
        work = Work(scheme=chosen, scaling=scaling, use=kernels(fast=options.fast), pool=pool)
        taken = frozenset(plan.tensor.name for plan in plans.all if not plan.kept)
        tensors = _shards(found, job, plans, _Way(work, _Magnitudes(found, work, taken), options, meter))
        warnings = (*job.complete(config_of(found, chosen, plans, options)), *experts_note(chosen, taken))
        report = _report(found, target, chosen, options, job, tensors)
        report = replace(report, seconds=time.monotonic() - started, warnings=warnings)
        job.publish(report)
    return report


def _check_choice(chosen: Scheme, options: Options) -> None:
    """Refuse a choice of scales that would be ignored."""
    shared = chosen.granularity in {"tensor", "block"} or not chosen.symmetric
    if options.choice == "percentile" and shared and chosen.element != "plain":
        raise BadInput(f"a percentile chooses scales of single rows or groups without a zero point, not {chosen.name}.")


def _report(
    found: Source, target: Path, chosen: Scheme, options: Options, job: Job, tensors: list[TensorReport]
) -> Report:
    return Report(
        source=str(found.folder), folder=str(target), scheme=chosen.name, words=chosen.words, choice=options.choice,
        tensors=tuple(tensors), resumed=job.resumed,
        file_bytes_before=sum(shard.path.stat().st_size for shard in found.shards),
        file_bytes_after=sum((job.folder / shard.path.name).stat().st_size for shard in found.shards),
    )  # fmt: skip


class _Way:
    """What every file is converted with."""

    def __init__(self, work: Work, magnitudes: _Magnitudes, options: Options, meter: _Meter) -> None:
        self.work, self.magnitudes, self.options, self.meter = work, magnitudes, options, meter


class _Meter:
    """Bytes read so far, told to whoever watches."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._now = progress, total, 0

    def read(self, size: int) -> None:
        """Another tensor, or a whole file that was there."""
        self._now += size
        if self._progress is not None:
            self._progress(self._now, self._total)


class _Magnitudes:
    """The largest |w| of a weight and of those quantized that share its scale, looked up where a scheme needs it."""

    def __init__(self, found: Source, work: Work, taken: frozenset[str]) -> None:
        self._work = work
        self._places = {
            tensor.name: (shard.path, tensor)
            for shard in found.shards
            for tensor in shard.tensors
            if tensor.name in taken
        }
        self._known: dict[str, float] = {}

    def of(self, name: str) -> float:
        """The magnitude that the scheme wants for this weight; 0 where it wants none."""
        by_two = self._work.scheme.scale == "e4m3"
        if self._work.scheme.granularity != "tensor" and not by_two:
            return 0.0
        shared = siblings(name) if by_two else (name,)
        return max(self._one(other) for other in shared if other in self._places)

    def _one(self, name: str) -> float:
        path, tensor = self._places[name]
        if len(tensor.shape) != 2 or tensor.dtype not in FLOATS:
            return 0.0
        if name not in self._known:
            file = os.open(path, os.O_RDONLY)
            try:
                self._known[name] = magnitude_of(file, tensor, self._work)
            finally:
                os.close(file)
        return self._known[name]


def _shards(found: Source, job: Job, plans: Plans, way: _Way) -> list[TensorReport]:
    """All files, those that are there already left as they are."""
    tensors: list[TensorReport] = []
    for shard in found.shards:
        done = job.done(shard.path.name)
        if done is None:
            done = _shard(shard, job.folder / shard.path.name, plans, way)
            job.finish(shard.path.name, done)
        else:
            way.meter.read(sum(tensor.bytes for tensor in shard.tensors))
        tensors += done
    return tensors


def _shard(shard: SourceShard, path: Path, plans: Plans, way: _Way) -> list[TensorReport]:
    """Write one file of the new checkpoint."""
    listed = plans.by_file[shard.path.name]
    into = ShardFile(path, [out for plan in listed for out in plan.outs], shard.metadata)
    file = os.open(shard.path, os.O_RDONLY)
    try:
        done = []
        for plan in listed:
            done.append(_tensor(file, plan, plans, into, way))
            way.meter.read(done[-1].bytes_before)
        into.whole(sync=way.options.sync)
    except BaseException:
        into.drop()
        raise
    finally:
        os.close(file)
    return done


def _tensor(file: int, plan: Plan, plans: Plans, into: ShardFile, way: _Way) -> TensorReport:
    tensor, work, sums = plan.tensor, way.work, Sums()
    stored = PLAIN_DTYPES[plan.cast] if plan.cast else tensor.dtype if plan.kept else work.scheme.name
    if plan.coded is not None:
        assert plans.stored is not None
        decode_into(plan.coded, plans.stored, into, plan.cast)
    elif plan.cast:
        sums = cast_tensor(file, tensor, into, plan.cast, work)
    elif plan.kept:
        copy_tensor(file, tensor, into)
    else:
        scaling = replace(work.scaling, stored={"F64": "fp32"}.get(tensor.dtype, FLOATS[tensor.dtype]))
        sums = quantize_tensor(file, tensor, into, replace(work, scaling=scaling), way.magnitudes.of(tensor.name))
    rounded = plan.coded is None and (plan.cast or not plan.kept)
    return TensorReport(
        name=plan.coded.name if plan.coded else tensor.name,
        shape=plan.outs[0].shape if plan.coded else tensor.shape,
        dtype=tensor.dtype, stored=stored, bytes_before=plan.coded.bytes if plan.coded else tensor.bytes,
        bytes_after=sum(out.bytes for out in plan.outs), kept=plan.kept, squares=sums.squares, wrong=sums.wrong,
        largest=sums.largest, magnitude=sums.magnitude, note=_note(sums) if rounded else "",
    )  # fmt: skip


def _note(sums: Sums) -> str:
    if sums.magnitude == 0:
        return "all zeros"
    return f"every weight is {sums.constant:.6g}" if sums.constant is not None else ""
