"""Runs trained side by side are the runs alone, up to rounding."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")

from tests.lab.test_train import spec  # noqa: E402

from isoflop.errors import BadInput  # noqa: E402
from isoflop.lab import Corpus  # noqa: E402
from isoflop.lab.pool import Outcome, Pool  # noqa: E402
from isoflop.lab.spec import Optimizer, RunSpec, Schedule  # noqa: E402
from isoflop.lab.store import RunFolder  # noqa: E402
from isoflop.lab.tasks import gains, parties, tasks_of  # noqa: E402
from isoflop.lab.together import Fleet  # noqa: E402
from isoflop.lab.train import Trainer  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path


def test_runs_side_by_side_are_the_runs_alone(corpus: Corpus) -> None:
    specs = [
        spec(corpus, seed=seed, pieces=2, optimizer=Optimizer(learning_rate=rate))
        for seed in (1, 2)
        for rate in (0.02, 0.005)
    ]
    fleet = Fleet(specs, corpus)
    steps = [fleet.step() for _ in range(40)]
    last = fleet.validate()
    for number, one in enumerate(fleet.specs):
        alone = Trainer(one, corpus)
        expected = [alone.step() for _ in range(40)]
        assert [found[number] for found in steps[:10]] == [pytest.approx(one, rel=1e-4) for one in expected[:10]]
        # Rounding grows as it does after any change of the order of sums: Adam divides small gradients by themselves.
        assert [found[number][0] for found in steps] == pytest.approx([loss for loss, _ in expected], rel=5e-3)
        assert last[number] == pytest.approx(alone.validate(), rel=5e-3)
        made, own = fleet.plain(number).loss(*_probe(fleet)), alone.model.loss(*_probe(fleet))
        assert float(made.detach()) == pytest.approx(float(own.detach()), rel=1e-2)


def _probe(fleet: Fleet) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.arange(64).view(2, 32), fleet.turns


def test_runs_that_differ_in_more_are_refused(corpus: Corpus) -> None:
    one = spec(corpus)
    with pytest.raises(BadInput, match="only their seeds and learning rates differ"):
        Fleet([one, replace(one, batch=8)], corpus)
    for other in (replace(one, bits=4), replace(one, precision="bf16"), replace(one, recompute=True)):
        with pytest.raises(BadInput, match="not trained together where"):
            Fleet([other, replace(other, seed=3)], corpus)


def test_a_fleet_goes_on_bit_for_bit_and_takes_no_other_state(corpus: Corpus, tmp_path: Path) -> None:
    specs = [spec(corpus, seed=seed) for seed in (1, 2, 3)]
    whole = Fleet(specs, corpus)
    expected = [whole.step() for _ in range(30)]
    first = Fleet(specs, corpus)
    for _ in range(13):
        first.step()
    first.save(tmp_path / "state.safetensors")
    second = Fleet(specs, corpus)
    second.load(tmp_path / "state.safetensors")
    assert [second.step() for _ in range(17)] == expected[13:]
    with pytest.raises(BadInput, match="other runs"):
        Fleet(specs[:2], corpus).load(tmp_path / "state.safetensors")


def study_of(corpus: Corpus, path: Path, specs: list[RunSpec]) -> Path:
    path.mkdir(exist_ok=True)
    (path / "corpus").symlink_to(corpus.folder)
    for one in specs:
        RunFolder.made(path / "runs", one)
    return path


def lines(path: Path, specs: list[RunSpec]) -> list[tuple[dict[int, float | None], float | None]]:
    folders = [RunFolder(path / "runs" / one.hash) for one in specs]
    return [(one.losses(), one.result.loss if one.result else None) for one in folders]


def test_runs_trained_together_and_killed_end_bit_for_bit_as_if_they_had_not_been(
    corpus: Corpus, tmp_path: Path
) -> None:
    specs = [spec(corpus, seed=seed, steps=steps, validation=8) for seed in (1, 2, 3) for steps in (160, 60)]
    tasks = tasks_of(specs, together=12)
    assert sorted(len(task.runs) for task in tasks) == [3, 3]
    assert tasks[1].after in tasks[0].runs
    killed, whole = (study_of(corpus, tmp_path / name, specs) for name in ("killed", "whole"))
    with Pool(whole, processes=1) as pool:
        pool.do(tasks, lambda _: None)
    task = replace(tasks[0], log_every=10, checkpoint_every=20)
    for stop in (30, 90):
        worker = subprocess.Popen(
            [sys.executable, "-m", "isoflop.lab.worker", str(killed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert worker.stdin is not None
        worker.stdin.write(task.line())
        worker.stdin.flush()
        watched = RunFolder(killed / "runs" / task.run)
        while watched.steps_done() < stop and worker.poll() is None:
            time.sleep(0.02)
        worker.kill()
        worker.communicate()
    assert watched.result is None
    heard: list[Outcome] = []
    with Pool(killed, processes=1) as pool:
        pool.do([task, replace(tasks[1], after="")], heard.append)
    assert {one.run: one.status for one in heard} == {one.hash: "done" for one in specs}
    assert lines(killed, specs) == lines(whole, specs)
    assert not list((killed / "together").glob("*.safetensors"))
    short = RunFolder(whole / "runs" / tasks[1].run).result
    assert short is not None
    assert short.branched_at == specs[1].schedule.decline_from(60)


def test_a_run_that_diverges_leaves_the_others_as_they_are(corpus: Corpus, tmp_path: Path) -> None:
    calm = spec(corpus, schedule=Schedule(warmup=0), optimizer=Optimizer(clip=1e9), steps=60)
    wild = replace(calm, optimizer=Optimizer(learning_rate=9.0, clip=1e9))
    specs = [calm, wild, replace(calm, seed=2)]
    study = study_of(corpus, tmp_path / "study", specs)
    with Pool(study, processes=1) as pool:
        pool.do(tasks_of(specs, together=12), lambda _: None)
    found = [RunFolder(study / "runs" / one.hash).result for one in specs]
    assert [one.status for one in found if one] == ["done", "diverged", "done"]
    alone = Trainer(calm, corpus)
    for _ in range(60):
        alone.step()
    assert found[0] is not None
    assert found[0].loss == pytest.approx(alone.validate(), rel=1e-3)
    assert not (study / "runs" / wild.hash / "model").exists()


def test_who_goes_with_whom_follows_from_the_whole_study(corpus: Corpus) -> None:
    every = [spec(corpus, seed=seed, steps=steps) for seed in range(8) for steps in (40, 80)]
    groups = parties(every, 5)
    assert sorted(len(one) for one in groups) == [4, 4, 4, 4]
    left = tasks_of(every[:1], every, together=5)
    assert [set(task.runs) for task in left] == [{spec(corpus, seed=seed, steps=40).hash for seed in range(4)}]
    assert all(len(task.runs) == 1 for task in tasks_of(every, every))
    large = [spec(corpus, seed=seed, batch=64, sequence=64) for seed in (1, 2)]
    assert not gains(large[0])
    assert len(parties(large, 12)) == 2
