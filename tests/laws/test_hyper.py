"""Recommended settings: powers of size, data and compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput, MissingData, UntrustworthyFit
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
    assert found.draws.mean(axis=0)[[1, 2, 4, 5]] == pytest.approx((-0.7, 0.3, 0.0, 0.57), abs=0.01)
    assert found.law.learning_rate.coefficient == pytest.approx(2.0, rel=0.1)
    with pytest.raises(UntrustworthyFit, match="0 pairs of params and tokens have their best run inside"):
        fit_hyper(grid(-1.0), resamples=50)


def test_the_certificate_says_why_the_bottom_is_believed() -> None:
    found = fit_hyper(grid(1.0), resamples=20)
    proof = found.certificate
    assert proof.rank == proof.unknowns == 9
    assert proof.gradient < 1e-9
    assert 0 < proof.flat <= proof.steep
    assert (found.curvature[0], found.curvature[2]) == pytest.approx((0.02, 0.02), rel=0.01)
    assert found.breadth == pytest.approx(np.exp(np.sqrt([0.1, 0.1])), rel=0.01)
    assert {one.name: one.status for one in found.checks}["8 bracketing"] == "pass"


def test_grids_whose_best_lies_at_an_edge_are_named_and_left_out() -> None:
    runs = grid(1.0)
    cell = (runs.columns["params"] == 1e8) & (runs.columns["tokens"] == 4e9)
    cut = cell & (runs.columns["learning_rate"] > 2.0 * 1e8**-0.7 * 4e9**0.3 * 1.01)
    found = fit_hyper(runs.where(~cut), resamples=20)
    assert found.cells == 11
    assert len(found.left_out) == 1
    assert found.left_out[0].startswith("at 100M parameters and 4B tokens runs with rates above")
    judged = {one.name: one for one in found.checks}["8 bracketing"]
    assert (judged.status, judged.number) == ("warn", pytest.approx(1 / 12))


def test_resamples_without_a_bottom_are_counted() -> None:
    """A bowl so flat that noise turns a few resamples of its grids into saddles."""
    runs, rng = grid(0.04), np.random.default_rng(39)
    noisy = Runs.of(**{**runs.columns, "loss": runs.loss * np.exp(1e-5 * rng.standard_normal(runs.rows))})
    found = fit_hyper(noisy, resamples=200)
    assert 0 < found.bottomless < 10
    assert found.bottomless + len(found.draws) == found.resamples == 200
    judged = {one.name: one for one in found.checks}["8 bracketing"]
    assert f"{found.bottomless} of 200 resamples" in judged.says
    assert judged.status == "warn"


def test_batches_in_sequences_give_a_law_in_sequences() -> None:
    runs = grid(1.0)
    columns = {name: runs.columns[name] for name in ("params", "tokens", "learning_rate", "loss")}
    in_sequences = Runs.of(**columns, batch_sequences=runs.columns["batch_tokens"] / 2048)
    one, other = fit_hyper(runs, resamples=10), fit_hyper(in_sequences, resamples=10)
    assert other.batch_unit == "batch_sequences"
    np.testing.assert_allclose(other.at[[0, 1, 2, 4, 5]], one.at[[0, 1, 2, 4, 5]], rtol=1e-8, atol=1e-8)
    assert np.exp(one.at[3] - other.at[3]) == pytest.approx(2048, rel=1e-6)
    with pytest.raises(MissingData, match="--set sequence_length=2048"):
        _ = other.law


def test_the_interval_of_a_new_size_holds_its_bottom() -> None:
    """Cells whose own bottoms scatter about the law: the interval is for the bottom of another such cell."""
    rng, inside, count = np.random.default_rng(0), 0, 40
    for _ in range(count):
        rows = []
        for size in (1e8, 2e8, 4e8, 8e8):
            for data in (4e9, 8e9, 1.6e10):
                middle = np.log([2.0 * size**-0.7 * data**0.3, 0.5 * data**0.57]) + 0.15 * rng.standard_normal(2)
                for x, y in ((i * 0.3, j * 0.3) for i in range(-2, 3) for j in range(-2, 3)):
                    at = middle + np.array([x, y])
                    loss = 3.0 * np.exp(0.01 * (x * x + y * y) / 2 + 1e-5 * rng.standard_normal())
                    rows.append((size, data, *np.exp(at), loss))
        names = ("params", "tokens", "learning_rate", "batch_tokens", "loss")
        found = fit_hyper(Runs.of(**dict(zip(names, np.array(rows).T, strict=True))), resamples=100)
        new = 2.0 * 3e8**-0.7 * 6e9**0.3 * np.exp(0.15 * rng.standard_normal())
        said = found.predict_interval({"params": np.array([3e8]), "tokens": np.array([6e9])})["learning_rate"]
        inside += bool(said[1][0] <= new <= said[2][0])
    assert 0.65 * count <= inside <= 0.95 * count


def test_one_batch_or_no_loss_gives_no_law() -> None:
    runs = grid(1.0)
    for name, value in (("batch_tokens", 1e6), ("loss", np.nan)):
        same = Runs.of(**{**runs.columns, name: np.full(runs.rows, value)})
        with pytest.raises(UntrustworthyFit):
            fit_hyper(same, resamples=50)


def test_two_sizes_give_no_exponent() -> None:
    runs = grid(1.0)
    with pytest.raises(UntrustworthyFit, match="grids at 2 values of params cannot tell"):
        fit_hyper(runs.where(np.isin(runs.columns["params"], (1e8, 8e8))), resamples=10)
