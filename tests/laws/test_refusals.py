"""Runs that cannot carry a law are refused with the runs that are missing; never an exponent from them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.laws.studies import HERE, TRUE, dots, study

from isoflop.errors import UntrustworthyFit
from isoflop.laws import Options, Runs, check, envelope, fit, isoflop_bias, isoflop_line, isoflop_profiles, read_runs


def test_two_sizes() -> None:
    params = np.repeat([1e8, 1e9], 8)
    tokens = np.tile(np.geomspace(1e9, 1e11, 8), 2)
    with pytest.raises(
        UntrustworthyFit, match=r"16 runs at 2 values of params \(100M and 1B\).*Missing: .*316M and 4B"
    ) as error:
        fit(Runs.of(params=params, tokens=tokens, loss=TRUE.loss(params, tokens)))
    assert error.value.exit_code == 3
    assert "further params" in error.value.missing[0]


def test_one_ratio_of_tokens_to_params() -> None:
    params = np.geomspace(1e7, 1e10, 12)
    with pytest.raises(
        UntrustworthyFit, match=r"tokens follow from params .about 20 for each.*Missing: runs at other ratios"
    ):
        fit(Runs.of(params=params, tokens=20 * params, loss=TRUE.loss(params, 20 * params)))


def test_too_few_runs() -> None:
    runs = study().where(np.arange(42) % 9 == 0)
    with pytest.raises(UntrustworthyFit, match="5 usable runs cannot determine the 5 constants"):
        fit(runs)


def test_a_bound_that_was_hit() -> None:
    with pytest.raises(UntrustworthyFit, match=r"alpha ran into its bound \(0.3\).*Missing"):
        fit(dots(), "chinchilla", Options(bootstrap=0, bounds={"alpha": (0.1, 0.3)}))


def test_no_floor() -> None:
    flops = np.geomspace(1e18, 1e22, 20)
    loss = (1e29 / flops) ** 0.05 * np.exp(-0.002 * (np.log(flops) - np.log(flops).mean()) ** 2)
    with pytest.raises(UntrustworthyFit, match="the floor E fell to nothing"):
        fit(Runs.of(flops=flops, loss=loss), "power-flops")


def test_no_usable_row() -> None:
    runs = Runs.of(params=[1e8, 2e8], tokens=[1e9, 2e9], loss=[np.nan, np.nan])
    with pytest.raises(UntrustworthyFit, match="none of the 2 rows can be used: 2 with no finite loss"):
        fit(runs)


def test_isoflop_recovers_its_law() -> None:
    runs = study(0.0)
    exponent = TRUE.beta / (TRUE.alpha + TRUE.beta)
    for method in ("parabola", "akima", "surface"):
        found = isoflop_line(runs, method, resamples=50)
        assert found.exponent == pytest.approx(exponent, abs=0.01)
        assert not found.left_out
    assert isoflop_bias(runs, TRUE) == pytest.approx(isoflop_line(runs, resamples=0).exponent - exponent, abs=1e-9)


def test_isoflop_interval_holds_the_truth() -> None:
    exponent = TRUE.beta / (TRUE.alpha + TRUE.beta)
    inside = 0
    for seed in range(20):
        low, high = isoflop_line(study(0.003, seed=seed), resamples=200).interval(0.9)
        inside += low <= exponent <= high
    assert inside >= 14


def test_unbracketed_profiles_give_no_exponent() -> None:
    runs = study(0.001)
    best = np.asarray(TRUE.allocate(runs.columns["flops"]).params)
    small = runs.where(runs.columns["params"] < 0.75 * best)
    extra = study(0.001, sizes=25)
    extra = extra.where(extra.columns["params"] < 0.75 * np.asarray(TRUE.allocate(extra.columns["flops"]).params))
    assert small.rows
    with pytest.raises(
        UntrustworthyFit, match=r"0 of 6 IsoFLOP profiles have their minimum inside.*models larger than"
    ) as error:
        isoflop_line(extra)
    assert len(error.value.missing) == 6


def test_the_gemstones_are_no_isoflop_study() -> None:
    profiles = isoflop_profiles(study())
    assert len(profiles) == 6
    assert all(one.bracketed for one in profiles)


def test_the_three_approaches_agree_on_the_dots() -> None:
    runs = dots()
    third = fit(runs, "chinchilla", Options(bootstrap=0)).exponent
    assert third is not None
    assert isoflop_line(runs, resamples=100).exponent == pytest.approx(third[0], abs=0.03)
    first = envelope(runs, resamples=100)
    assert first.exponent == pytest.approx(third[0], abs=0.03)
    assert 0.005 < first.draws.std() < 0.06


def test_an_envelope_of_one_size_gives_nothing() -> None:
    params = np.full(40, 1e8)
    tokens = np.geomspace(1e9, 1e12, 40)
    with pytest.raises(UntrustworthyFit, match=r"of 1 sizes; an exponent takes five of three sizes"):
        envelope(Runs.of(params=params, tokens=tokens, loss=TRUE.loss(params, tokens)))


def test_what_the_runs_do_not_tell_apart_is_named() -> None:
    """Four runs' worth of sizes in a narrow band: floor and size cannot be told apart."""
    runs = read_runs(HERE / "gemstones.csv")
    with pytest.raises(UntrustworthyFit, match=r"do not tell \w+ and \w+.* apart: hold one \(--fix \w+=VALUE\)"):
        fit(runs, "width-depth", Options(bootstrap=0))
    assert fit(runs, "width-depth", Options(bootstrap=0, loss="squared")).certificate.decrease < 1e-9


def test_grids_of_something_else_are_recognised_and_their_best_can_be_kept() -> None:
    rng = np.random.default_rng(2)
    one = study(0.002, budgets=4, sizes=6)
    columns = {name: np.repeat(one.columns[name], 9) for name in ("params", "tokens")}
    loss = np.repeat(one.loss, 9) * np.exp(0.03 * rng.random(9 * one.rows))
    runs = Runs.of(**columns, loss=np.minimum(loss, 9.0))
    best = runs.best_of_grids()
    assert int(best.usable().sum()) == one.rows
    assert best.flagged == {"not the best of its params and tokens": 8 * one.rows}
    kept = best.where(best.usable())
    for size, data, low in zip(kept.columns["params"], kept.columns["tokens"], kept.loss, strict=True):
        same = (runs.columns["params"] == size) & (runs.columns["tokens"] == data)
        assert low == runs.loss[same].min()
    assert check(best)[0].status == "pass"
    flat = Runs.of(**columns, loss=3.0 * columns["params"] ** -0.05 * np.exp(0.3 * rng.random(len(loss))))
    with pytest.raises(UntrustworthyFit, match=r"grids of something else\. --best keeps"):
        fit(flat, "power-params", Options(bootstrap=0))
