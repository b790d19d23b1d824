"""How far a study is while it runs, read from what its runs write: runs, speed, what is left, dollars."""

from __future__ import annotations

import fcntl
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING

from isoflop.errors import BadFile
from isoflop.quantity.json_file import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from isoflop.lab.operate import StudyFolder
    from isoflop.lab.spec import RunSpec
    from isoflop.lab.store import Result, RunFolder

RECENT = 5
"""Records that the speed of now is the mean of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """A run that is being trained: steps done of `steps`, its last loss, tokens and FLOP a second of late."""

    run: str
    params: int
    done: int
    steps: int
    loss: float | None
    tokens_per_second: float
    flops_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a study stands. `left`: seconds until what is known now to be wanted is done, None where nothing tells.

    `cost` so far and `cost_left` in USD, 0 where the study has no price.
    """

    runs: int
    done: int
    going: tuple[Going, ...]
    flops: float
    flops_done: float
    left: float | None
    cost: float
    cost_left: float

    @property
    def tokens_per_second(self) -> float:
        """Of all runs that are being trained."""
        return sum(one.tokens_per_second for one in self.going)

    @property
    def flops_per_second(self) -> float:
        """Of all runs that are being trained."""
        return sum(one.flops_per_second for one in self.going)


def progress(held: StudyFolder, *, now: float | None = None) -> Progress:
    """Where the study stands at this moment (`now` in seconds since 1970)."""
    asked = held.wanted()
    results = held.results()
    begun = {one.spec.hash: one for one in held.folders() if one.spec.hash not in results}
    going = tuple(_going(one) for one in begun.values() if _is_held(one.path / "lock"))
    todo = [one for one in asked.specs if one.hash not in results]
    steps = {name: one.steps_done() for name, one in begun.items()}
    partly = sum(one.flops * steps.get(one.hash, 0) / one.steps for one in todo)
    expected = _expected(held.path / "expected.json")
    rate = sum(one.flops_per_second for one in going)
    left = _left(todo, results, steps, expected, rate=rate) if todo else 0.0
    running = _is_held(held.path / "lock")
    spent = _spent(held, (time() if now is None else now) if running else None, expected)
    price = held.study.price / 3600
    return Progress(
        runs=len(asked.specs),
        done=sum(one.hash in results for one in asked.specs),
        going=going,
        flops=asked.flops,
        flops_done=asked.flops - sum(one.flops for one in todo) + partly,
        left=left,
        cost=spent * price,
        cost_left=(left or 0.0) * price,
    )


def _going(folder: RunFolder) -> Going:
    lines = list(folder.log.lines.read())
    # Runs trained together have their share of the time on record: on the clock they take that of all of them.
    together = [int(str(one.get("together", 1))) for one in lines if "attempt" in one]
    records = [one for one in lines if isinstance(one.get("losses"), list)][-RECENT:]
    steps = sum(len(_listed(one["losses"])) for one in records)
    seconds = sum(float(str(one["seconds"])) for one in records) * (together[-1] if together else 1)
    spec = folder.spec
    rate = steps / seconds if seconds else 0.0
    last = [one for record in records for one in _listed(record["losses"]) if one is not None]
    return Going(
        run=spec.hash,
        params=spec.params,
        done=int(str(records[-1]["step"])) if records else 0,
        steps=spec.steps,
        loss=float(str(last[-1])) if last else None,
        tokens_per_second=rate * spec.batch * spec.sequence,
        flops_per_second=rate * spec.flops / spec.steps,
    )


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _is_held(lock: Path) -> bool:
    """Whether a process has the run in hand."""
    if not lock.exists():
        return False
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expected:
    """What the forecast of the round said."""

    processes: int
    began: float
    seconds: Mapping[str, float]


def _expected(path: Path) -> _Expected | None:
    if not path.exists():
        return None
    held = read_json(path)
    seconds = held.get("seconds")
    if not isinstance(seconds, dict):
        raise BadFile(f"{path}: not what the laboratory wrote; delete it.")
    return _Expected(
        processes=int(str(held["processes"])),
        began=float(str(held["began"])),
        seconds={name: float(str(one)) for name, one in seconds.items()},
    )


def _left(
    todo: Sequence[RunSpec],
    results: Mapping[str, Result],
    steps: Mapping[str, int],
    expected: _Expected | None,
    *,
    rate: float,
) -> float | None:
    """Seconds for the rest: as predicted, times how measured compares with predicted so far.

    Where nothing was predicted, at the FLOP/s of now (`rate`), else at that of one process so far.
    """
    if expected is None or any(one.hash not in expected.seconds for one in todo):
        rest = sum(one.flops * (1 - steps.get(one.hash, 0) / one.steps) for one in todo)
        seconds = sum(one.seconds for one in results.values())
        rate = rate or (sum(one.rate * one.seconds for one in results.values()) / seconds if seconds else 0.0)
        return rest / rate if rate else None
    known = [name for name in expected.seconds if name in results and expected.seconds[name] > 0]
    measured, said = sum(results[name].seconds for name in known), sum(expected.seconds[name] for name in known)
    factor = measured / said if said else 1.0
    rest = sum(expected.seconds[one.hash] * (1 - steps.get(one.hash, 0) / one.steps) for one in todo)
    return factor * rest / max(1, min(expected.processes, len(todo)))


def _spent(held: StudyFolder, now: float | None, expected: _Expected | None) -> float:
    """Seconds of wall time of all rounds, and of the one that is going on."""
    total = 0.0
    for one in held.history.read():
        measured = one.get("measured")
        total += float(str(measured.get("wall", 0.0))) if isinstance(measured, dict) else 0.0
    return total + (max(0.0, now - expected.began) if now is not None and expected is not None else 0.0)
