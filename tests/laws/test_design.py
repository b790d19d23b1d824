"""The next runs: gains as conditioning says, better than chance, what they cost, in any units, written to files."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from tests.laws.studies import HERE, TRUE, study

from isoflop.errors import BadInput, Infeasible, UntrustworthyFit
from isoflop.laws import Runs, design, fit
from isoflop.laws.decide.design import State, best_order
from isoflop.laws.decide.ensemble import ensemble, usual_forms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLAIN = ("chinchilla",)
TARGET = {"params": 1e10, "tokens": 2e11}


def cheap(runs: Runs | None = None) -> Runs:
    held = runs or study()
    return held.where(held.columns["flops"] < 5e19)


def test_the_gain_of_a_cell_is_what_conditioning_gives() -> None:
    """Against the textbook: the variance of a Gaussian after a noisy measurement."""
    rng = np.random.default_rng(0)
    root = rng.standard_normal((5, 8))
    state = State(covariance=root @ root.T, flops=np.ones(4), scatter=0.5, targets=1)
    for cell in range(4):
        expected = state.covariance[0, 0] - state.covariance[0, cell + 1] ** 2 / (
            state.covariance[cell + 1, cell + 1] + 0.25
        )
        assert state.after(cell).covariance[0, 0] == pytest.approx(expected)
        assert state.gains()[cell] == pytest.approx(state.covariance[0, 0] - expected)
    both = state.after(0).after(2).covariance[0, 0]
    seen = state.covariance[np.ix_([1, 3], [1, 3])] + 0.25 * np.eye(2)
    across = state.covariance[0, [1, 3]]
    assert both == pytest.approx(state.covariance[0, 0] - across @ np.linalg.solve(seen, across))


def test_a_design_narrows_more_than_chance_and_keeps_its_allowance() -> None:
    found = design(cheap(), TARGET, 1e20, forms=PLAIN)
    assert found.flops <= 1e20
    assert found.track.width[-1] < found.track.width[0]
    assert (np.diff(found.track.width) <= 1e-12).all()
    for other in found.others.values():
        assert found.track.width[-1] <= other.width[-1] * 1.001
    assert all(1 <= cell.seeds <= 3 for cell in found.cells)


def test_the_runs_it_asks_for_do_narrow_the_interval() -> None:
    """Done, and not only foretold: as many FLOP at random help less, on the median of several studies."""
    ratios = []
    for seed in range(3):
        runs = cheap(study(seed=seed))
        found = design(runs, TARGET, 2e20, forms=PLAIN)
        rng = np.random.default_rng(seed)
        chosen = [cell.inputs for cell in found.cells for _ in range(cell.seeds)]
        before, after = (width(one) for one in (runs, more(runs, chosen, rng)))
        ratios.append(after / before)
    assert np.median(ratios) < 0.85


def more(runs: Runs, cells: Sequence[Mapping[str, float]], rng: np.random.Generator) -> Runs:
    params, tokens = (np.array([one[name] for one in cells]) for name in ("params", "tokens"))
    loss = np.asarray(TRUE.loss(params, tokens)) * np.exp(0.003 * rng.standard_normal(len(params)))
    return Runs.of(
        params=np.concatenate([runs.columns["params"], params]),
        tokens=np.concatenate([runs.columns["tokens"], tokens]),
        loss=np.concatenate([runs.loss, loss]),
    )


def width(runs: Runs) -> float:
    held = ensemble(runs, PLAIN)
    return State.of(held, [{**TARGET, "flops": 1.2e22, "tokens_per_param": 20.0}], []).width(0.8)


def test_cells_of_ones_own_are_taken_once_each() -> None:
    cells = [{"params": 1e8 * factor, "tokens": 2e9 * factor} for factor in (1.0, 2.0, 3.0)]
    found = design(cheap(), TARGET, 1e21, cells=cells, forms=PLAIN)
    assert {cell.inputs["params"] for cell in found.cells} <= {1e8, 2e8, 3e8}
    assert all(cell.seeds == 1 for cell in found.cells)


def test_bad_questions_are_refused() -> None:
    with pytest.raises(Infeasible, match="the cheapest takes"):
        design(cheap(), TARGET, 1e10, forms=PLAIN)
    with pytest.raises(BadInput, match="tokens is missing"):
        design(cheap(), {"params": 1e9}, 1e20, forms=PLAIN)
    with pytest.raises(BadInput, match="positive"):
        design(cheap(), TARGET, -1.0, forms=PLAIN)
    with pytest.raises(UntrustworthyFit):
        design(cheap().where(np.arange(cheap().rows) < 4), TARGET, 1e20, forms=PLAIN)


def test_forms_are_weighed_by_what_they_foretell() -> None:
    held = ensemble(study(0.002), ("chinchilla", "kaplan-joint"))
    weights = {one.fit.shape.name: one.weight for one in held.members}
    assert sum(weights.values()) == pytest.approx(1.0)
    assert weights["chinchilla"] > weights.get("kaplan-joint", 0.0)
    assert usual_forms(study())[0] == "chinchilla"


def test_units_change_no_choice() -> None:
    """Params in millions, tokens in words, loss in bits: the same cells."""
    runs = cheap()
    other = Runs.of(
        params=runs.columns["params"] / 1e6,
        tokens=runs.columns["tokens"] * 0.75,
        flops=runs.columns["flops"],
        loss=runs.loss / np.log(2),
    )
    points = [{"params": float(n), "tokens": float(d)} for n in (1e8, 4e8, 1e9) for d in (2e9, 1e10)]
    moved = [{"params": n / 1e6, "tokens": d * 0.75, "flops": 6 * n * d} for n, d in (one.values() for one in points)]
    ours = design(runs, TARGET, 2e20, cells=points, forms=PLAIN)
    target = {"params": 1e4, "tokens": 1.5e11, "flops": 1.2e22}
    theirs = design(other, target, 2e20, cells=moved, forms=PLAIN)
    assert [cell.flops for cell in theirs.cells] == pytest.approx([cell.flops for cell in ours.cells])
    assert theirs.track.width[-1] == pytest.approx(ours.track.width[-1], rel=1e-3)


def test_an_order_stops_where_nothing_is_gained() -> None:
    state = State(covariance=np.eye(3), flops=np.ones(2), scatter=0.1, targets=1)
    assert best_order(state, 10.0, 0.8, again=True)[0] == []


def run(*words: str) -> tuple[int, str]:
    from isoflop.cli import isoflop

    done = CliRunner().invoke(isoflop, ["laws", "design", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_the_command_writes_cells_that_a_laboratory_reads(tmp_path: Path) -> None:
    words = (
        str(HERE / "chinchilla_dots.csv"),
        "--target",
        "N=70B,D=1.4T",
        "--allowance",
        "1e22",
        "--law",
        "chinchilla",
    )
    text = run(*words)[1]
    assert "As much spent" in text
    assert "next runs" in text
    assert run(*words, "--out", str(tmp_path / "cells.csv"))[0] == 0
    rows = list(csv.DictReader((tmp_path / "cells.csv").read_text(encoding="utf-8").splitlines()))
    assert run(*words, "--out", str(tmp_path / "cells.toml"))[0] == 0
    cells = tomllib.loads((tmp_path / "cells.toml").read_text(encoding="utf-8"))["cell"]
    held = json.loads(run(*words, "--json")[1])
    assert [float(row["params"]) for row in rows] == pytest.approx([cell["params"] for cell in held["cells"]])
    assert [cell["seeds"] for cell in cells] == [cell["seeds"] for cell in held["cells"]]
    assert sum(cell["flops"] * cell["seeds"] for cell in cells) <= 1e22
    assert run(*words, "--out", str(tmp_path / "d.svg"))[0] == 0
    again = run(*words, "--cells", str(tmp_path / "cells.csv"), "--json")[1]
    assert json.loads(again)["candidates"] == len(rows)


def test_the_design_of_noiseless_runs_is_no_division_by_zero() -> None:
    exact = study(0.0)
    found = design(cheap(exact), TARGET, 1e20, forms=PLAIN)
    assert np.isfinite(found.track.width).all()
    assert fit(exact).constants["alpha"] == pytest.approx(0.34, abs=1e-4)
