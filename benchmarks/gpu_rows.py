"""Real training steps and decodes on one accelerator, as rows of `isoflop validate`: under 10 minutes on an H100.

    python benchmarks/gpu_rows.py --out FOLDER [--only kernels,steps,serve,memory,compiled] [--minutes 8] [--tiny]

Writes, as it goes, so that a limit of time loses nothing: `measured.jsonl` (all that was measured, with spread),
`training.csv` and `serving.csv` (the rows), `machine.json` (device, driver, versions, load). Needs torch and isoflop on
the path. What does not fit or is not there is kept and marked. A second call with the same folder appends.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.measure import kernels
from isoflop.measure.decode import Serve, measure_decode, measure_prefill, weights_for
from isoflop.measure.machine import Machine, find_device, look
from isoflop.measure.rows import SERVING_COLUMNS, TRAINING_COLUMNS, serving_row, training_row
from isoflop.measure.steps import Step, measure_step
from isoflop.torchmodel.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from isoflop.measure.clock import Measured


def shape(
    layers: int, width: int, heads: tuple[int, int, int], inner: int, vocabulary: int, *, tied: bool = False
) -> Shape:
    """A shape in one line."""
    return Shape(
        layers=layers, width=width, heads=heads[0], kv_heads=heads[1], head_width=heads[2], inner=inner,
        vocabulary=vocabulary, tied=tied,
    )  # fmt: skip


SHAPES = {
    "own-decoder-45m": shape(8, 512, (8, 8, 64), 1408, 16000),
    "own-decoder-160m": shape(12, 768, (12, 12, 64), 2048, 32000),
    "own-decoder-410m": shape(24, 1024, (16, 16, 64), 2816, 32000),
    "tinyllama-1.1b": shape(22, 2048, (32, 4, 64), 5632, 32000),
    "llama-3.2-1b": shape(16, 2048, (32, 8, 64), 8192, 128256, tied=True),
    "llama-3.2-3b": shape(28, 3072, (24, 8, 128), 8192, 128256, tied=True),
    "own-decoder-2.0b": shape(8, 4096, (32, 8, 128), 14336, 32000),
    "llama-3.1-8b": shape(32, 4096, (32, 8, 128), 14336, 128256),
}
"""Shapes of released models, and own ones of layers like theirs."""


def step(name: str, sequence: int, batch: int, **further: object) -> Step:
    """A training step of a shape by name; flash kernels where nothing else is said."""
    made = Step(name=name, shape=SHAPES[name], sequence=sequence, batch=batch, attention="flash")
    return replace(made, **further)  # type: ignore[arg-type]


STEPS = (
    step("tinyllama-1.1b", 2048, 4),
    step("tinyllama-1.1b", 2048, 16),
    step("tinyllama-1.1b", 2048, 1),
    step("own-decoder-2.0b", 4096, 2),
    step("own-decoder-410m", 2048, 8),
    step("llama-3.2-3b", 2048, 2),
    step("llama-3.2-1b", 4096, 4),
    step("own-decoder-160m", 1024, 8),
    step("tinyllama-1.1b", 2048, 8, recompute=True),
    step("tinyllama-1.1b", 2048, 4, form="mixed"),
    step("tinyllama-1.1b", 8192, 2),
    step("own-decoder-2.0b", 8192, 1),
    step("llama-3.2-3b", 4096, 2, recompute=True),
    step("llama-3.2-3b", 8192, 1, attention="cudnn"),
    step("own-decoder-2.0b", 2048, 8, recompute=True),
    step("own-decoder-410m", 8192, 4),
    step("own-decoder-45m", 1024, 4),
    step("own-decoder-45m", 1024, 64),
    step("own-decoder-160m", 4096, 8),
    step("own-decoder-160m", 1024, 64),
    step("llama-3.2-1b", 8192, 1),
    step("llama-3.2-1b", 2048, 4, form="mixed"),
    step("tinyllama-1.1b", 1024, 4, pieces=4),
    step("own-decoder-2.0b", 2048, 4, attention="cudnn"),
    step("tinyllama-1.1b", 4096, 4, attention="cudnn"),
    step("own-decoder-410m", 2048, 4, form="tf32", attention="efficient"),
    step("own-decoder-410m", 2048, 2, form="fp32", attention="efficient"),
    step("own-decoder-410m", 1024, 16, form="mixed", recompute=True),
    step("own-decoder-2.0b", 16384, 1, recompute=True),
    step("llama-3.2-3b", 1024, 2, pieces=4),
)
COMPILED = (
    step("tinyllama-1.1b", 2048, 4, compile=True),
    step("own-decoder-2.0b", 4096, 2, compile=True),
    step("own-decoder-410m", 2048, 8, compile=True),
    step("llama-3.2-1b", 4096, 4, compile=True),
    step("own-decoder-160m", 1024, 8, compile=True),
    step("llama-3.2-3b", 2048, 2, compile=True),
    step("tinyllama-1.1b", 8192, 2, compile=True),
    step("own-decoder-160m", 1024, 64, compile=True),
)
TOO_LARGE = (step("llama-3.2-3b", 8192, 64), step("own-decoder-2.0b", 16384, 16))
"""Steps that no 80 GB, and no 141 GB, can hold: kept as rows that say so."""

SERVED = {"llama-3.1-8b": (1, 4, 16, 64), "llama-3.2-1b": (1, 8, 64), "llama-3.2-3b": (1, 16)}
CONTEXTS = (1024, 4096, 16384)
PREFILLED = ((1, 512), (1, 2048), (1, 8192), (4, 2048), (16, 1024))

PRODUCTS = tuple((n, n, n) for n in (512, 1024, 2048, 4096, 8192, 16384))
LAYERS = tuple((m, n, k) for n, k in ((4096, 4096), (28672, 4096), (4096, 14336)) for m in (1, 16, 64, 256, 1024, 8192))
ENDS = ((8192, 128256, 2048), (4096, 32000, 2048), (16, 128256, 4096), (2048, 5632, 2048), (8192, 2048, 5632))


class Folder:
    """Where results go, line by line, and until when."""

    def __init__(self, out: Path, machine: Machine, minutes: float) -> None:
        self.out, self.machine, self.until = out, machine, time.monotonic() + 60 * minutes
        out.mkdir(parents=True, exist_ok=True)
        facts = {key: value for key, value in asdict(machine).items() if key != "device"}
        (out / "machine.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        self.begun = time.monotonic()

    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self.until

    def keep(self, one: Measured) -> None:
        """A line for what was measured, and a row where it is one."""
        with (self.out / "measured.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(one)) + "\n")
        if one.what == "step":
            self._row("training.csv", TRAINING_COLUMNS, training_row(one, self.machine))
        elif one.what in {"decode", "prefill"}:
            self._row("serving.csv", SERVING_COLUMNS, serving_row(one, self.machine))
        said = f"{one.timing.seconds * 1e3:10.3f} ms ±{one.timing.spread:5.1%}" if one.timing else one.failed
        words = " ".join(f"{value}" for key, value in one.settings.items() if not key.startswith("shape."))
        print(f"{time.monotonic() - self.begun:6.1f} s  {one.what:16} {words:60} {said}", flush=True)

    def _row(self, name: str, columns: tuple[str, ...], row: dict[str, str]) -> None:
        path = self.out / name
        fresh = not path.exists()
        lines = 0 if fresh else sum(1 for _ in path.open(encoding="utf-8")) - 1
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            if fresh:
                writer.writeheader()
            writer.writerow(row | {"id": f"{row['id']}-{lines + 1:03d}"})


def single_operations(device: torch.device) -> Iterator[Callable[[], Measured]]:
    """The measurements of kernels, the ones that say most first."""
    formats = ("bf16", "fp8", "tf32", "fp16", "fp32")
    for form in formats:
        sides = (*PRODUCTS, *LAYERS, *ENDS) if form in {"bf16", "fp8"} else PRODUCTS[1:5]
        for m, n, k in sides:
            if form == "fp8" and m < 16:
                continue
            yield lambda m=m, n=n, k=k, form=form: kernels.product(m, n, k, form, device)  # type: ignore[misc]
    for size in (2**26, 2**30, 2**32):
        yield lambda size=size: kernels.copy(float(size), device)  # type: ignore[misc]
    for heads in ((32, 8, 128), (32, 4, 64)):
        for which in ("flash", "cudnn"):
            for sequence in (1024, 2048, 4096, 8192, 16384):
                batch = max(1, 16384 // sequence)
                yield lambda b=batch, h=heads, s=sequence, w=which: kernels.attention(b, h, s, w, device)  # type: ignore[misc]
    for batch in (1, 16, 64):
        for context in (1024, 4096, 16384):
            yield lambda b=batch, c=context: kernels.cached_attention(b, (32, 8, 128), c, device)  # type: ignore[misc]
    for kind, width in (("norm", 4096), ("gated", 14336), ("add", 4096), ("loss", 32000), ("loss", 128256)):
        yield lambda kind=kind, width=width: kernels.elementwise(kind, 8192, width, device)  # type: ignore[misc]
    yield lambda: kernels.optimizer(500_000_000, "bf16", device)
    yield lambda: kernels.optimizer(500_000_000, "fp32", device)
    yield lambda: kernels.launches(1000, device)
    yield lambda: kernels.launches(1000, device, graph=True)


def serve(folder: Folder, *, tiny: bool) -> None:
    """Prefill and decode, model by model."""
    device = folder.machine.device
    for name, batches in SERVED.items():
        own = replace(SHAPES[name], layers=2, width=64, vocabulary=256, inner=128) if tiny else SHAPES[name]
        if folder.over():
            return
        model = weights_for(own, device, "bf16")
        for batch in batches:
            for context in CONTEXTS if not tiny else (64,):
                for graph in (True, False) if device.type == "cuda" else (False,):
                    if folder.over() or (context != CONTEXTS[1] and not graph and not tiny):
                        continue
                    one = Serve(name=name, shape=own, batch=batch, context=context, graph=graph)
                    folder.keep(measure_decode(model, one, seconds=0.6))
        for batch, context in PREFILLED if not tiny else ((1, 64),):
            if not folder.over():
                one = Serve(name=name, shape=own, batch=batch, context=context)
                folder.keep(measure_prefill(model, one, seconds=0.5))
        del model


def steps(folder: Folder, every: tuple[Step, ...], *, tiny: bool) -> None:
    """Training steps, as long as there is time."""
    for one in every:
        if folder.over():
            return
        made = one
        if tiny:
            small = replace(
                one.shape, layers=2, width=64, heads=4, kv_heads=2, head_width=16, inner=128, vocabulary=256
            )
            made = replace(one, shape=small, sequence=64, batch=1, attention="")
        folder.keep(measure_step(made, folder.machine.device, seconds=2.0, least=6))


def main() -> int:
    """Measure, in the order of the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="steps,serve,kernels,compiled,memory")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to try the script without an accelerator")
    given = parser.parse_args()
    machine = look(find_device(None))
    if machine.busy and not given.tiny:
        print(f"{machine.name} is busy: {machine.busy}. Measured all the same, and marked.", file=sys.stderr)
    folder = Folder(given.out, machine, given.minutes)
    for part in given.only.split(","):
        match part:
            case "kernels":
                for one in single_operations(machine.device) if not given.tiny else ():
                    if not folder.over():
                        folder.keep(one())
            case "steps":
                steps(folder, STEPS, tiny=given.tiny)
            case "compiled":
                steps(folder, COMPILED, tiny=given.tiny)
            case "memory":
                steps(folder, TOO_LARGE, tiny=given.tiny)
            case "serve":
                serve(folder, tiny=given.tiny)
            case other:
                parser.error(f"no part '{other}'; there are steps, serve, kernels, compiled, memory")
    return 0


if __name__ == "__main__":
    sys.exit(main())
