"""The chain from compute to the error of a task."""

from __future__ import annotations

import numpy as np
import pytest
from tests.laws.studies import TRUE, dots

from isoflop.errors import BadInput
from isoflop.laws import Options, Runs, fit
from isoflop.laws.chain import chained


def task(rng: np.random.Generator, rows: int = 60) -> Runs:
    params = np.exp(rng.uniform(np.log(5e7), np.log(5e9), rows))
    tokens = params * np.exp(rng.uniform(np.log(3), np.log(300), rows))
    loss = np.asarray(TRUE.loss(params, tokens)) * np.exp(0.01 * rng.standard_normal(rows))
    error = (0.9 - 3.0 * np.exp(-1.1 * loss)) * np.exp(0.01 * rng.standard_normal(rows))
    return Runs.of(params=params, tokens=tokens, loss=loss, error=error)


def test_errors_of_new_runs_lie_in_the_interval_of_the_chain() -> None:
    rng = np.random.default_rng(4)
    runs, new = task(rng), task(rng, 400)
    quick = Options(bootstrap=100)
    first, second = fit(runs, "chinchilla", quick), fit(runs, "downstream", quick)
    inside = {name: new.columns[name] for name in ("params", "tokens")}
    said = chained(first, second, inside)
    assert set(said) == {"loss", "error"}
    middle, low, high = said["error"]
    seen = new.columns["error"]
    assert 0.7 < float(((low <= seen) & (seen <= high)).mean()) < 0.92
    assert np.median(np.abs(middle / seen - 1)) < 0.03
    alone = second.predict_interval({"loss": said["loss"][0]})
    assert np.median(high - low) > np.median(alone[2] - alone[1])  # the loss is not known either


def test_only_a_law_of_the_loss_is_chained() -> None:
    found = fit(dots(), "chinchilla-tied", Options(bootstrap=20))
    with pytest.raises(BadInput, match="not the loss alone; fit downstream"):
        chained(found, found, dots().columns)
