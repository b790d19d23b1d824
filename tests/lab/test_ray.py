"""Ray gives the numbers of the pool. Skipped where Ray is not installed; then the refusal is tested."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.lab.test_train import spec  # noqa: E402

from isoflop.errors import MissingData  # noqa: E402
from isoflop.lab import Corpus, RunFolder  # noqa: E402
from isoflop.lab.pool import Outcome, Task  # noqa: E402
from isoflop.lab.ray_pool import RayPool  # noqa: E402
from isoflop.lab.run import perform  # noqa: E402
from isoflop.lab.train import Habits  # noqa: E402

RAY = find_spec("ray") is not None


@pytest.mark.skipif(RAY, reason="Ray is there")
def test_without_ray_the_extra_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"isoflop\[ray\]"):
        RayPool(tmp_path, processes=1)


@pytest.mark.skipif(not RAY, reason="needs the extra ray")
@pytest.mark.filterwarnings("ignore")
def test_ray_gives_the_numbers_of_the_pool(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "corpus").symlink_to(corpus.folder)
    long, short = (RunFolder.made(tmp_path / "runs", spec(corpus, steps=steps)) for steps in (60, 30))
    leaves = short.spec.schedule.decline_from(30)
    tasks = [
        Task(run=short.spec.hash, after=long.spec.hash),
        Task(run=long.spec.hash, branch_at=(leaves,)),
    ]
    heard: list[Outcome] = []
    with RayPool(tmp_path, processes=2) as pool:
        pool.do(tasks, heard.append)
    assert [one.status for one in heard] == ["done", "done"], heard
    for folder in (long, short):
        alone = RunFolder.made(tmp_path / "apart", folder.spec)
        perform(alone, corpus, Habits())
        assert folder.result is not None
        assert alone.result is not None
        assert folder.result.loss == alone.result.loss
    assert short.result is not None
    assert short.result.branched_at == leaves
