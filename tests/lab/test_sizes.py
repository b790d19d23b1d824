"""Studies: what a TOML file says, sizes that extend until a bottom is enclosed, and never an exponent from noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from isoflop.errors import BadFile, BadInput, Infeasible, IsoflopError, UnknownName
from isoflop.lab import Corpus, StudyFolder, extend_study
from isoflop.lab.bracket import bracket
from isoflop.lab.sizes import wanted
from isoflop.lab.spec import RunSpec
from isoflop.lab.store import Result
from isoflop.lab.study import Study, read_study

TOML = """
name = "small"
budgets = ["2e9 FLOP", 4e9, 8e9]
sequence = 32
batch = 4
validation = 20
tokens_per_param = {ratio}
allowance = {allowance}
[schedule]
warmup = 5
[model]
layers = 1
head_width = 4
[data]
source = "text"
epochs = 50
"""


def study(ratio: float = 2.0, allowance: float = 0.0) -> Study:
    return read_study(TOML.format(ratio=ratio, allowance=allowance), "study.toml")


def surface(spec: RunSpec, *, best: float) -> float:
    """A bowl in ln(params) whose bottom grows with the square root of compute."""
    at = np.log(best) + 0.5 * np.log(spec.flops / 4e9)
    return float(3 - 0.1 * np.log(spec.flops / 4e9) + 0.15 * (np.log(spec.params) - at) ** 2)


def result(spec: RunSpec, loss: float, status: str = "done") -> Result:
    held = {"hash": spec.hash, "status": status, "loss": loss, "train_loss": loss, "steps": spec.steps}
    rest = {"tokens": spec.tokens, "flops": spec.flops, "seconds": 1.0, "epochs": 0.1, "unique_tokens": spec.tokens}
    return Result(**held, **rest, peak_memory=1, threads=1)  # type: ignore[arg-type]


def played(
    one: Study, corpus: Corpus, *, best: float, noise: float, seed: int = 0
) -> tuple[int, object, list[RunSpec]]:
    """A study whose runs are drawn from a surface instead of trained: rounds, the end, all specs."""
    rng = np.random.default_rng(0)
    results: dict[str, Result] = {}
    for round_ in range(40):
        found = wanted(one, corpus, results)
        todo = [spec for spec in found.specs if spec.hash not in results]
        if not todo:
            return round_, found, list(found.specs)
        for spec in todo:
            results[spec.hash] = result(spec, surface(spec, best=best) + noise * rng.standard_normal())
    raise AssertionError("a study that does not end")


@pytest.mark.parametrize(("ratio", "best"), [(0.2, 8000), (2.0, 8000), (60.0, 20_000)])
def test_auto_extends_until_every_bottom_is_enclosed(corpus: Corpus, ratio: float, best: float) -> None:
    rounds, found, _ = played(study(ratio, 1e13), corpus, best=best, noise=0.01)
    assert all(one.enclosed for one in found.brackets)  # type: ignore[attr-defined]
    assert len(found.brackets) == 3  # type: ignore[attr-defined]
    if ratio != 2.0:
        assert rounds > 1


def test_the_allowance_is_not_passed_and_what_is_missing_is_said(corpus: Corpus) -> None:
    first = wanted(study(0.2), corpus, {}).flops
    _, found, specs = played(study(0.2, 1.3 * first), corpus, best=3000, noise=0.01)
    assert sum(one.flops for one in specs) <= 1.3 * first
    assert any("raise allowance" in one for one in found.stopped)  # type: ignore[attr-defined]
    assert not all(one.enclosed for one in found.brackets)  # type: ignore[attr-defined]


def test_given_sizes_are_not_extended(corpus: Corpus) -> None:
    one = read_study(TOML.format(ratio=2, allowance=0).replace("sequence", "sizes = [8, 12]\nsequence", 1), "s.toml")
    rounds, found, _ = played(one, corpus, best=1e5, noise=0.01)
    assert rounds == 1
    assert all('sizes = "auto"' in one for one in found.stopped)  # type: ignore[attr-defined]


def test_bottoms_outside_the_sizes_are_never_called_enclosed() -> None:
    """200 simulated budgets with the noise that real runs have; the best size lies outside by a factor of two."""
    rng = np.random.default_rng(1)
    sizes = np.geomspace(1e4, 1e5, 6).astype(int)
    for trial in range(200):
        best = np.log(sizes[0] / 2 if trial % 2 else sizes[-1] * 2)
        losses = {
            int(size): list(3 + 0.1 * (np.log(size) - best) ** 2 + 0.04 * rng.standard_normal(4)) for size in sizes
        }
        assert not bracket(1e12, losses).enclosed


def test_noise_alone_is_seldom_called_a_bottom() -> None:
    rng = np.random.default_rng(2)
    sizes = np.geomspace(1e4, 1e5, 6).astype(int)
    flat = [bracket(1e12, {int(size): list(3 + 0.04 * rng.standard_normal(4)) for size in sizes}) for _ in range(200)]
    assert sum(one.enclosed for one in flat) < 200 * 0.1
    assert sum(one.missing == "both" for one in flat) > 20


def test_diverged_runs_bound_a_bottom_but_are_no_loss() -> None:
    losses = {1000: [3.2, 3.21], 2000: [3.0, 3.01], 3000: [2.9, 2.91], 4500: [3.0, 3.0], 7000: [float("inf")] * 2}
    assert bracket(1e9, losses).enclosed
    assert bracket(1e9, {size: [float("inf")] for size in losses}).why == "every run diverged"


def test_a_study_reads_as_it_is_written() -> None:
    one = study()
    assert one.budgets == (2e9, 4e9, 8e9)
    assert one.model.layers == 1
    assert one.data.epochs == 50
    assert len(one.specs(4e9, 16, vocabulary=256, data="x")) == 3
    specs = one.specs(4e9, 16, vocabulary=256, data="x")
    assert specs[0].flops == pytest.approx(4e9, rel=1 / specs[0].steps)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (("name", "nam"), UnknownName, "no key of study.toml 'nam'. Did you mean 'name'"),
        (("warmup", "warmupp"), UnknownName, "Did you mean 'warmup'"),
        (('"2e9 FLOP"', '"2e9 bytes"'), IsoflopError, "FLOP"),
        (("batch = 4", 'batch = "4"'), BadFile, "batch"),
        (('source = "text"', ""), BadFile, "source must be given"),
        (("head_width = 4", "head_width = 3"), BadInput, "an even number"),
        (("budgets = [", "budgets = [4e9, "), BadInput, "stands there twice"),
        (("[data]", "[data"), BadFile, "not valid TOML"),
        (("[schedule]", "[optimizer]\nlearning_rate = 1.0\n[schedule]"), BadInput, "stands at the top"),
    ],
)
def test_a_study_that_cannot_be_read_says_where(change: tuple[str, str], error: type[Exception], said: str) -> None:
    text = TOML.format(ratio=2, allowance=0).replace(*change, 1)
    with pytest.raises(error, match=said):
        read_study(text, "study.toml")


def test_what_cannot_be_trained_is_refused_before_the_first_step(corpus: Corpus) -> None:
    text = TOML.format(ratio=2, allowance=0)
    with pytest.raises(BadInput, match="does not divide into heads of 4"):
        wanted(read_study("sizes = [10]\n" + text, "s.toml"), corpus, {})
    with pytest.raises(Infeasible, match="steps only"):
        wanted(read_study("sizes = [512]\n" + text, "s.toml"), corpus, {})
    with pytest.raises(Infeasible, match="no size can be trained"):
        wanted(read_study(text.replace('"2e9 FLOP"', "2e4"), "s.toml"), corpus, {})


def test_of_a_sweep_the_best_rate_of_each_size_counts_and_is_named(corpus: Corpus) -> None:
    from dataclasses import replace

    swept = replace(study(2.0, 1e13), learning_rates=(0.005, 0.02), sizes=(8, 16, 24), seeds=2)
    results: dict[str, Result] = {}
    better = {}
    for spec in wanted(swept, corpus, {}).specs:
        rate = spec.optimizer.learning_rate
        worse = (rate == 0.02) if spec.params > 5000 else (rate == 0.005)
        results[spec.hash] = result(spec, surface(spec, best=8000) + (0.3 if worse else 0.0))
        better[spec.hash] = not worse
    found = wanted(swept, corpus, results)
    assert found.best == {name for name, kept in better.items() if kept}
    assert 0 < len(found.best) == len(results) // 2
    for one in found.brackets:
        assert max(one.losses) < 3.3


def test_cells_are_runs_beside_the_budgets(corpus: Corpus) -> None:
    text = TOML.format(ratio=2.0, allowance=0.0) + (
        "[[cell]]\nparams = 5000.0\ntokens = 60000.0\nflops = 1e9\nseeds = 2.0\n"
        "[[cell]]\nparams = 5000.0\ntokens = 600.0\n"
    )
    one = read_study(text, "study.toml")
    found = wanted(one, corpus, {})
    extra = [spec for spec in found.specs if spec not in wanted(study(), corpus, {}).specs]
    assert len(extra) == 2
    assert {spec.seed for spec in extra} == {0, 1}
    assert extra[0].tokens == pytest.approx(60_000, rel=2e-3)
    near = [one.params(width, corpus.vocabulary) for width in range(4, 65, 4)]
    assert extra[0].params == min(near, key=lambda size: abs(np.log(size / 5000)))
    assert len(found.skipped) == 1
    assert "5 steps only" in found.skipped[0]
    with pytest.raises(BadInput, match="no model of this family has about 9 parameters"):
        wanted(read_study(text + "[[cell]]\nparams = 9\ntokens = 60000\n", "study.toml"), corpus, {})
    with pytest.raises(BadInput, match="seeds, a whole number"):
        read_study(text + "[[cell]]\nparams = 9\ntokens = 60000\nseeds = 1.5\n", "study.toml")


def test_a_study_is_extended_by_what_the_laws_room_proposes(corpus: Corpus, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    (folder / "runs").mkdir(parents=True)
    (folder / "corpus").symlink_to(corpus.folder)
    assert corpus.made_of is not None
    text = TOML.format(ratio=2.0, allowance=0.0).replace('"text"', f'"{corpus.made_of.source}"')
    (folder / "study.toml").write_text(text, encoding="utf-8")
    held = StudyFolder(folder)
    before = len(held.wanted().specs)
    cells = tmp_path / "cells.toml"
    cells.write_text("[[cell]]\nparams = 5000.0\ntokens = 60000.0\nflops = 1e9\nseeds = 3\n", encoding="utf-8")
    again, asked = extend_study(held, cells)
    assert len(asked.specs) == len(again.wanted().specs) == before + 3
    cells.write_text('name = "other"\n', encoding="utf-8")
    with pytest.raises(BadInput, match="tables and nothing beside"):
        extend_study(again, cells)
    assert len(StudyFolder(folder).wanted().specs) == before + 3


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "examples" / "studies").glob("*.toml")))
def test_the_studies_that_come_with_it_are_read(path: Path) -> None:
    assert read_study(path.read_text(encoding="utf-8"), path.name).budgets


def test_the_runs_that_come_with_it_give_the_law_that_is_documented() -> None:
    from isoflop.laws import isoflop_line, read_runs

    runs = read_runs(Path(__file__).parents[2] / "examples" / "laws" / "lab.csv", counts="total")
    line = isoflop_line(runs, resamples=200)
    assert len(line.profiles) == 5
    assert line.exponent == pytest.approx(0.526, abs=2e-3)  # both learning rates; the better of each size gives 0.540
