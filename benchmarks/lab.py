"""How fast the laboratory trains, as ratios: against the machine's own matmul, and runs together against one by one.

    OMP_NUM_THREADS=1 python benchmarks/lab.py [peak|pair|together|runs|precision|coverage]

Times are processor time, so that other jobs of the machine weigh less; on a quiet machine both are the same.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import numpy as np
import torch

from isoflop.lab import Corpus, DataSpec, RunSpec, Schedule, build_corpus
from isoflop.lab.pool import Pool
from isoflop.lab.store import RunFolder
from isoflop.lab.tasks import gains, tasks_of
from isoflop.lab.together import Fleet
from isoflop.lab.train import Trainer
from isoflop.model import train_flops_per_token
from isoflop.torchmodel import Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.quantity import FloatArray

FLEETS = (3, 6, 12)


def best(work: Callable[[], object], repeats: int) -> float:
    """The shortest processor time of a few, after two that are not counted."""
    work()
    work()
    times = []
    for _ in range(repeats):
        began = process_time()
        work()
        times.append(process_time() - began)
    return min(times)


def matmul_peak() -> float:
    """FLOP/s of the best of two square products in fp32."""
    found = []
    for size in (512, 1024):
        left, right = torch.randn(size, size), torch.randn(size, size)
        found.append(2 * size**3 / best(lambda left=left, right=right: left @ right, 20))  # type: ignore[misc]
    return max(found)


def spec(corpus: Corpus, width: int, *, layers: int, heads: int, sequence: int, batch: int) -> RunSpec:
    """A run of many steps."""
    inner = 8 * round(8 / 3 * width / 8)
    shape = Shape(
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=heads,
        head_width=width // heads,
        inner=inner,
        vocabulary=corpus.vocabulary,
    )
    return RunSpec(
        shape=shape,
        data=corpus.fingerprint,
        steps=200,
        sequence=sequence,
        batch=batch,
        seed=0,
        epochs=100.0,
        schedule=Schedule(warmup=10),
    )


def peak(corpus: Corpus) -> None:
    """Share of the matmul peak that one thread reaches in training, embedding lookups not counted."""
    for width, layers in ((128, 5), (224, 5)):
        run = spec(corpus, width, layers=layers, heads=width // 32, sequence=256, batch=4)
        trainer = Trainer(run, corpus)
        seconds = best(trainer.step, 8)
        work = train_flops_per_token(run.model, run.sequence).total * run.batch * run.sequence
        top = matmul_peak()
        print(
            f"{run.params:,} parameters, {torch.get_num_threads()} thread: {work / seconds / 1e9:.1f} GFLOP/s,"
            f" {work / seconds / top:.2f} of {top / 1e9:.1f} (best matmul)"
        )


def pair(corpus: Corpus) -> None:
    """The same by two processes of one thread at once, each against a matmul that the other disturbs as much."""
    del corpus
    alone = [sys.executable, __file__, "peak"]
    both = [subprocess.Popen(alone, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for number, one in enumerate(both, start=1):
        for line in one.communicate()[0].splitlines():
            print(f"process {number} of 2: {line}")


def together(corpus: Corpus) -> None:
    """Steps of several runs in one process over those of the runs alone, start-up left out."""
    for width in (8, 16, 32, 64):
        for sequence, batch in ((32, 4), (64, 8), (128, 8)):
            run = spec(corpus, width, layers=2, heads=1, sequence=sequence, batch=batch)
            alone = best(Trainer(run, corpus).step, 40)
            said = []
            for many in FLEETS:
                fleet = Fleet([replace(run, seed=seed) for seed in range(many)], corpus)
                said.append(f"{many} together x{many * alone / best(fleet.step, 25):.2f}")
            said.append("used" if gains(run) else "not used")
            print(f"width {width}, {sequence * batch} tokens a step: {1e3 * alone:.2f} ms alone; {', '.join(said)}")


def runs(corpus: Corpus) -> None:
    """Whole runs a processor minute, start-up and all: by a process each, one after the other, twelve together."""
    for width, sequence, batch in ((8, 32, 4), (16, 32, 4), (32, 32, 4), (32, 64, 8)):
        one = spec(corpus, width, layers=2, heads=1, sequence=sequence, batch=batch)
        made = [replace(one, seed=seed, steps=600, validation=64) for seed in range(12)]
        apart = _minutes(corpus, made[:2], apart=True, together=1) / 2
        alone = _minutes(corpus, made[:4], apart=False, together=1) / 4
        joined = _minutes(corpus, made, apart=False, together=12) / 12
        print(
            f"width {width}, {sequence * batch} tokens a step, 600 steps: {1 / apart:.1f} runs a processor minute by a"
            f" process each, {1 / alone:.1f} one after the other in one (4 of them), {1 / joined:.1f} twelve together:"
            f" x{apart / joined:.1f} and x{alone / joined:.1f}",
            flush=True,
        )


def _minutes(corpus: Corpus, specs: list[RunSpec], *, apart: bool, together: int) -> float:
    """Processor minutes of all processes that train these runs, from their start to their results."""
    import resource

    with tempfile.TemporaryDirectory() as name:
        study = Path(name)
        (study / "corpus").symlink_to(corpus.folder.resolve())
        for one in specs:
            RunFolder.made(study / "runs", one)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for group in [[one] for one in specs] if apart else [specs]:
            with Pool(study, processes=1) as pool:
                pool.do(tasks_of(group, together=together), lambda _: None)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / 60


def precision(corpus: Corpus) -> None:
    """Loss, bytes and speed of one trained model by the format of its weights, against training with them."""
    from isoflop.lab.formats import compare_formats, print_lines

    run = spec(corpus, 64, layers=2, heads=4, sequence=64, batch=8)
    for line in print_lines(compare_formats(run, corpus)):
        print(line)


def coverage(corpus: Corpus) -> None:
    """Simulated studies of a known law, 0.04 nats of noise a run: how often the exponent's interval holds the truth.

    And studies whose best sizes all lie outside what was run: how many are refused.
    """
    del corpus
    rng = np.random.default_rng(0)
    budgets = np.array([6e10, 2e11, 6e11, 2e12])
    bottoms = np.array([_bottom(one) for one in budgets])
    true = float(np.polyfit(np.log(budgets), np.log(bottoms), 1)[0])
    inside, widths, refused = [], [], 0
    for trial in range(STUDIES):
        found = _simulated(budgets, bottoms * 0.9, rng, trial)
        if found is None:
            refused += 1
            continue
        inside.append(found[0] <= true <= found[1])
        widths.append(found[1] - found[0])
    print(
        f"{STUDIES} studies, exponent {true:.3f}: the 90 % interval holds it in {np.mean(inside):.1%} of"
        f" {len(inside)} laws ({refused} refused); median width {np.median(widths):.2f}"
    )
    for factor in (8.0, 1 / 8):
        laws = [_simulated(budgets, bottoms * factor, rng, trial) for trial in range(STUDIES)]
        print(f"sizes {factor:g} times the best: {sum(one is None for one in laws)} of {STUDIES} refused")


STUDIES = 200
SPREAD = (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0)
SEEDS = 4
NOISE = 0.04


def _loss(budget: float, params: FloatArray) -> FloatArray:
    """The law that simulated studies follow: about what small byte models do."""
    return 1.0 + 2.0 * (params / 300) ** -0.35 + 1.2 * (budget / 6 / params / 2e4) ** -0.35


def _bottom(budget: float) -> float:
    sizes = np.geomspace(1e2, 1e7, 20_000)
    return float(sizes[np.argmin(_loss(budget, sizes))])


def _simulated(
    budgets: FloatArray, middles: FloatArray, rng: np.random.Generator, trial: int
) -> tuple[float, float] | None:
    """The 90 % interval of one study's exponent, None where it is refused."""
    from isoflop.errors import UntrustworthyFit
    from isoflop.lab import bracket
    from isoflop.laws import Runs, isoflop_line

    rows: list[tuple[float, float, float]] = []
    for budget, middle in zip(budgets, middles, strict=True):
        losses = {
            int(middle * share): list(_loss(budget, middle * share) + NOISE * rng.standard_normal(SEEDS))
            for share in SPREAD
        }
        if bracket(float(budget), losses).enclosed:
            rows += [(float(size), float(budget), loss) for size, held in losses.items() for loss in held]
    if len({budget for _, budget, _ in rows}) < 3:
        return None
    params, flops, loss = np.array(rows).T
    try:
        line = isoflop_line(
            Runs.of(params=params, tokens=flops / 6 / params, flops=flops, loss=loss), resamples=300, seed=trial
        )
    except UntrustworthyFit:
        return None
    return line.interval(0.9)


def corpus_of_words(folder: Path) -> Corpus:
    """Text of a small made-up language."""
    rng = np.random.default_rng(0)
    words = np.array(["".join(rng.choice(list("etaoinshr"), rng.integers(2, 7))) for _ in range(300)])
    for number in range(40):
        (folder / f"{number}.txt").write_text(" ".join(words[rng.zipf(1.4, 6000) % len(words)]), encoding="utf-8")
    return build_corpus(DataSpec(source=str(folder), epochs=100), folder / "corpus")


def main() -> None:
    """Everything, or what is named."""
    warnings.simplefilter("ignore")
    named = {
        "peak": peak,
        "pair": pair,
        "together": together,
        "runs": runs,
        "precision": precision,
        "coverage": coverage,
    }
    with tempfile.TemporaryDirectory() as folder:
        corpus = corpus_of_words(Path(folder))
        for name in sys.argv[1:] or named:
            named[name](corpus)


if __name__ == "__main__":
    main()
