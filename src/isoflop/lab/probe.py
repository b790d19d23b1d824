"""A few real steps of some of a study's runs, to say how long the rest will take: `python -m isoflop.lab.probe`.

A JSON list of specs on stdin, smallest first; on stdout a JSON object: seconds of each step on the clock and of this
process's processor, of validation, of what comes around steps; and the most bytes that the process had held.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from time import perf_counter, process_time, time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isoflop.lab.train import Trainer

SECONDS = 1.0
"""Time a shape is given, after two steps that are not counted."""

MOST = 60


def probe(study: Path, specs: list[dict[str, object]]) -> dict[str, object]:
    """What `isoflop.lab.pace.Heard` holds; `rest` are bytes after the first two steps of the smallest."""
    import torch

    from isoflop.lab.data import Corpus
    from isoflop.lab.spec import run_spec
    from isoflop.lab.train import Trainer, peak_bytes

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    corpus = Corpus(study / "corpus")
    ready, rest = time(), 0
    begins: list[float] = []
    keep = record = 0.0
    found: dict[str, dict[str, object]] = {name: {} for name in ("steps", "busy", "validation", "held")}
    for held in specs:
        spec = run_spec(held, "a spec to probe")
        began = perf_counter()
        trainer = Trainer(spec, corpus)
        begins.append(perf_counter() - began)
        trainer.step()
        trainer.step()
        rest = rest or peak_bytes()  # with what torch loads for a first backward pass and update
        found["steps"][spec.hash], found["busy"][spec.hash] = _steps(trainer)
        began = perf_counter()
        trainer.validate(64)
        found["validation"][spec.hash] = (perf_counter() - began) / 64
        keep, record = _kept(study, trainer)
        found["held"][spec.hash] = peak_bytes()
    around = {"ready": ready, "begin": sum(begins) / len(begins), "keep": keep, "record": record}
    return {"rest": rest, **found, **around}


def _steps(trainer: Trainer) -> tuple[list[float], list[float]]:
    """Seconds of steps on the clock and of the processor."""
    times: list[float] = []
    busy: list[float] = []
    while len(times) < min(MOST, max(trainer.spec.steps - 2, 1)) and (len(times) < 4 or sum(times) < SECONDS):
        began, own = perf_counter(), process_time()
        trainer.step()
        times.append(perf_counter() - began)
        busy.append(process_time() - own)
    return times, busy


def _kept(study: Path, trainer: Trainer) -> tuple[float, float]:
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
