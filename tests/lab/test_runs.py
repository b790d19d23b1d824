"""Whole runs with real processes: killed at any moment they end as if nothing had been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.lab.test_train import SHAPE, spec  # noqa: E402

from isoflop.lab import Corpus  # noqa: E402
from isoflop.lab.files import Records  # noqa: E402
from isoflop.lab.hugging_face import import_model  # noqa: E402
from isoflop.lab.pool import Outcome, Pool, Task  # noqa: E402
from isoflop.lab.run import Stopped, perform  # noqa: E402
from isoflop.lab.spec import Schedule  # noqa: E402
from isoflop.lab.store import RunFolder  # noqa: E402
from isoflop.lab.train import Habits  # noqa: E402


@pytest.fixture
def study(corpus: Corpus, tmp_path: Path) -> Path:
    (tmp_path / "corpus").symlink_to(corpus.folder)
    (tmp_path / "runs").mkdir()
    return tmp_path


def test_a_run_killed_at_random_moments_ends_bit_for_bit_as_one_that_was_not(study: Path, corpus: Corpus) -> None:
    run = spec(corpus, steps=400, validation=8)
    whole = RunFolder.made(study / "apart", run)
    expected = perform(whole, corpus, Habits())
    folder = RunFolder.made(study / "runs", run)
    task = Task(run=run.hash, log_every=5, checkpoint_every=10).line()
    kills = 0
    while folder.result is None:
        worker = subprocess.Popen(
            [sys.executable, "-m", "isoflop.lab.worker", str(study)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert worker.stdin is not None
        worker.stdin.write(task)
        worker.stdin.flush()
        before, wanted = folder.steps_done(), (37, 143)[kills % 2]
        while kills < 2 and folder.steps_done() < before + wanted and worker.poll() is None:
            time.sleep(0.02)
        if kills < 2:
            worker.send_signal(signal.SIGKILL)
            kills += 1
        worker.communicate()
    assert kills == 2
    assert folder.losses() == whole.losses()
    assert folder.result.loss == expected.loss
    again = [one["step"] for one in folder.log.read() if "losses" in one]
    assert len(again) - len(set(again)) <= 2 * 2  # at most a checkpoint's interval was done twice each time


def test_a_result_is_kept_and_its_model_is_read_by_others(study: Path, corpus: Corpus) -> None:
    from isoflop.model import counts, model

    folder = RunFolder.made(study / "runs", spec(corpus))
    result = perform(folder, corpus, Habits())
    assert perform(folder, corpus, Habits()) == result
    assert result.tokens == 40 * 4 * 32
    assert result.epochs == pytest.approx(result.tokens / corpus.train_tokens(32))
    assert counts(model(folder.path / "model")).params == SHAPE.params
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder.path / "model")
    held = torch.from_numpy(corpus.validation(sequences=20, length=32))
    with torch.no_grad():
        logits = theirs(held[:, :-1]).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), held[:, 1:].flatten())
    assert float(loss) == pytest.approx(result.loss, rel=1e-5)
    assert import_model(folder.path / "model").shape == SHAPE


def test_a_run_that_is_stopped_goes_on(study: Path, corpus: Corpus) -> None:
    folder = RunFolder.made(study / "runs", spec(corpus))
    with pytest.raises(Stopped):
        perform(folder, corpus, Habits(log_every=7), stopping=lambda: True)
    assert folder.steps_done() == 7
    assert folder.checkpoint.exists()
    perform(folder, corpus, Habits(log_every=7))
    whole = RunFolder.made(study / "apart", spec(corpus))
    perform(whole, corpus, Habits())
    assert folder.losses() == whole.losses()
    assert not folder.checkpoint.exists()


def test_a_pool_does_branches_after_their_trunk_and_reports_what_fails(study: Path, corpus: Corpus) -> None:
    long = RunFolder.made(study / "runs", spec(corpus, steps=60))
    short = RunFolder.made(study / "runs", spec(corpus, steps=30))
    broken = RunFolder.made(study / "runs", spec(corpus, seed=5))
    (broken.path / "checkpoint.safetensors").write_text("no checkpoint")
    leaves = short.spec.schedule.decline_from(30)
    tasks = [
        Task(run=short.spec.hash, after=long.spec.hash),
        Task(run=long.spec.hash, branch_at=(leaves,)),
        Task(run=broken.spec.hash),
    ]
    heard: list[Outcome] = []
    with Pool(study, processes=1) as pool:
        pool.do(tasks, heard.append)
    assert {one.run: one.status for one in heard} == {
        short.spec.hash: "done", long.spec.hash: "done", broken.spec.hash: "failed"
    }  # fmt: skip
    assert "delete it, and the run starts again" in next(one.message for one in heard if one.status == "failed")
    assert short.result is not None
    assert short.result.branched_at == leaves
    whole = RunFolder.made(study / "apart", short.spec)
    assert perform(whole, corpus, Habits()).loss == short.result.loss


def test_a_worker_that_dies_is_replaced(study: Path, corpus: Corpus) -> None:
    folder = RunFolder.made(study / "runs", spec(corpus, steps=100))
    heard: list[Outcome] = []

    class Killing(Pool):
        def _start(self) -> object:
            worker = super()._start()
            self.started = getattr(self, "started", 0) + 1
            if self.started == 1:
                worker.process.kill()
            return worker

    with Killing(study, processes=1) as pool:
        pool.do([Task(run=folder.spec.hash)], heard.append)
        assert pool.started == 2
    assert [one.status for one in heard] == ["done"]


def test_lines_that_a_crash_cut_short_are_passed_over(tmp_path: Path) -> None:
    records = Records(tmp_path / "log.jsonl")
    records.add({"step": 1})
    with records.path.open("ab") as file:
        file.write(b'{"step": 2, "los')
    records.add({"step": 3})
    assert [one["step"] for one in records.read()] == [1, 3]
    assert json.loads(records.path.read_bytes().splitlines()[0]) == {"step": 1}


def test_a_full_disk_leaves_the_last_whole_checkpoint(
    study: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder.made(study / "runs", spec(corpus))
    real, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 12:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        perform(folder, corpus, Habits(log_every=4, checkpoint_every=8))
    monkeypatch.undo()
    perform(folder, corpus, Habits())
    whole = RunFolder.made(study / "apart", spec(corpus, schedule=Schedule(warmup=5)))
    perform(whole, corpus, Habits())
    assert folder.losses() == whole.losses()
