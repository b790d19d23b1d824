"""Two processes that train one model, by DDP and by FSDP2, give what one process gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.lab.test_train import spec  # noqa: E402

from isoflop.errors import BadInput  # noqa: E402
from isoflop.lab import Corpus, RunFolder  # noqa: E402
from isoflop.lab.hugging_face import import_model  # noqa: E402
from isoflop.lab.run import perform  # noqa: E402
from isoflop.lab.train import Habits  # noqa: E402
from isoflop.lab.world import join  # noqa: E402


@pytest.mark.parametrize("sharing", ["ddp", "fsdp"])
def test_two_processes_are_one(corpus: Corpus, tmp_path: Path, sharing: str) -> None:
    run = spec(corpus, steps=12, validation=8)
    (tmp_path / "corpus").symlink_to(corpus.folder)
    shared = RunFolder.made(tmp_path / "runs", run)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "isoflop.lab.one"]
    done = subprocess.run(
        [sys.executable, *launch, str(tmp_path), run.hash, "--sharing", sharing, "--checkpoint-every", "6"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert shared.result is not None
    alone = RunFolder.made(tmp_path / "apart", run)
    expected = perform(alone, corpus, Habits())
    assert list(shared.losses().values()) == pytest.approx(list(alone.losses().values()), rel=1e-6)
    assert shared.result.loss == pytest.approx(expected.loss, rel=1e-6)
    ours, theirs = (import_model(one.path / "model").state_dict() for one in (alone, shared))
    for name, value in ours.items():
        assert torch.allclose(value, theirs[name], atol=1e-5), name


def test_sharing_without_torchrun_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(BadInput, match="torchrun --nproc-per-node 2"):
        join("fsdp")
