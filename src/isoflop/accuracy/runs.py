"""A row's settings as runs: what they say, what is usual where they say nothing, and what else it may be.

By mechanism: the software (`software.toml`), its year, formats and degrees decide, never a source or the name of a
model. A setting that is missing and decides by factors is refused; one that decides by parts takes what is usual, is
named in `assumed`, and the other possibilities widen the interval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from isoflop.accuracy.formats import recipe_of
from isoflop.accuracy.shapes import Shape, shapes_of
from isoflop.accuracy.software import software_of, usual_software, year_of
from isoflop.accuracy.split import split_of
from isoflop.errors import BadInput, MissingData
from isoflop.training import Layout, Run, engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.accuracy.rows import Settings
    from isoflop.accuracy.shapes import Known
    from isoflop.accuracy.software import Software
    from isoflop.model.spec import ModelSpec
    from isoflop.training import Recipe

MOST_CASES = 64
OFFLOADED_MODULES = 1.2
"""How far off a prediction may be where modules, not layers, are offloaded: it does not know of that."""

KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "": ("reserved", "allocated"),
        "allocated": ("allocated",),
        "reserved": ("reserved",),
        "device": ("device",),
    }
)
"""Kinds of memory that a row may have measured, the likeliest first. Tools that print a peak without saying which print
mostly what the allocator reserved (torchtitan's metric, and of those built after it), some what was allocated."""


class Case(NamedTuple):
    """One reading of a row."""

    run: Run
    layout: Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """All readings of a row, the likeliest first; `assumed` says what was not stated, `widen` what is not modelled.

    `no_memory` is the reason where its memory cannot be said, though its time can.
    """

    cases: tuple[Case, ...]
    kinds: tuple[str, ...]
    assumed: tuple[str, ...] = ()
    widen: float = 1.0
    no_memory: str = ""


class Contradiction(BadInput):
    """Settings of a row that cannot all be true; the message names the columns."""


def cases_of(row: Settings, library: tuple[Known, ...]) -> Cases:
    """What a row can mean.

    Raises: MissingData for a column that is needed, Contradiction for columns that cannot all be true.
    """
    if row.memory_kind not in KINDS:
        raise MissingData(f"column memory_kind: '{row.memory_kind}' is none of {', '.join(filter(None, KINDS))}")
    software, no_memory = _software(row)
    year = year_of(row.framework, row.software_era, software.year)
    shapes = shapes_of(row, library)
    recipes, said, widen = recipe_of(row, software, year)
    layouts = _layouts(row, software, year)
    assumed = [*(shapes[0].assumed), *said, *layouts[1]]
    if row.act_offload_layers and not row.act_offload_layers.isdigit():
        assumed.append(f"act_offload_layers {row.act_offload_layers} is not modelled")
        widen *= OFFLOADED_MODULES
    if not row.recompute:
        no_memory = no_memory or "column recompute is empty"
    if not row.memory_kind and not no_memory:
        assumed.append("memory_kind reserved")
    triples = product(shapes, recipes, layouts[0])
    cases = tuple(_case(row, *triple) for _, triple in zip(range(MOST_CASES), triples, strict=False))
    widest = max(shape.widen for shape in shapes)
    return Cases(
        cases=cases,
        kinds=KINDS[row.memory_kind],
        assumed=tuple(assumed),
        widen=widen * widest,
        no_memory=no_memory,
    )


def _software(row: Settings) -> tuple[Software, str]:
    """(what is known of the row's software, else of the usual one; why its memory cannot be said, "" where it can)."""
    software = software_of(row.framework, row.dp_shard)
    if software is None:
        reason = f"column framework: {_quoted(row.framework)} is not known, and dp_shard does not say more"
        return usual_software(), reason
    if not software.engine:
        return usual_software(), f"column framework: the memory of {software.name} programs is not modelled"
    return software, ""


def _quoted(text: str) -> str:
    return f"'{text[:60]}'" if text else "it"


def _case(row: Settings, shape: Shape, recipe: Recipe, layout: Layout) -> Case:
    further = row.mtp_layers or 0
    main = shape.spec.stack.layers - further
    stages = layout.pp * layout.vpp
    split, ends = split_of(row.pp_split, stages, main, further)
    if not row.pp_split and not split and not engine(recipe.engine).uneven_stages:
        split, ends = _usual_split(shape.spec, stages)
    run = Run(
        model=shape.spec,
        sequence=_needed(row.seq, "seq"),
        batch=_needed(row.global_batch, "global_batch"),
        recipe=recipe,
        schedule="interleaved" if layout.vpp > 1 else "1f1b",
        split=split,
        ends=ends,
    )
    return Case(run, layout)


def _usual_split(model: ModelSpec, stages: int) -> tuple[tuple[int, ...], int]:
    """How stages that do not divide the layers were filled where the row does not say.

    Embedding and head take the place of a layer each where that makes it even; of models whose layers are not all
    alike (leading dense ones, those for further tokens) the earlier stages have one more. Else it stays illegal.
    """
    layers = model.layers
    if layers % stages == 0 or stages >= layers:
        return (), 0
    if (layers + 2) % stages == 0:
        return (), 1
    if len(model.stack.groups) == 1:
        return (), 0
    more = layers % stages
    return (*[layers // stages + 1] * more, *[layers // stages] * (stages - more)), 0


def _needed(value: int | None, column: str) -> int:
    if value is None:
        raise MissingData(f"column {column} is empty")
    return value


def _layouts(row: Settings, software: Software, year: int) -> tuple[list[Layout], list[str]]:
    """The layouts that a row can mean, and what they take for granted."""
    said: list[str] = []
    base = _degrees(row)
    found = [replace(base, zero=zero) for zero in _stages_of_zero(row, software, said)]
    if base.tp > 1:
        usual = year >= software.sequence_parallel
        choices = _choices(row.sp, (int(usual), int(not usual)), "sp", said)
        found = [replace(one, sequence_parallel=choice) for one in found for choice in choices]
    if base.pp > 1:
        # torch.distributed.pipelining has its schedules by name, which is in no column; Megatron's follows from vpp.
        free = (1, 2) if software.held == "master" else (1,)
        found = [replace(one, vpp=vpp) for one in found for vpp in _choices(row.vpp, free, "vpp", said)]
    if row.ep and row.ep > 1 and base.tp > 1:
        found = [replace(one, etp=etp) for one in found for etp in (1, base.tp)]
        said.append("etp 1")
    if row.micro_batch is None:
        found = [replace(one, micro_batch=size) for one in found for size in _micro_batches(row, software, one, said)]
    return found, list(dict.fromkeys(said))


def _choices(given: int | None, usual: tuple[int, ...], column: str, said: list[str]) -> tuple[int, ...]:
    """What the row gives, else what is usual and what else it may be."""
    if given is not None:
        return (given,)
    said.append(f"{column} {usual[0]}")
    return usual


def _degrees(row: Settings) -> Layout:
    """Degrees as given; dp follows from the others where it is empty, and has to agree with them where it is not."""
    tp, pp, cp = _needed(row.tp, "tp"), _needed(row.pp, "pp"), row.cp or 1
    inner = tp * pp * cp
    if row.n_gpus is not None and row.n_gpus % inner:
        raise Contradiction(f"columns tp, pp, cp: {tp} x {pp} x {cp} does not divide n_gpus = {row.n_gpus}")
    dp = row.dp
    if dp is None:
        dp = _needed(row.n_gpus, "n_gpus") // inner
    elif row.n_gpus is not None and dp * inner != row.n_gpus:
        raise Contradiction(
            f"columns dp, tp, pp, cp, n_gpus: {dp} x {tp} x {pp} x {cp} = {dp * inner}, not {row.n_gpus}"
        )
    if row.sp and tp == 1:
        raise Contradiction("columns sp, tp: sequence parallelism needs tp above 1")
    sharded = row.dp_shard.partition(":")[2]
    return Layout(
        dp=dp,
        tp=tp,
        pp=pp,
        vpp=row.vpp or 1,
        cp=cp,
        ep=row.ep or 1,
        shard=int(sharded) if sharded.isdigit() else 0,
        micro_batch=row.micro_batch or 1,
        offload_layers=int(row.act_offload_layers) if row.act_offload_layers.isdigit() else 0,
    )


_SHARDS = MappingProxyType({"none": (0,), "dist-optimizer": (1, 2), "fsdp": (3, 2), "hsdp": (3, 2)})
"""Stages of ZeRO that go with a value of dp_shard, the usual first."""


def _stages_of_zero(row: Settings, software: Software, said: list[str]) -> tuple[int, ...]:
    kind = row.dp_shard.partition(":")[0]
    if kind and kind not in _SHARDS:
        raise MissingData(f"column dp_shard: '{kind}' is none of {', '.join(_SHARDS)}")
    if row.zero_stage is not None:
        if row.zero_stage > 3:
            raise Contradiction(f"column zero_stage: {row.zero_stage}; ZeRO has stages 0 to 3")
        if kind and row.zero_stage not in _SHARDS[kind]:
            raise Contradiction(f"columns zero_stage, dp_shard: {row.zero_stage} does not go with {row.dp_shard}")
        return (row.zero_stage,)
    if kind:
        return _SHARDS[kind][:1]
    said.append(f"zero_stage {software.zero}")
    return (software.zero, 1 if software.zero == 0 else 0)


def _micro_batches(row: Settings, software: Software, layout: Layout, said: list[str]) -> tuple[int, ...]:
    """Sequences at once where the row does not say: FSDP takes all of a rank's at once, a pipeline cuts them up."""
    local = max(1, _needed(row.global_batch, "global_batch") // layout.dp)
    if software.held == "master":
        size = max(1, local // (layout.pp * layout.vpp if layout.pp > 1 else 1))
        said.append("a micro-batch for each pipeline stage" if layout.pp > 1 else f"micro_batch {size}")
        return (size,)
    said.append("micro_batch 1")
    return tuple(size for size in (1, 2, 4) if local % size == 0)
