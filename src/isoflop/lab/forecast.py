"""What a study will take: work from the model room, memory from the training room, time from a few real steps.

Time is interpolated over parameters between the probed sizes; its interval is that of the probed steps (5 to 95 %),
taken as if a whole run were as slow or as fast, because on a shared machine it can be. Neglected: what other jobs will
do later; starting workers beyond an estimate.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import Infeasible, MissingData
from isoflop.training import Layout, Recipe, Run, peak

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from isoflop.lab.spec import RunSpec

QUANTILES = (0.05, 0.5, 0.95)
PROBED = 3
"""Sizes that are probed: the smallest, the largest, one between."""

START_UP = 6.0
"""Seconds until a worker trains: Python, torch, the corpus. An estimate, from 3 on a quiet machine to 12 on a busy."""

REST_DOUBT = (0.85, 1.25)
"""What libraries hold beside tensors moves so far between versions and with their thread pools: an estimate."""

ROOM = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A prediction with its 90 % interval."""

    value: float
    low: float
    high: float

    def holds(self, measured: float) -> bool:
        """Whether the interval has it."""
        return self.low <= measured <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Runs, FLOP, seconds of wall time and of one processor, bytes of the largest process and on disk, USD."""

    runs: int
    flops: float
    tokens: int
    wall: Span
    busy: Span
    memory: Span
    disk: float
    cost: float
    load: float


def forecast(
    study: Path, specs: Sequence[RunSpec], *, processes: int, threads: int = 1, price: float = 0.0
) -> Forecast:
    """Predict these runs on this machine, after probing it for some seconds with as many processes as will train."""
    if not specs:
        nothing = Span(value=0.0, low=0.0, high=0.0)
        return Forecast(
            runs=0, flops=0.0, tokens=0, wall=nothing, busy=nothing, memory=nothing, disk=0.0, cost=0.0, load=0.0
        )
    probed = _probed(specs)
    heard = _probe(study, probed, processes, threads)
    sizes = np.log([one.params for one in probed])
    times = np.log([[_quantile(heard, one.hash, level) for one in probed] for level in QUANTILES])
    checks = np.log([np.mean([held["validation"][one.hash] for held in heard]) for one in probed])
    at = np.log([one.params for one in specs])
    steps = np.array([one.steps for one in specs])
    validation = (np.exp(np.interp(at, sizes, checks)) * [one.validation for one in specs]).sum()
    low, value, high = (float((np.exp(np.interp(at, sizes, row)) * steps).sum() + validation) for row in times)
    at_once = min(processes, len(specs))
    wall = Span(value=value / at_once + START_UP, low=low / at_once + START_UP / 2, high=high / at_once + 2 * START_UP)
    rest = float(np.mean([held["rest"] for held in heard])) - tensor_bytes(probed[0])
    memory = _memory(specs, rest)
    return Forecast(
        runs=len(specs),
        flops=sum(one.flops for one in specs),
        tokens=sum(one.tokens for one in specs),
        wall=wall,
        busy=Span(value=value, low=low, high=high),
        memory=memory,
        disk=disk_bytes(specs, processes),
        cost=wall.value / 3600 * price,
        load=os.getloadavg()[0],
    )


def _probed(specs: Sequence[RunSpec]) -> list[RunSpec]:
    """Some of the sizes, smallest to largest."""
    by_size = {one.params: one for one in sorted(specs, key=lambda one: -one.steps)}
    sizes = sorted(by_size)
    places = np.unique(np.linspace(0, len(sizes) - 1, PROBED).round().astype(int))
    return [by_size[sizes[place]] for place in places]


def _probe(study: Path, specs: Sequence[RunSpec], processes: int, threads: int) -> list[dict]:  # type: ignore[type-arg]  # JSON
    """What `processes` processes at once say of the same steps."""
    given = json.dumps([one.as_json() for one in specs]).encode()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    running = [
        subprocess.Popen(  # noqa: S603 - this very Python
            [sys.executable, "-m", "isoflop.lab.probe", str(study)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        for _ in range(processes)
    ]
    for one in running:
        assert one.stdin is not None
        one.stdin.write(given)
        one.stdin.close()
        one.stdin = None
    said = [one.communicate()[0] for one in running]
    if any(one.returncode for one in running):
        raise MissingData("probing this machine failed; its message stands above. Start with --no-probe to go without.")
    return [json.loads(one) for one in said]


def _quantile(heard: list[dict], run: str, level: float) -> float:  # type: ignore[type-arg]  # JSON
    return float(np.quantile(np.concatenate([held["steps"][run] for held in heard]), level))


def _memory(specs: Sequence[RunSpec], rest: float) -> Span:
    """Of the largest process: what libraries hold, and the tensors of its largest run as the training room has them."""
    tensors = max(tensor_bytes(one) for one in _largest(specs))
    low, high = REST_DOUBT
    return Span(value=rest + tensors, low=low * rest + 0.7 * tensors, high=high * rest + 2 * tensors)


def _largest(specs: Sequence[RunSpec]) -> list[RunSpec]:
    most = max(one.params for one in specs)
    return [next(one for one in specs if one.params == most)]


def tensor_bytes(spec: RunSpec) -> float:
    """The peak of a run's tensors on a CPU, by the training room."""
    recipe = Recipe(
        name=spec.precision,
        engine="native-host",
        weights="fp32",
        gradients="fp32",
        master="none",
        states=("fp32", "fp32"),
        reduce="fp32",
        compute=spec.precision,
        recompute=("full",) if spec.recompute else ("none",),
    )
    run = Run(model=spec.model, sequence=spec.sequence, batch=spec.batch, recipe=recipe)
    return float(peak(run, Layout(micro_batch=spec.batch // spec.pieces)).allocated.item())


def disk_bytes(specs: Sequence[RunSpec], processes: int) -> float:
    """Models, logs and the checkpoints that lie there at once; trunks as many as there are runs."""
    models = sum(4.0 * one.params for one in specs)
    trunks = sum(12.0 * one.params for one in specs if one.schedule.kind == "wsd")
    logs = sum(24.0 * one.steps + 3000 for one in specs)
    checkpoints = 2 * processes * 12.0 * max((one.params for one in specs), default=0)
    return models + trunks + logs + checkpoints


def check_disk(free: float, needed: float) -> None:
    """Refuse a study whose files will not fit."""
    if needed * ROOM > free:
        raise Infeasible(
            f"the study writes about {needed / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free: make room, or choose"
            " another disk."
        )
