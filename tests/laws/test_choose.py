"""--law auto and backtests: the right form gets the weight, units do not matter, few runs get a wide answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.laws.studies import CONSTANTS, HERE, TRUE, dots, study, synthetic

from isoflop import laws
from isoflop.cli import isoflop
from isoflop.errors import BadFile, BadInput, MissingData, UntrustworthyFit
from isoflop.laws import SHAPES, Fit, Options, Runs, fit, read_runs
from isoflop.laws.choose.auto import UNTRIED, choose
from isoflop.laws.choose.blend import Blend, Part
from isoflop.laws.choose.candidate import candidates, varies
from isoflop.laws.choose.rolling import cuts, rolled, rolling_error, scores, weights
from isoflop.laws.choose.subsets import fit_parts
from isoflop.laws.fit_file import fit_object, read_fit
from isoflop.laws.fitting import fit_point
from isoflop.laws.newton import minimise
from isoflop.laws.objective import Objective
from isoflop.laws.problem import Coordinates
from isoflop.laws.shape import gradient_of
from isoflop.quantity import FloatArray
from isoflop.report import dumps

QUICK = Options(bootstrap=0)
FEW = Options(bootstrap=60, engine="numpy")


@pytest.fixture(scope="module")
def dotted() -> Fit:
    return fit(some(), "auto", FEW)


def made(columns: Mapping[str, FloatArray], groups: Sequence[str] = ()) -> Runs:
    """Runs of these columns."""
    return Runs.of(run=groups, **columns)  # type: ignore[arg-type]  # names of quantities


def some() -> Runs:
    """Every third of the dots: enough to choose by, quicker."""
    runs = dots()
    return runs.where(np.arange(runs.rows) % 3 == 0)


def gadre(noise: float = 0.003) -> Runs:
    """Four sizes at 20 tokens per parameter and one run at 320: as little as a public study was made of."""
    params = np.array([11e6, 79e6, 154e6, 411e6, 11e6])
    tokens = params * np.array([20, 20, 20, 20, 320])
    loss = np.asarray(TRUE.loss(params, tokens)) * np.exp(noise * np.random.default_rng(0).standard_normal(5))
    return Runs.of(params=params, tokens=tokens, loss=loss)


# --- the right form -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["data-constrained", "width-depth", "moe-power", "interaction"])
def test_the_form_that_made_the_runs_gets_the_weight(name: str) -> None:
    chosen = choose(synthetic(SHAPES[name], 0.002), QUICK)
    total = sum(w for one, w in zip(chosen.taken, chosen.weights, strict=True) if one.shape.name == name)
    assert total > 0.5


def test_a_blend_predicts_a_hundredfold_beyond_runs_of_chinchilla() -> None:
    found = fit(study(0.002), "auto", FEW)
    at = {"params": np.array([2e10]), "tokens": np.array([4e11]), "flops": np.array([4.8e22])}
    middle, low, high = found.predict_interval(at)
    true = float(TRUE.loss(2e10, 4e11))
    assert middle[0] == pytest.approx(true, rel=0.01)
    assert low[0] < true < high[0]


def test_learning_rate_and_batch_are_followed_where_they_vary() -> None:
    runs = synthetic(SHAPES["tuned"], 0.002)
    assert "tuned" in {one.shape.name for one in candidates(runs)}
    chosen = choose(runs, QUICK)
    assert chosen.taken[int(np.argmax(chosen.weights))].shape.name == "tuned"


def test_columns_that_do_not_vary_bring_no_form() -> None:
    runs = synthetic(SHAPES["tuned"])
    still = made({**runs.columns, "learning_rate": np.full(runs.rows, 1e-3)})
    assert not varies(still, ("learning_rate",))
    assert {one.shape.name for one in candidates(still)} <= set(SHAPES)
    assert "tuned" not in {one.shape.name for one in candidates(still)}
    assert not varies(Runs.of(params=[1e8, 1e9], tokens=[1e9, 2e9], unique_tokens=[1e9, 2e9]), ("unique_tokens",))


# --- units ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["chinchilla_dots", "gemstones"])
def test_units_of_the_table_change_nothing(name: str) -> None:
    runs = read_runs(HERE / f"{name}.csv")
    runs = runs.where(np.arange(runs.rows) % 2 == 0)
    scale = {"params": 1e-6, "tokens": 0.75, "loss": 1 / np.log(2)}
    names = [one for one in ("params", "tokens", "loss", "width", "depth") if one in runs.columns]
    groups = [str(one) for one in runs.groups]
    plain = made({one: runs.columns[one] for one in names}, groups)
    other = made({one: runs.columns[one] * scale.get(one, 1.0) for one in names}, groups)
    first, second = choose(plain, QUICK), choose(other, QUICK)
    np.testing.assert_allclose(first.weights, second.weights, atol=1e-6)
    assert [one.trim for one in first.taken] == [one.trim for one in second.taken]
    best = int(np.argmax(first.weights))
    fits = [fit_point(one.runs, one.taken[best].shape, QUICK) for one in (first, second)]
    np.testing.assert_allclose(fits[1].predict(other.columns), fits[0].predict(plain.columns) / np.log(2), rtol=1e-6)


# --- weights --------------------------------------------------------------------------------------------------------

errors = st.lists(st.lists(st.floats(1e-4, 0.5), min_size=3, max_size=3), min_size=2, max_size=6)


@given(errors, st.floats(0.01, 100.0))
def test_weights_add_up_and_do_not_know_the_scale_of_errors(held: list[list[float]], factor: float) -> None:
    table, priors = np.array(held), np.ones(len(held))
    found = weights(table, priors)
    assert found.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(weights(table * factor, priors), found, atol=1e-9)
    order = np.argsort(rolling_error(table))
    assert (np.diff(found[order]) <= 1e-12).all()


def test_a_form_that_could_not_be_fitted_counts_as_worse_than_the_worst() -> None:
    off = np.array([0.01, -0.03])
    held = scores([[off, off], [None, off]])
    np.testing.assert_allclose(held, [[0.02, 0.02], [0.04, 0.02]])
    assert scores([[None, off]]).shape == (1, 1)
    np.testing.assert_allclose(weights(np.empty((2, 0)), np.array([3.0, 1.0])), [0.75, 0.25])


def test_cuts_leave_neighbours_out_and_need_something_above() -> None:
    runs = Runs.of(params=[1e7] * 6, tokens=[1e9] * 6, loss=[3.0] * 6)
    assert cuts(runs) == ()
    for cut in cuts(dots()):
        assert runs.rows < cut.below.sum() < dots().rows
        assert (dots().columns["flops"][cut.above] > 1.02 * cut.at).all()
        assert (cut.decades(dots()) > 0).all()


@pytest.mark.parametrize("name", ["chinchilla-tied", "chinchilla", "kaplan-joint"])
def test_parts_in_one_batch_end_where_single_fits_do(name: str) -> None:
    runs, shape = dots(), SHAPES[name]
    parts = [one.below for one in cuts(runs)]
    for part, at in zip(parts, fit_parts(shape, runs, parts, QUICK), strict=True):
        assert at is not None
        alone = fit_point(runs.where(part), shape, Options(bootstrap=0, strict=False))
        said = shape.log_loss(at, runs.columns) - shape.log_loss(alone.at, runs.columns)
        assert float(np.abs(said).max()) < 2e-4


def test_parts_that_cannot_carry_a_form_get_none() -> None:
    runs = dots()
    few = np.zeros(runs.rows, dtype=bool)
    few[:4] = True
    assert fit_parts(SHAPES["chinchilla"], runs, [few], QUICK) == [None]
    assert rolled(SHAPES["chinchilla"], [""], runs.where(few), cuts(runs.where(few)), QUICK)[0] in ([], [None] * 4)


# --- the blend ------------------------------------------------------------------------------------------------------


def test_a_blend_is_the_weighted_mean_and_its_gradient_the_slope() -> None:
    names = ("chinchilla", "kaplan-joint")
    blend = Blend(
        parts=tuple(Part(shape=SHAPES[n], label=n, weight=w) for n, w in zip(names, (0.25, 0.75), strict=True))
    )
    at = np.concatenate([CONSTANTS[name] for name in names])
    runs = dots().columns
    single = [SHAPES[name].log_loss(np.array(CONSTANTS[name]), runs) for name in names]
    np.testing.assert_allclose(blend.log_loss(at, runs), 0.25 * single[0] + 0.75 * single[1])
    slopes = gradient_of(blend, at, runs)
    for place in range(len(at)):
        step = np.zeros_like(at)
        step[place] = 1e-6
        difference = (blend.log_loss(at + step, runs) - blend.log_loss(at - step, runs)) / 2e-6
        np.testing.assert_allclose(slopes[:, place], difference, rtol=1e-5, atol=1e-8)
    drawn = blend.log_loss_drawn(np.tile(at, (400, 1)), runs, np.random.default_rng(0))
    of_first = np.isclose(drawn[:, 0], single[0][0])
    assert 0.15 < of_first.mean() < 0.35
    assert np.isclose(drawn[~of_first, 0], single[1][0]).all()


def test_the_spread_between_forms_is_in_the_interval(dotted: Fit) -> None:
    assert isinstance(dotted.shape, Blend)
    at = {"params": np.array([1e12]), "tokens": np.array([1e12]), "flops": np.array([6e24])}
    said = [
        float(part.shape.log_loss(dotted.at[place], at)[0])
        for part, place in zip(dotted.shape.parts, dotted.shape.places, strict=True)
        if part.weight > 0.1
    ]
    _, low, high = dotted.predict_interval(at, 0.95)
    assert low[0] < np.exp(min(said)) <= np.exp(max(said)) < high[0]


def test_the_file_gives_the_same_predictions(dotted: Fit, tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    path.write_text(dumps(fit_object(dotted)), encoding="utf-8")  # type: ignore[arg-type]  # plain data
    again = read_fit(path)
    assert again.tried == dotted.tried
    mine, theirs = (one.predict_interval(some().columns) for one in (again, dotted))
    np.testing.assert_allclose(mine[0], theirs[0], rtol=1e-9)
    for end in (1, 2):  # residuals are kept sorted, so they meet other draws
        assert float(np.abs(np.log(mine[end] / theirs[end])).mean()) < 0.01
    assert float(laws.find_law(str(path)).law.loss(1e9, 2e10)) == pytest.approx(
        float(dotted.predict({"params": np.array([1e9]), "tokens": np.array([2e10])})[0])
    )
    held = json.loads(path.read_text(encoding="utf-8"))
    held["members"][0]["weight"] = 5.0
    path.write_text(json.dumps(held), encoding="utf-8")
    with pytest.raises(BadFile, match="add up to 1"):
        read_fit(path)


# --- little data ----------------------------------------------------------------------------------------------------


def test_five_runs_are_answered_with_a_wide_interval_and_the_reason() -> None:
    runs = gadre()
    found = fit(runs, "auto", FEW)
    assert found.tried[0].form == "chinchilla-tied"
    assert found.doubt.drift == UNTRIED
    assert any("too few to be cut" in note for note in found.notes)
    at = {"params": np.array([6.9e9]), "tokens": np.array([138e9]), "flops": np.array([5.7e21])}
    middle, low, high = found.predict_interval(at)
    assert low[0] < float(TRUE.loss(6.9e9, 138e9)) < high[0]
    assert (high[0] - low[0]) / middle[0] > 0.08


@pytest.mark.parametrize(
    ("columns", "form"),
    [
        ({"params": np.geomspace(1e7, 1e9, 8), "tokens": 20 * np.geomspace(1e7, 1e9, 8)}, "power-flops"),
        ({"params": np.geomspace(1e7, 1e9, 8), "tokens": np.full(8, 1e10)}, "power-params"),
    ],
)
def test_runs_on_a_line_follow_one_column(columns: dict[str, FloatArray], form: str) -> None:
    loss = np.asarray(TRUE.loss(columns["params"], columns["tokens"]))
    assert fit(made({**columns, "loss": loss}), "auto", FEW).tried[0].form == form


def test_what_no_law_can_follow_is_refused() -> None:
    with pytest.raises(UntrustworthyFit, match="no column varies"):
        fit(Runs.of(params=[1e8] * 5, tokens=[1e9] * 5, loss=[3.0, 3.01, 3.02, 3.0, 3.01]), "auto", QUICK)
    with pytest.raises(BadInput, match="belong to one form"):
        fit(dots(), "auto", Options(fixed={"E": 1.8}))


def test_a_gradient_that_is_not_a_number_ends_the_descent() -> None:
    class Broken:
        rows = 3
        coordinates = Coordinates(
            names=("a",), free=("a",), offset=np.zeros(1), matrix=np.eye(1), low=-np.ones(1), high=np.ones(1)
        )

        def evaluate(self, free: np.ndarray, *_: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            return np.ones(len(free)), np.ones((len(free), 1)), np.full((len(free), 1, 1), np.nan)

        def residuals(self, free: np.ndarray) -> np.ndarray:
            return np.zeros((len(free), 3))

        def gradients(self, free: np.ndarray) -> np.ndarray:
            return np.zeros((3, len(free)))

    found = minimise(Broken(), np.zeros((2, 1)), np.ones(3), Objective())
    assert not found.converged.any()


# --- backtests ------------------------------------------------------------------------------------------------------


def test_a_backtest_scores_what_a_fit_below_the_cut_says_above_it() -> None:
    runs = some()
    found = laws.backtest(runs, 3e20, options=FEW)
    low = runs.columns["flops"] <= 3e20
    assert (found.fitted, found.predicted) == (int(low.sum()), int((~low).sum()))
    alone = fit_point(runs.where(low), SHAPES["chinchilla"], QUICK)
    off = np.abs(alone.predict(runs.where(~low).columns) / runs.loss[~low] - 1)
    base, auto, best = found.of("chinchilla"), found.of("auto"), found.best_form
    assert base is not None
    assert auto is not None
    assert best is not None
    assert base.error == pytest.approx(float(off.mean()), rel=1e-4)
    assert auto.error < base.error
    assert best.error <= base.error
    assert auto.covered is not None
    assert auto.covered > 0.5
    names = {one.name for one in found.held}
    assert {"auto", "chinchilla", "power-flops", "nearest run", "dearest runs"} <= names
    constant = found.of("dearest runs")
    assert constant is not None
    top = np.argsort(runs.columns["flops"][low])[-3:]
    said = np.median(runs.loss[low][top])
    assert constant.error == pytest.approx(float(np.mean(np.abs(said / runs.loss[~low] - 1))), rel=1e-6)


def test_a_cut_with_nothing_on_one_side_is_refused() -> None:
    with pytest.raises(MissingData, match="no run lies above flops"):
        laws.backtest(dots(), 1e30)
    with pytest.raises(MissingData, match="no run lies at or below flops"):
        laws.backtest(dots(), 1.0)


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    table, rows = tmp_path / "runs.csv", (HERE / "chinchilla_dots.csv").read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([rows[0], *rows[1::5]]), encoding="utf-8")
    asked = ["laws", "backtest", str(table), "--train-below", "3e20", "--bootstrap", "30"]
    plain = CliRunner().invoke(isoflop, asked)
    assert plain.exit_code == 0, plain.output
    assert "runs with flops at most 3e+20" in plain.output
    held = json.loads(CliRunner().invoke(isoflop, [*asked, "--json"]).output)
    assert held["fitted"] + held["predicted"] == len(rows[1::5])
    assert 0 < held["error"] < 0.02
    assert {one["kind"] for one in held["predictors"]} == {"auto", "form", "baseline"}
    assert sum(one["weight"] for one in held["weights"]) == pytest.approx(1.0)
