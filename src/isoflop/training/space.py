"""The layouts that a number of chips allows, as arrays: every legal combination of `AXES`, recomputation beside.

A block holds layouts of one number of stages, so that what stages share is computed once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from isoflop.model.parts import LatentAttention, Moe
from isoflop.model.shard import expert_counts
from isoflop.training.engine import engine
from isoflop.training.legal import legal
from isoflop.training.spec import Layouts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.quantity.types import FloatArray
    from isoflop.training.spec import Policy, Run

BLOCK = 10_000
"""Layouts worked on at once: what fits a processor's cache is fastest."""

MOST_MICRO_BATCH = 64
MOST_CONTEXT = 64
LEAST_TOKENS = 512
"""Tokens of a sequence that a context-parallel rank gets at least."""

UNEVEN_CHUNKS = (1, 2, 4, 8)
USUAL_MICRO_BATCH = 8
USUAL_SEQUENCE = 4096
"""Up to so many tokens context parallelism is not usual."""

AXES: dict[str, str] = {
    "tp": "divisors of the chips up to the domain of fast links that divide heads and feed-forward widths",
    "pp": "divisors of the chips up to the layers; of the layers, where the engine wants even stages",
    "vpp": "chunks a stage that divide its layers evenly; 1, 2, 4, 8 where the engine takes uneven stages",
    "cp": "divisors of the chips up to 64 that leave a rank 512 tokens and divide the sequence twice",
    "dp": "what is left of the chips; divides the batch",
    "ep": "divisors of the experts that divide dp x cp x tp",
    "etp": "divisors of tp that divide an expert's width",
    "zero": "0 and 1 (megatron, torch), 2 and 3 (fsdp), 0 to 3 (deepspeed)",
    "shard": "all of dp x cp; smaller groups (HSDP) only where they are given: their sums over replicas are not timed",
    "micro_batch": "divisors of the sequences of a replica up to 64",
    "sequence_parallel": "0 and 1, where tp is above 1 and divides the sequence",
    "recompute": "the engine's policies, from none to full; the given one, where one is given",
    "ends": "layers shared out evenly; with embedding and head in the place of a layer each; with fewer in the first "
    "and last stage, where an engine wants even stages and the layers do not divide",
}
"""What is varied, and over which values."""

_ZEROS = {"megatron": (0, 1), "torch": (0, 1), "fsdp": (2, 3), "fsdp-compiled": (2, 3)}


def policies(run: Run) -> tuple[tuple[Policy, ...], ...]:
    """Recomputation to try, from none to all, as the engine of the run has it."""
    if engine(run.recipe.engine).kernels != "fused":
        return (("none",), ("every-second-matmul",), ("full",))
    found: list[tuple[Policy, ...]] = [("none",)]
    found += [] if run.recipe.fused_attention else [("core-attention",)]
    layers = [layer for _, layer in run.model.stack.groups]
    light: list[Policy] = ["norms"]
    light += ["activations"] if any(isinstance(layer.mlp, Moe) for layer in layers) else []  # of experts alone
    light += ["latent-up"] if any(isinstance(one, LatentAttention) for layer in layers for one in layer.mixers) else []
    return (*found, tuple(light), (*light, "mlp"), ("full",))


def ends(run: Run) -> tuple[int, ...]:
    """Ways to share out layers among stages: evenly, and with embedding and head in the place of a layer each."""
    return (run.ends,) if run.split or run.ends else (0, 1)


def variants(run: Run, chips: int) -> list[Run]:
    """The run with every recomputation and sharing out of layers that is tried; a given policy is kept."""
    kept = run.recipe.recompute
    tried = (kept,) if kept != ("none",) else policies(run)
    shared = [replace(run, ends=even) for even in ends(run)]
    shared += [replace(run, split=split) for split in splits(run, chips)]
    return [one.with_recipe(recompute=recompute) for recompute in tried for one in shared]


def splits(run: Run, chips: int) -> list[tuple[int, ...]]:
    """Layers of each virtual stage where even stages are wanted and do not divide the layers: fewer at both ends."""
    layers = run.model.layers
    if run.split or run.ends or engine(run.recipe.engine).uneven_stages or run.model.encoder is not None:
        return []
    lengths = sorted({pp * chunk for pp in divisors(chips, most=layers)[1:] for chunk in UNEVEN_CHUNKS})
    found = []
    for length in lengths:
        most = -(-layers // length)
        lacking = most * length - layers
        last = most - (lacking + 1) // 2
        if lacking and last >= 1:
            found.append((most - lacking // 2, *[most] * (length - 2), last))
    return found


def space(
    run: Run, chips: int, domain: int, *, usual: bool = False, only: tuple[int, int] | None = None
) -> Iterator[Layouts]:
    """Every legal layout of `run` on `chips` chips, in blocks; tensor parallelism stays inside `domain` chips.

    One stage is left to the variant that shares layers out evenly: to the others it would be the same again. `usual`
    keeps to what is usual: stages whole or in as many chunks as they have layers, optimizer states sharded over all
    ranks, sequence parallelism beside tensor parallelism, micro-batches up to 8, no context parallelism for short
    sequences, whole experts. `only` is the one (pp, vpp) that is wanted.
    """
    for pp, vpp in _stages(run, chips):
        if usual and vpp not in {1, (run.model.layers + 2 * run.ends) // pp}:
            continue
        if only is not None and (pp, vpp) != only:
            continue
        waiting: list[FloatArray] = []
        for rows in _of_stages(run, chips, domain, (pp, vpp), usual=usual):
            waiting.append(rows)
            if sum(len(one) for one in waiting) >= BLOCK:
                yield from _blocks(run, np.concatenate(waiting))
                waiting = []
        if waiting:
            yield from _blocks(run, np.concatenate(waiting))


_COLUMNS = ("dp", "tp", "pp", "vpp", "cp", "ep", "etp", "zero", "shard", "micro_batch", "sequence_parallel")


def _blocks(run: Run, rows: FloatArray) -> Iterator[Layouts]:
    for start in range(0, len(rows), BLOCK):
        columns = np.ascontiguousarray(rows[start : start + BLOCK].T)
        many = Layouts.of(**dict(zip(_COLUMNS, columns, strict=True)))
        good = legal(run, many)
        if good.all():
            yield many
        elif good.any():
            yield many.take(good)


def _stages(run: Run, chips: int) -> Iterator[tuple[int, int]]:
    """Numbers of stages and chunks a stage."""
    whole = run.model.layers + 2 * run.ends
    uneven = bool(engine(run.recipe.engine).uneven_stages) and not run.split
    for pp in divisors(chips, most=whole // 2 if run.ends else whole):  # no stage of an embedding alone
        if run.split:
            chunks = (
                [len(run.split) // pp] if len(run.split) % pp == 0 and len(run.split) // pp in UNEVEN_CHUNKS else []
            )
        elif uneven:
            chunks = [chunk for chunk in UNEVEN_CHUNKS if pp * chunk <= whole]
        else:
            chunks = divisors(whole // pp, most=whole) if whole % pp == 0 else []
        yield from ((pp, chunk) for chunk in chunks if pp > 1 or (chunk == 1 and not run.ends and not run.split))


def _of_stages(run: Run, chips: int, domain: int, stages: tuple[int, int], *, usual: bool) -> Iterator[FloatArray]:
    """Rows of `_COLUMNS` for one number of stages, before `legal` has its say."""
    pp, vpp = stages
    experts = expert_counts(run.model)
    zeros = _zeros(run)
    most_context = 1 if usual and run.sequence <= USUAL_SEQUENCE else MOST_CONTEXT
    for tp in divisors(chips // pp, most=domain):
        for cp in divisors(chips // (pp * tp), most=most_context):
            dp = chips // (pp * tp * cp)
            if run.batch % dp or (cp > 1 and run.sequence < LEAST_TOKENS * cp):
                continue
            ranks, shared = dp * cp * tp, dp * cp
            wholes = [
                (ep, etp)
                for ep in (divisors(max(experts), most=ranks) if experts else (1,))
                for etp in (divisors(tp, most=1 if usual else tp) if experts else (1,))
                if ranks % (ep * etp) == 0
            ]
            shards = [(zero, 0) for zero in zeros if not zero or shared > 1]
            shards = shards[-1:] if usual else shards
            micros = divisors(run.batch // dp, most=USUAL_MICRO_BATCH if usual else MOST_MICRO_BATCH)
            if vpp > 1:
                micros = [micro for micro in micros if run.batch // (dp * micro) % pp == 0]
            yield _rows(
                (dp, tp, pp, vpp, cp), wholes, shards or [(0, 0)], micros, [usual, 1][usual:] if tp > 1 else [0]
            )


def _zeros(run: Run) -> tuple[int, ...]:
    if run.recipe.adapter is not None:
        return (0, 1, 2, 3)
    return _ZEROS.get(run.recipe.engine, (0, 1, 2, 3))


def _rows(
    head: tuple[int, ...], wholes: list[tuple[int, int]], shards: list[tuple[int, int]], micros: list[int],
    parallel: list[int],
) -> FloatArray:  # fmt: skip
    """All combinations beside the degrees of `head`."""
    places = np.indices((len(wholes), len(shards), len(micros), len(parallel))).reshape(4, -1)
    rows = np.empty((places.shape[1], len(_COLUMNS)))
    rows[:, :5] = head
    rows[:, 5:7] = np.array(wholes)[places[0]]
    rows[:, 7:9] = np.array(shards)[places[1]]
    rows[:, 9] = np.array(micros)[places[2]]
    rows[:, 10] = np.array(parallel)[places[3]]
    return rows


def divisors(number: int, *, most: int) -> list[int]:
    """Divisors of a number up to `most`, ascending."""
    small = [one for one in range(1, int(number**0.5) + 1) if number % one == 0]
    return [one for one in sorted({*small, *(number // one for one in small)}) if one <= most]
