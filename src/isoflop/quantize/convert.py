"""A whole checkpoint, one tensor at a time: never more in memory than some chunks, and resumable file by file.

The new checkpoint is made in a folder beside the place it shall have and gets its name when it is whole. What a killed
call leaves there is used by the next one of the same kind.
"""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput, Infeasible, shorten
from isoflop.quantize.choose import Patterns, check_patterns, module_of, reason_to_keep
from isoflop.quantize.encode import Scaling, kernels
from isoflop.quantize.job import Job
from isoflop.quantize.layout import PLAIN_DTYPES, Out, outputs, quantization_config, siblings
from isoflop.quantize.report import Report, TensorReport
from isoflop.quantize.scheme import PLAIN, scheme
from isoflop.quantize.shard_file import ShardFile
from isoflop.quantize.source import FLOATS, SIZES, Source, open_source
from isoflop.quantize.tensor import Sums, Work, cast_tensor, copy_tensor, magnitude_of, quantize_tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

    from isoflop.quantize.scheme import Choice, Scheme
    from isoflop.quantize.source import Placed, SourceShard


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to convert, beside the scheme.

    `choice` of scales: "absmax", "mse" (least squared error; several times the work, and the error of INT4 some 9 %
    lower) or "percentile". `keep` and `include` are patterns of layers to leave as they are, or to quantize although the
    rules would not. `rest` is the plain format for what is not quantized ("" leaves it). `threads`: 0 for all cores.
    `fast` uses numba where it is there. `sync` waits for the disk, so that a power cut loses nothing either.
    """

    choice: Choice = "absmax"
    percentile: float = 99.9
    keep: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    rest: str = ""
    threads: int = 0
    fast: bool = True
    sync: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.choice not in {"absmax", "mse", "percentile"}:
            raise BadInput(f"scales are chosen by absmax, mse or percentile, not '{shorten(self.choice)}'.")
        if not 50 <= self.percentile <= 100:
            raise BadInput(f"percentile {self.percentile:g}: give one from 50 to 100; 99.9 is usual.")
        if self.rest and self.rest not in PLAIN:
            raise BadInput(f"what is not quantized is kept in {', '.join(PLAIN)}, not in '{shorten(self.rest)}'.")
        if not 0 <= self.threads <= 4096:
            raise BadInput(f"threads {self.threads}: give 0 for all cores, or how many.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What becomes of a tensor: why it is kept (empty: quantized), and the tensors it becomes."""

    tensor: Placed
    kept: str
    cast: str
    outs: tuple[Out, ...]


def quantize(
    source: str | PathLike[str],
    folder: str | PathLike[str],
    to: str | Scheme,
    *,
    options: Options | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Convert the checkpoint at `source` into a new `folder` by the scheme `to`.

    The source is only read. `progress` is called with bytes read so far and in all. Peak memory is that of the
    interpreter and some chunks of a few MB a thread, plus the scales of one tensor.

    Raises:
        BadFile: a checkpoint that cannot be believed, a folder that is there already, a disk that is full.
        BadInput: weights with NaN or infinity, patterns that match nothing.
        UnknownName: no such scheme.
    """
    chosen, options = scheme(to), options or Options()
    found = open_source(source)
    target = Path(folder)
    _check(found, target, chosen)
    if chosen.layout == "gguf":
        from isoflop.quantize.gguf_file import write_gguf

        return write_gguf(found, target, chosen, options, progress=progress)
    patterns = Patterns(keep=options.keep, include=options.include)
    check_patterns(patterns, found.tensors)
    plans = {shard.path.name: [_plan(tensor, chosen, patterns, options) for tensor in shard.tensors] for shard in found.shards}
    if not any(not plan.kept for listed in plans.values() for plan in listed):
        raise BadInput(f"{shorten(str(source), most=200)}: no weight to convert to {chosen.name}; {_why_none(plans)}")
    _check_room(target, sum(out.bytes for listed in plans.values() for plan in listed for out in plan.outs))
    return _convert(found, target, chosen, options, plans, progress)


def _check(found: Source, target: Path, chosen: Scheme) -> None:
    """Refuse to overwrite, and to quantize what is quantized."""
    called = shorten(str(target), most=200)
    if target.exists():
        raise BadFile(f"{called}: is there already; give a new name, or remove it first.")
    if not target.parent.is_dir():
        raise BadFile(f"{called}: the folder {shorten(str(target.parent), most=200)} is not there; make it first.")
    if target.resolve().is_relative_to(found.folder.resolve()) and found.is_folder:
        raise BadFile(f"{called}: lies inside the checkpoint that is read; give a place outside it.")
    text = found.config.get("text_config")
    if "quantization_config" in found.config or (isinstance(text, dict) and "quantization_config" in text):
        raise BadFile(
            f"{shorten(str(found.folder), most=200)}: its config says that it is quantized already. Rounding twice loses "
            f"more: start from the original, or read it back first: isoflop quantize SRC DST --dequantize bf16"
        )
    del chosen


def _check_room(target: Path, needed: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise Infeasible(
            f"{shorten(str(target), most=200)}: {needed:,} bytes are to be written, and {free:,} are free there. "
            "Make room, or choose another disk or a smaller scheme."
        )


def _plan(tensor: Placed, chosen: Scheme, patterns: Patterns, options: Options) -> _Plan:
    if chosen.element == "plain":
        kept = "" if tensor.dtype in FLOATS and FLOATS[tensor.dtype] != chosen.target else "in that format already"
        kept = kept if tensor.dtype in FLOATS else "not a floating-point tensor"
        cast = chosen.target if not kept else ""
    else:
        kept = reason_to_keep(tensor, chosen, patterns)
        cast = options.rest if kept and tensor.dtype in FLOATS and options.rest != FLOATS.get(tensor.dtype) else ""
    if not kept and not cast:
        return _Plan(tensor=tensor, kept="", cast="", outs=outputs(tensor, chosen))
    out = Out(tensor.name, PLAIN_DTYPES[cast] if cast else tensor.dtype, tensor.shape)
    return _Plan(tensor=tensor, kept=kept, cast=cast, outs=(out,))


def _why_none(plans: Mapping[str, list[_Plan]]) -> str:
    reasons: dict[str, int] = {}
    for listed in plans.values():
        for plan in listed:
            reasons[plan.kept] = reasons.get(plan.kept, 0) + 1
    first = sorted(reasons.items(), key=lambda pair: -pair[1])[:4]
    return "kept are " + ", ".join(f"{count:,} ({reason})" for reason, count in first) + "."


def _convert(
    found: Source, target: Path, chosen: Scheme, options: Options, plans: Mapping[str, list[_Plan]],
    progress: Callable[[int, int], None] | None,
) -> Report:  # fmt: skip
    started = time.monotonic()
    threads = options.threads or len(os.sched_getaffinity(0))
    scaling = Scaling(choice=options.choice, percentile=options.percentile)
    tensors: list[TensorReport] = []
    with Job.open(target, found, chosen, options) as job, ThreadPoolExecutor(threads) as pool:
        work = Work(scheme=chosen, scaling=scaling, use=kernels(fast=options.fast), pool=pool)
        meter = _Meter(progress, found.bytes)
        whole = _Magnitudes(found, work)
        for shard in found.shards:
            done = job.done(shard.path.name)
            if done is None:
                done = _shard(shard, job.folder / shard.path.name, plans[shard.path.name], work, whole, options, meter)
                job.finish(shard.path.name, done)
            tensors += done
            meter.at(sum(tensor.bytes for tensor in shard.tensors), whole_shard=True)
        warnings = job.complete(_config(found, chosen, plans, options), tensors)
        before = sum(shard.path.stat().st_size for shard in found.shards)
        after = sum((job.folder / shard.path.name).stat().st_size for shard in found.shards)
        report = Report(
            source=str(found.folder), folder=str(target), scheme=chosen.name, words=chosen.words, choice=options.choice,
            tensors=tuple(tensors), file_bytes_before=before, file_bytes_after=after, resumed=job.resumed,
            warnings=warnings,
        )  # fmt: skip
        job.publish(report)
    return replace(report, seconds=time.monotonic() - started)


class _Meter:
    """Bytes read so far, told to whoever watches."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._settled, self._now = progress, total, 0, 0

    def at(self, size: int, *, whole_shard: bool = False) -> None:
        """Another tensor, or all of a file."""
        if whole_shard:
            self._settled, self._now = self._settled + size, 0
        else:
            self._now += size
        if self._progress is not None:
            self._progress(self._settled + self._now, self._total)


class _Magnitudes:
    """The largest |w| of a weight and of those that share its scale, looked up where a scheme needs it."""

    def __init__(self, found: Source, work: Work) -> None:
        self._work = work
        self._places = {tensor.name: (shard.path, tensor) for shard in found.shards for tensor in shard.tensors}
        self._known: dict[str, float] = {}

    def of(self, name: str) -> float:
        """The magnitude that the scheme wants for this weight; 0 where it wants none."""
        scheme_ = self._work.scheme
        if scheme_.granularity != "tensor" and scheme_.scale != "e4m3":
            return 0.0
        shared = siblings(name) if scheme_.scale == "e4m3" else (name,)
        return max(self._one(other) for other in shared if other in self._places)

    def _one(self, name: str) -> float:
        if name not in self._known:
            path, tensor = self._places[name]
            if len(tensor.shape) != 2 or tensor.dtype not in FLOATS:
                return 0.0
            file = os.open(path, os.O_RDONLY)
            try:
                self._known[name] = magnitude_of(file, tensor, self._work)
            finally:
                os.close(file)
        return self._known[name]


def _shard(
    shard: SourceShard, path: Path, plans: Sequence[_Plan], work: Work, whole: _Magnitudes, options: Options, meter: _Meter
) -> list[TensorReport]:
    """Write one file of the new checkpoint."""
    into = ShardFile(path, [out for plan in plans for out in plan.outs], shard.metadata)
    file = os.open(shard.path, os.O_RDONLY)
    try:
        done = []
        for plan in plans:
            done.append(_tensor(file, plan, into, work, whole))
            meter.at(plan.tensor.bytes)
        into.whole(sync=options.sync)
    except BaseException:
        into.drop()
        raise
    finally:
        os.close(file)
    return done


def _tensor(file: int, plan: _Plan, into: ShardFile, work: Work, whole: _Magnitudes) -> TensorReport:
    tensor, sums = plan.tensor, Sums()
    if plan.cast:
        sums = cast_tensor(file, tensor, into, plan.cast, work)
    elif plan.kept:
        copy_tensor(file, tensor, into)
    else:
        scaling = replace(work.scaling, stored=FLOATS[tensor.dtype] if tensor.dtype != "F64" else "fp32")
        sums = quantize_tensor(file, tensor, into, replace(work, scaling=scaling), whole.of(tensor.name))
    changed = plan.cast or not plan.kept
    return TensorReport(
        name=tensor.name, shape=tensor.shape, dtype=tensor.dtype,
        stored=PLAIN_DTYPES[plan.cast] if plan.cast else tensor.dtype if plan.kept else work.scheme.name,
        bytes_before=tensor.bytes, bytes_after=sum(out.bytes for out in plan.outs), kept=plan.kept,
        squares=sums.squares, wrong=sums.wrong, largest=sums.largest, magnitude=sums.magnitude,
        note=_note(sums) if changed else "",
    )  # fmt: skip


def _note(sums: Sums) -> str:
    if sums.magnitude == 0:
        return "all zeros"
    return f"every weight is {sums.constant:.6g}" if sums.constant is not None else ""


def _config(
    found: Source, chosen: Scheme, plans: Mapping[str, list[_Plan]], options: Options
) -> dict[str, object] | None:
    """config.json of the new checkpoint; None where the source has none."""
    if not found.config:
        return None
    config = dict(found.config)
    plain = chosen.target if chosen.element == "plain" else options.rest
    if plain:
        word = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}[plain]
        config |= {key: word for key in ("torch_dtype", "dtype") if key in config} or {"torch_dtype": word}
    if chosen.element != "plain":
        kept = [plan for listed in plans.values() for plan in listed if plan.kept and plan.kept != "embedding"]
        layers = [module_of(plan.tensor.name) for plan in kept if len(plan.tensor.shape) == 2]
        config["quantization_config"] = quantization_config(chosen, [layer for layer in layers if layer])
    return config


_ = SIZES
