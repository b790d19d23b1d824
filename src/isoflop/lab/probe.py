"""A few real steps of some of a study's runs, to say how long the rest will take: `python -m isoflop.lab.probe`.

A JSON list of specs on stdin, smallest first; on stdout a JSON object: the seconds of each step, and what the process
held after the first two steps of the smallest.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from time import perf_counter

SECONDS = 1.0
"""Time a shape is given, after two steps that are not counted."""

MOST = 60


def probe(study: Path, specs: list[dict[str, object]]) -> dict[str, object]:
    """Seconds of every step by the hash of the run, of one validation sequence, and bytes at first."""
    import torch

    from isoflop.lab.data import Corpus
    from isoflop.lab.spec import run_spec
    from isoflop.lab.train import Trainer, peak_bytes

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    corpus = Corpus(study / "corpus")
    rest = 0
    steps: dict[str, list[float]] = {}
    validation: dict[str, float] = {}
    for held in specs:
        spec = run_spec(held, "a spec to probe")
        trainer = Trainer(spec, corpus)
        trainer.step()
        trainer.step()
        rest = rest or peak_bytes()  # with what torch loads for a first backward pass and update
        times: list[float] = []
        while len(times) < min(MOST, spec.steps - 2) and (len(times) < 4 or sum(times) < SECONDS):
            began = perf_counter()
            trainer.step()
            times.append(perf_counter() - began)
        began = perf_counter()
        trainer.validate(64)
        validation[spec.hash] = (perf_counter() - began) / 64
        steps[spec.hash] = times
    return {"rest": rest, "steps": steps, "validation": validation}


if __name__ == "__main__":
    sys.stdout.buffer.write(json.dumps(probe(Path(sys.argv[1]), json.load(sys.stdin))).encode())
