"""A few real steps of some of a study's runs, to say how long the rest will take: `python -m isoflop.lab.probe`.

A JSON list of specs on stdin, smallest first, each with how many are trained together; on stdout a JSON object: a run's
seconds of each step on the clock and of this process's processor, of validation, of what comes around steps; and the
most bytes that the process had held.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from time import perf_counter, process_time, time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isoflop.lab.together import Fleet
    from isoflop.lab.train import Trainer

SECONDS = 1.0
"""Time a shape is given, after two steps that are not counted."""

MOST = 60


def probe(study: Path, parties: list[list[dict[str, object]]]) -> dict[str, object]:
    """Seconds of steps, of validation and of what comes around them, and bytes."""
    import torch

    from isoflop.lab.data import Corpus
    from isoflop.lab.spec import run_spec
    from isoflop.lab.together import Fleet
    from isoflop.lab.train import Trainer, peak_bytes

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    corpus, ready = Corpus(study / "corpus"), time()
    begins: list[float] = []
    keep = record = 0.0
    found: dict[str, dict[str, object]] = {name: {} for name in ("steps", "busy", "validation", "held")}
    for held in parties:
        specs = [run_spec(one, "a spec to probe") for one in held]
        many, name = len(specs), specs[0].hash
        began = perf_counter()
        trainer = Fleet(specs, corpus) if many > 1 else Trainer(specs[0], corpus)
        begins.append(perf_counter() - began)
        trainer.step()  # with what torch loads for a first backward pass and update
        trainer.step()
        clock, busy = _steps(trainer, specs[0].steps)
        found["steps"][name], found["busy"][name] = [one / many for one in clock], [one / many for one in busy]
        began = perf_counter()
        trainer.validate(64)
        found["validation"][name] = (perf_counter() - began) / 64 / many
        keep, record = _kept(study, trainer)
        found["held"][name] = peak_bytes()
    return {**found, "ready": ready, "begin": sum(begins) / len(begins), "keep": keep, "record": record}


def _steps(trainer: Trainer | Fleet, most: int) -> tuple[list[float], list[float]]:
    """Seconds of steps on the clock and of the processor."""
    times: list[float] = []
    busy: list[float] = []
    while len(times) < min(MOST, max(most - 2, 1)) and (len(times) < 4 or sum(times) < SECONDS):
        began, own = perf_counter(), process_time()
        trainer.step()
        times.append(perf_counter() - began)
        busy.append(process_time() - own)
    return times, busy


def _kept(study: Path, trainer: Trainer | Fleet) -> tuple[float, float]:
    """Seconds to write a checkpoint, and a record, where runs write theirs."""
    from isoflop.lab.files import Records

    place = study / f".probe-{os.getpid()}"
    records = Records(place)
    began = perf_counter()
    trainer.save(place)
    keep = perf_counter() - began
    place.unlink()
    began = perf_counter()
    for _ in range(3):
        records.add({"step": 0, "losses": [1.0] * 10})
    record = (perf_counter() - began) / 3
    place.unlink()
    return keep, record


if __name__ == "__main__":
    sys.stdout.buffer.write(json.dumps(probe(Path(sys.argv[1]), json.load(sys.stdin))).encode())
