"""What a study will take: time, memory, disk and money, with 90 % intervals, before it starts.

A step's time and a process's memory are those of `isoflop.lab.pace` (the training room on this machine's profile, times
what a probe found). The runs are then laid out over the processes as the pool will do them, trunks once. What others on
the machine take is the geometric mean of what the probe saw and of a fair share among all that want a processor. The
interval of time is made of, as logarithms added in squares: what the training room may be off between probed sizes; how
far processes and sizes of the probe differ; and others taking half or twice as much, at least 12 % (estimates). So a
forecast on a busy machine is wide, and says what load it saw. Neglected: that the last process works alone; what others
will do later beyond that.
"""

from __future__ import annotations

import heapq
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from math import exp, hypot, log
from pathlib import Path
from time import sleep, time
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from isoflop.errors import Infeasible, MissingData
from isoflop.lab.pace import OWN, Heard, Pace, party_bytes
from isoflop.lab.store import RunFolder
from isoflop.lab.tasks import SHARED, tasks_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.lab.pace import Party
    from isoflop.lab.pool import Task
    from isoflop.lab.spec import RunSpec

PROBED = 3
"""Sizes that are probed: the smallest, the largest, one between."""

START_UP = 6.0
"""Seconds until a worker trains where no probe measured it. An estimate, from 3 on a quiet machine to 12 on a busy."""

LEAST_DRIFT = log(1.12)
"""What a machine that nobody else uses changes by itself while a study runs: an estimate."""

UNPROBED = 0.5
"""Half-width of the logarithm of time without a probe: the profile's spread, and what small steps differ (estimate)."""

LOOKS = 10
"""Looks at who wants a processor, a twentieth of a second apart."""

REST = 360e6
"""Bytes that Python and torch hold beside tensors where no probe measured them: as here (torch 2.13 for the CPU); an
estimate elsewhere."""

REST_DOUBT = (0.9, 1.25)
"""How far they move over many runs of one process: an estimate."""

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
    """Runs, FLOP, seconds of wall time and of all steps, bytes of the largest process and on disk, USD.

    `alone`: the steps by the training room alone, without the probe, for machine `profile`, which is this machine's
    `own` or another's. `load`: processes of others that wanted a processor before the probe began; `slowed`: times on
    the clock over times of a processor that are expected, 1 where nobody else is. `seconds`: of each run's steps by its
    hash, with those that are on record already.
    """

    runs: int
    flops: float
    tokens: int
    wall: Span
    busy: Span
    memory: Span
    disk: float
    cost: float
    load: float
    slowed: float = 1.0
    alone: Span | None = None
    profile: str = ""
    own: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a study is run with: processes of `threads` each, USD an hour of the machine; whether to probe it first."""

    processes: int = 2
    threads: int = 1
    price: float = 0.0
    probe: bool = True


def forecast(study: Path, specs: Sequence[RunSpec], means: Means, tasks: Sequence[Task] = ()) -> Forecast:
    """Predict these runs on this machine, after probing it for some seconds with as many processes as will train.

    `tasks`: how they will be done, where runs are trained together. What the study's folder has on record of a run is
    not predicted again. Without a probe the training room says it alone. Raises: MissingData then where the study holds
    no `machine.toml`.
    """
    if not means.probe and not (study / OWN).is_file():
        raise MissingData(
            f"without a probe a forecast needs a profile of this machine: isoflop measure --threads {means.threads}"
            f" --out {study / OWN}; or leave --no-probe out."
        )
    if not specs:
        return _nothing()
    load, begun = _others(), time()
    tasks = tasks or tasks_of(specs)
    by_hash = {one.hash: one for one in specs}
    parties = [tuple(by_hash[run] for run in task.runs if run in by_hash) for task in tasks]
    probed = _probed(parties) if means.probe else []
    pace = Pace(study, probed, _probe(study, probed, means) if means.probe else [])
    slowed = _slowed(pace, load, means)
    together = {one.hash: len(party) for party in parties for one in party}
    seconds, around = _seconds(pace, tasks, by_hash, together, more=slowed / pace.slowed)
    rest = {name: value * left_of(study, name) for name, value in seconds.items()}
    busy, (down, up) = sum(rest.values()), _widths(pace, slowed)
    start = max((one.ready - begun for one in pace.heard), default=START_UP)
    wall = _makespan(tasks, {name: rest[name] + around[name] for name in rest}, means.processes)
    return Forecast(
        runs=len(specs),
        flops=sum(one.flops for one in specs),
        tokens=sum(one.tokens for one in specs),
        wall=Span(value=wall + start, low=wall * down + start / 2, high=wall * up + 2 * start),
        busy=Span(value=busy, low=busy * down, high=busy * up),
        memory=_memory(parties, pace),
        disk=disk_bytes(specs, means.processes),
        cost=(wall + start) / 3600 * means.price,
        load=load,
        slowed=slowed,
        alone=_alone(pace, parties, {name: value / (slowed / pace.slowed) for name, value in rest.items()}),
        profile=pace.machine.chip.name,
        own=pace.own,
        seconds=seconds,
    )


def _nothing() -> Forecast:
    """Of no runs at all."""
    none = Span(value=0.0, low=0.0, high=0.0)
    return Forecast(runs=0, flops=0.0, tokens=0, wall=none, busy=none, memory=none, disk=0.0, cost=0.0, load=0.0)


def left_of(study: Path, run: str) -> float:
    """The share of a run's steps that are not on record yet; 1 where it was not begun."""
    path = study / "runs" / run
    if not (path / "log.jsonl").exists():
        return 1.0
    folder = RunFolder(path)
    return 1 - min(folder.steps_done(), folder.spec.steps) / folder.spec.steps


def summary(found: Forecast) -> dict[str, object]:
    """A forecast as plain data, without the seconds of each run."""
    return {name: value for name, value in asdict(found).items() if name != "seconds"}


def _others() -> float:
    """Processes of others that want a processor now, the mean of some looks."""
    place = Path("/proc/loadavg")
    if not place.exists():
        return os.getloadavg()[0]
    total = 0
    for _ in range(LOOKS):
        total += int(place.read_text(encoding="utf-8").split()[3].partition("/")[0]) - 1  # this one is one of them
        sleep(0.05)
    return total / LOOKS


def _slowed(pace: Pace, others: float, means: Means) -> float:
    """Times on the clock over times of a processor, as it is to be expected while the study runs.

    By the probe, which saw some seconds, and by a fair share among all that want a processor: their geometric mean.
    """
    fair = max(1.0, (others + means.processes * means.threads) / (os.cpu_count() or 1))
    return float((pace.slowed * fair) ** 0.5) if pace.probed else fair


def _widths(pace: Pace, slowed: float) -> tuple[float, float]:
    """Factors from the point to the ends of the interval of time."""
    others = slowed - 1
    fewer, more = log(slowed / (1 + others / 2)), log((1 + 2 * others) / slowed)
    doubt = hypot(pace.doubt, pace.differing) if pace.probed else UNPROBED
    down, up = (hypot(doubt, max(LEAST_DRIFT, drift)) for drift in (fewer, more))
    return exp(-down), exp(up)


def _alone(pace: Pace, parties: Sequence[Party], seconds: Mapping[str, float]) -> Span:
    """Processor time of the steps by the training room alone; a processor that others share is slower by itself too."""
    low = value = high = 0.0
    for party in parties:
        many, spread = len(party), pace.spread(party[0], len(party)) * exp(LEAST_DRIFT)
        one = sum(seconds[spec.hash] / pace.step(spec, many) * pace.alone(spec, many) for spec in party)
        low, value, high = low + one / spread, value + one, high + one * spread
    return Span(value=value, low=low, high=high)


def _seconds(
    pace: Pace, tasks: Sequence[Task], specs: Mapping[str, RunSpec], together: Mapping[str, int], *, more: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Of each run's own steps (those of a trunk belong to the run that trains it), and of what comes around them.

    `more`: times what a probe found.
    """
    seconds: dict[str, float] = {}
    around: dict[str, float] = {}
    found = pace.heard
    begin, keep, record = (
        float(np.mean([getattr(one, name) for one in found])) if found else 0.0 for name in ("begin", "keep", "record")
    )
    for task in tasks:
        for name in task.runs:
            if name not in specs:
                continue
            spec, many = specs[name], together[name]
            leaves = spec.schedule.decline_from(spec.steps) if task.after and spec.schedule.kind in SHARED else 0
            own = spec.steps - leaves
            seconds[name] = more * own * pace.step(spec, many)
            kept = (own // task.checkpoint_every + len(task.branch_at)) / many + 2  # the model and the result as well
            checked = spec.validation * pace.validation(spec, many)
            around[name] = more * (begin / many + kept * keep + own // task.log_every * record + checked)
    return seconds, around


def _makespan(tasks: Sequence[Task], seconds: Mapping[str, float], processes: int) -> float:
    """When the last of these is done, each given to the first free process once the run that it waits for is over."""
    free = [0.0] * min(processes, len(tasks))
    ended: dict[str, float] = {}
    waiting = list(tasks)
    while waiting:
        now = heapq.heappop(free)
        ready = [one for one in waiting if not one.after or ended.get(one.after, float("inf")) <= now]
        if not ready:
            now = min(ended[one.after] for one in waiting if one.after in ended)
            ready = [one for one in waiting if ended.get(one.after, float("inf")) <= now]
        waiting.remove(ready[0])
        ended[ready[0].run] = now + sum(seconds.get(run, 0.0) for run in ready[0].runs)
        heapq.heappush(free, ended[ready[0].run])
    return max(ended.values())


def _probed(parties: Sequence[Party]) -> list[Party]:
    """Some of the sizes, smallest to largest; of each the runs that are trained together most."""
    by_size: dict[int, Party] = {}
    for party in parties:
        size = party[0].params
        if len(party) > len(by_size.get(size, ())):
            by_size[size] = party
    sizes = sorted(by_size)
    places = np.unique(np.linspace(0, len(sizes) - 1, PROBED).round().astype(int))
    return [by_size[sizes[place]] for place in places]


def _probe(study: Path, parties: Sequence[Party], means: Means) -> list[Heard]:
    """What `processes` processes at once say of the same steps."""
    given = json.dumps([[one.as_json() for one in party] for party in parties]).encode()
    threads = str(means.threads)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    running = [
        subprocess.Popen(  # noqa: S603 - this very Python
            [sys.executable, "-m", "isoflop.lab.probe", str(study)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process, which ends them
        )
        for _ in range(means.processes)
    ]
    try:
        for one in running:
            assert one.stdin is not None
            one.stdin.write(given)
            one.stdin.close()
            one.stdin = None
        said = [one.communicate()[0] for one in running]
    finally:
        for one in running:
            one.kill()
            one.wait()
    if any(one.returncode for one in running):
        raise MissingData("probing this machine failed; its message stands above. Start with --no-probe to go without.")
    return [msgspec.json.decode(one, type=Heard) for one in said]


def _memory(parties: Sequence[Party], pace: Pace) -> Span:
    """Of the largest process: tensors of its largest party, and what libraries hold beside them."""
    tensors = max(party_bytes(one) for one in parties)
    rest = pace.rest() if pace.heard else REST
    low, high = REST_DOUBT if pace.heard else (0.6, 1.5)
    least, most = (0.9, 1.5) if pace.heard else (0.7, 2.0)
    return Span(value=rest + tensors, low=low * rest + least * tensors, high=high * rest + most * tensors)


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
            f"the study writes about {needed / 1e6:,.1f} MB, is given {ROOM:g} times that, and {free / 1e6:,.1f} MB are"
            " free: make room, or choose another disk."
        )
