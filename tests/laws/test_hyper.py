"""Recommended settings: powers of size, data and compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput, UntrustworthyFit
from isoflop.laws import HyperParameters, Powers, Runs, fit_hyper, published


@given(st.floats(1e7, 1e12), st.floats(1e9, 1e14), st.floats(1.5, 100.0))
def test_powers_scale_as_their_exponents(params: float, tokens: float, factor: float) -> None:
    rule = Powers(coefficient=0.7, params=-0.7, tokens=0.3, flops=0.1)
    at_one = rule.at(params=params, tokens=tokens, flops=1e20)
    assert rule.at(params=params * factor, tokens=tokens, flops=1e20) == pytest.approx(at_one * factor**-0.7)
    assert rule.at(params=params, tokens=tokens * factor, flops=1e20) == pytest.approx(at_one * factor**0.3)
    assert rule.at(params=params, tokens=tokens, flops=1e20 * factor) == pytest.approx(at_one * factor**0.1)


@pytest.mark.parametrize("name", ["deepseek2024", "stepfun2025"])
def test_steps_times_batch_is_all_tokens(name: str) -> None:
    found = published(name).advisor.advise(params=3e9, tokens=60e9, flops=1.1e21)
    assert found.steps * found.batch_tokens == pytest.approx(60e9)
    assert published(name).advisor.convention.params == "non_embedding"


def test_arrays_equal_scalars() -> None:
    law = published("stepfun2025").advisor
    sizes, data = np.array([1e8, 1e9, 1e10]), np.array([2e9, 2e10, 2e11])
    many = law.advise(sizes, data, 6 * sizes * data)
    for place in range(3):
        one = law.advise(sizes[place], data[place], 6 * sizes[place] * data[place])
        assert many.learning_rate[place] == pytest.approx(one.learning_rate)
        assert many.batch_tokens[place] == pytest.approx(one.batch_tokens)


def test_wrong_runs_are_refused() -> None:
    with pytest.raises(BadInput, match="tokens must be positive"):
        published("deepseek2024").advisor.advise(params=1e9, tokens=0.0, flops=1e20)
    with pytest.raises(BadInput, match="power law: coefficient"):
        HyperParameters(learning_rate=Powers(coefficient=-1.0), batch_tokens=Powers(coefficient=1.0))


def test_the_two_laws_agree_within_a_factor_of_three() -> None:
    """They come from different studies; at the sizes of both they must still be of one order."""
    run = {"params": 1e9, "tokens": 20e9, "flops": 1.2e20}
    one, other = (published(name).advisor.advise(**run) for name in ("deepseek2024", "stepfun2025"))
    assert 1 / 3 < one.learning_rate / other.learning_rate < 3
    assert 1 / 3 < one.batch_tokens / other.batch_tokens < 3


def grid(bend: float) -> Runs:
    """Runs on grids of rate and batch at twelve sizes and amounts of data, a bowl where `bend` is above 0."""
    rng = np.random.default_rng(3)
    rows = []
    for size in (1e8, 2e8, 4e8, 8e8):
        for data in (4e9, 8e9, 1.6e10):
            rate, batch = 2.0 * size**-0.7 * data**0.3, 0.5 * data**0.57
            for x, y in ((i * 0.2, j * 0.2) for i in (-1, 0, 1) for j in (-1, 0, 1)):
                loss = 3.0 * np.exp(bend * (x * x + y * y) / 100 + 1e-6 * rng.normal())
                rows.append((size, data, rate * np.exp(x), batch * np.exp(y), loss))
    names = ("params", "tokens", "learning_rate", "batch_tokens", "loss")
    return Runs.of(**dict(zip(names, np.array(rows).T, strict=True)))


def test_a_bowl_is_found_and_a_hill_is_refused() -> None:
    found = fit_hyper(grid(1.0), resamples=50)
    assert found.draws.mean(axis=0) == pytest.approx((-0.7, 0.3, 0.0, 0.57), abs=0.01)
    with pytest.raises(UntrustworthyFit, match="do not rise on both sides"):
        fit_hyper(grid(-1.0), resamples=50)


def test_one_batch_or_no_loss_gives_no_law() -> None:
    runs = grid(1.0)
    for name, value in (("batch_tokens", 1e6), ("loss", np.nan)):
        same = Runs.of(**{**runs.columns, name: np.full(runs.rows, value)})
        with pytest.raises(UntrustworthyFit):
            fit_hyper(same, resamples=50)
