"""Runs trained side by side are the runs alone, up to rounding."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from tests.lab.test_train import spec, trained  # noqa: E402

from isoflop.errors import BadInput  # noqa: E402
from isoflop.lab import Corpus  # noqa: E402
from isoflop.lab.together import Fleet  # noqa: E402
from isoflop.lab.train import Trainer  # noqa: E402


def test_runs_side_by_side_are_the_runs_alone(corpus: Corpus) -> None:
    specs = [spec(corpus, seed=seed, pieces=2) for seed in (1, 2, 3)]
    fleet = Fleet(specs, corpus)
    steps = [fleet.step() for _ in range(40)]
    for number, one in enumerate(specs):
        assert [losses[number] for losses in steps] == pytest.approx(trained(one, corpus), rel=2e-4)
    alone = Trainer(specs[1], corpus)
    for _ in range(40):
        alone.step()
    assert fleet.validate()[1] == pytest.approx(alone.validate(), rel=2e-4)


def test_only_seeds_may_differ(corpus: Corpus) -> None:
    one = spec(corpus)
    for other in (replace(one, batch=8), replace(one, bits=4), replace(one, precision="bf16")):
        with pytest.raises(BadInput, match="only their seeds differ"):
            Fleet([other, other] if other.batch == 4 else [one, other], corpus)
