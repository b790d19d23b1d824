"""`isoflop laws` from the command line: files in, files out, exit codes, every format."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tests.laws.studies import HERE, TRUE, study

from isoflop.cli import main
from isoflop.laws import find_law
from isoflop.laws.fit_file import read_fit

DOTS = str(HERE / "chinchilla_dots.csv")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    with pytest.raises(SystemExit) as left:
        main(words)
    out = capsys.readouterr()
    return int(left.value.code or 0), out.out, out.err


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fit") / "mine.json"
    with pytest.raises(SystemExit):
        main(("laws", "fit", DOTS, "--bootstrap", "300", "--out", str(path)))
    return path


def test_fit_prints_the_optimum_and_writes_it(capsys: pytest.CaptureFixture[str], fitted: Path) -> None:
    code, out, _ = run(capsys, "laws", "fit", DOTS, "--bootstrap", "200", "--profile", "beta", "--explain")
    assert code == 0
    for said in (
        "1.7839",
        "442.16",
        "1271.8",
        "0.34263",
        "Profile of beta",
        "25 of 25 starts agree",
        "params is column 'N'",
    ):
        assert said in out
    held = json.loads(fitted.read_text())
    assert held["constants"]["A"] == pytest.approx(442.164, abs=0.001)
    assert held["certificate"]["objective"] == pytest.approx(8.4009e-4, rel=1e-4)
    assert len([one for one in held["checks"] if one["name"][0].isdigit()]) == 16
    assert held["runs"]["used"] == 234


@pytest.mark.parametrize("form", ["json", "md", "html", "csv"])
def test_fit_in_every_format(capsys: pytest.CaptureFixture[str], form: str) -> None:
    code, out, _ = run(capsys, "laws", "fit", DOTS, "--bootstrap", "50", "--format", form)
    assert code == 0
    assert "442.16" in out
    if form == "json":
        assert json.loads(out)["law"] == "chinchilla"


def test_predict_adds_three_columns(capsys: pytest.CaptureFixture[str], fitted: Path, tmp_path: Path) -> None:
    to = tmp_path / "predictions.csv"
    code, _, err = run(capsys, "laws", "predict", str(fitted), DOTS, "--interval", "0.8", "--out", str(to))
    assert code == 0
    assert "234 measured: median error 0.33%" in err
    with to.open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["C", "N", "D", "loss", "loss_predicted", "loss_low", "loss_high"]
    assert len(rows) == 234
    inside = [float(row["loss_low"]) <= float(row["loss"]) <= float(row["loss_high"]) for row in rows]
    assert 0.74 < np.mean(inside) < 0.88
    assert all(float(row["loss_low"]) <= float(row["loss_predicted"]) <= float(row["loss_high"]) for row in rows)


def test_predict_needs_no_loss_and_counts_rows_that_lack_an_input(
    capsys: pytest.CaptureFixture[str], fitted: Path, tmp_path: Path
) -> None:
    (tmp_path / "plan.csv").write_text("params,tokens,who\n1e9,2e10,a\n,2e10,b\n7e10,1.4e12,c\n")
    code, out, err = run(capsys, "laws", "predict", str(fitted), str(tmp_path / "plan.csv"), "--format", "csv")
    assert code == 0
    assert "1 of 3 rows lack an input" in err
    rows = list(csv.DictReader(out.splitlines()))
    assert rows[1]["loss_predicted"] == ""
    assert rows[2]["who"] == "c"
    near, far = (float(row["loss_high"]) - float(row["loss_low"]) for row in (rows[0], rows[2]))
    assert far > 1.5 * near


def test_predict_values(capsys: pytest.CaptureFixture[str], fitted: Path) -> None:
    code, out, _ = run(capsys, "laws", "predict", str(fitted), "params=70B", "tokens=1.4T", "--json")
    assert code == 0
    (row,) = json.loads(out)["rows"]
    assert row["loss_predicted"] == pytest.approx(1.958, abs=0.001)
    assert row["loss_low"] < row["loss_predicted"] < row["loss_high"]


def test_intervals_cover_runs_that_the_fit_has_not_seen(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    runs = study(0.004, budgets=10, sizes=9, seed=4)
    cheap = runs.columns["flops"] < 1e20
    for name, rows in (("cheap", cheap), ("dear", ~cheap)):
        part = runs.where(rows)
        lines = [
            f"{n},{d},{v}" for n, d, v in zip(*(part.columns[key] for key in ("params", "tokens", "loss")), strict=True)
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(["N,D,loss", *lines]) + "\n")
    to, fit = tmp_path / "p.csv", tmp_path / "f.json"
    assert run(capsys, "laws", "fit", str(tmp_path / "cheap.csv"), "--bootstrap", "400", "--out", str(fit))[0] == 0
    assert run(capsys, "laws", "predict", str(fit), str(tmp_path / "dear.csv"), "--out", str(to))[0] == 0
    with to.open() as stream:
        rows = list(csv.DictReader(stream))
    inside = np.mean([float(row["loss_low"]) <= float(row["loss"]) <= float(row["loss_high"]) for row in rows])
    assert inside > 0.6


def test_a_fit_stands_wherever_a_law_is_named(capsys: pytest.CaptureFixture[str], fitted: Path) -> None:
    law = find_law(str(fitted))
    assert law.has_draws
    assert law.law.allocate(1e21).params == pytest.approx(2.71e9, rel=0.01)
    code, out, _ = run(capsys, "plan", "--budget", "$4k", "--on", "tpu-v4", "--commitment", "3y", "--law", str(fitted))
    assert code == 0
    assert "fitted to 234 rows of" in out
    code, out, _ = run(capsys, "solve", "loss", "params=70B", "tokens=1.4T", f"law={fitted}", "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["low"] < answer["value"] < answer["high"]


def _kept(capsys: pytest.CaptureFixture[str], folder: Path, runs: str, law: str) -> str:
    """The file of a fit of that form."""
    path = folder / f"{law}.json"
    words = ("laws", "fit", str(HERE / runs), "--law", law, "--bootstrap", "40", "--out", str(path))
    assert run(capsys, *words)[0] == 0
    return str(path)


def _solved(capsys: pytest.CaptureFixture[str], *words: str) -> float:
    code, out, err = run(capsys, "solve", *words, "--json")
    assert code == 0, err
    return float(json.loads(out)["value"])


@pytest.mark.parametrize(
    ("runs", "law"),
    [
        ("chinchilla_dots.csv", "kaplan-joint"),
        ("chinchilla_dots.csv", "overtraining"),
        ("farseer.csv", "farseer"),
    ],
)
def test_a_form_without_a_closed_split_is_planned_with(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, runs: str, law: str
) -> None:
    path = _kept(capsys, tmp_path, runs, law)
    form = find_law(path).law
    best = form.allocate(1e21)
    for factor in (0.5, 2.0):
        assert form.loss(best.params * factor, best.tokens / factor) > best.loss
    assert form.minimum_flops(form.minimum_loss(1e21)) == pytest.approx(1e21, rel=1e-6)
    assert _solved(capsys, "params", "train_flops=1e21", f"law={path}") == pytest.approx(best.params, rel=1e-5)
    assert _solved(capsys, "loss", "train_flops=1e21", f"law={path}") == pytest.approx(best.loss, rel=1e-8)
    reached = _solved(capsys, "train_flops", f"loss={best.loss!r}", f"law={path}")
    assert reached == pytest.approx(1e21, rel=1e-4)
    code, out, err = run(capsys, "plan", "train_flops=1e21", "--on", "h100-sxm", "--law", path, "--json")
    assert code == 0, err
    answers = json.loads(out)["answers"]
    assert answers["params"]["value"] == pytest.approx(best.params, rel=0.1)  # less what a concrete shape rounds
    assert answers["loss"]["low"] < answers["loss"]["value"] < answers["loss"]["high"]


def test_repeated_data_are_planned_with_once_their_amount_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    few = find_law("repeated2023").bound(unique_tokens=1e10).law
    best = few.allocate(1e22)
    words = ("train_flops=1e22", "law=repeated2023")
    assert _solved(capsys, "params", *words, "unique_tokens=10B") == pytest.approx(best.params, rel=1e-3)
    plenty = _solved(capsys, "params", *words, "unique_tokens=100T")
    assert plenty == pytest.approx(find_law("muennighoff2023-c4").law.allocate(1e22).params, rel=1e-4)
    code, _, err = run(capsys, "solve", "params", *words)
    assert code == 3
    assert "unique_tokens" in err
    code, out, err = run(
        capsys, "plan", "train_flops=1e22", "--on", "h100-sxm", "--law", "repeated2023", "unique_tokens=10B", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["answers"]["params"]["value"] == pytest.approx(best.params, rel=0.1)


def test_a_law_of_one_input_gives_its_loss_and_takes_a_ratio(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = _kept(capsys, tmp_path, "chinchilla_dots.csv", "power-flops")
    fit = read_fit(path)
    due = float(fit.predict({"flops": np.array([1e21])})[0])
    assert _solved(capsys, "loss", "train_flops=1e21", f"law={path}", "allocation=20") == pytest.approx(due)
    code, _, err = run(capsys, "solve", "params", "train_flops=1e21", f"law={path}")
    assert code == 3
    assert "splits no compute: give allocation=20" in " ".join(err.split())


def test_a_law_of_experts_gives_losses_and_no_split(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = _kept(capsys, tmp_path, "moe.csv", "moe-clark")
    due = float(read_fit(path).predict({"params": np.array([1e9]), "experts": np.array([64.0])})[0])
    words = ("params=1B", "experts=64", f"law={path}")
    assert _solved(capsys, "loss", *words, "allocation=none") == pytest.approx(due)
    code, _, err = run(capsys, "solve", "loss", *words)
    assert code == 3
    assert "not params and tokens" in " ".join(err.split())


def test_check_is_a_table_and_a_verdict(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "laws", "check", DOTS, "--bootstrap", "50", "--json")
    assert code == 0
    assert {row["status"] for row in json.loads(out)["rows"]} <= {"pass", "warn", "none"}
    lines = [f"{n},{d},{-6 * n * d}" for n in (1e8, 1e9) for d in (1e9, 1e10, 1e11)]
    (tmp_path / "bad.csv").write_text(
        "\n".join(["N,D,C,loss", *(f"{line},{3 - i / 10}" for i, line in enumerate(lines))]) + "\n"
    )
    code, out, err = run(capsys, "laws", "check", str(tmp_path / "bad.csv"), "--json")
    assert code == 1
    (wrong,) = [row for row in json.loads(out)["rows"] if row["check"] == "4 overflow"]
    assert wrong["status"] == "fail"
    assert "6 rows have FLOP that are not positive" in wrong["says"]
    assert "2 values of params" in err


def test_refusals_leave_with_three(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "laws", "fit", DOTS, "--bound", "alpha=0.1:0.3")
    assert code == 3
    assert "UntrustworthyFit: chinchilla: alpha ran into its bound (0.3)" in err
    assert "Missing:" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("laws", "fit", "none.csv"), "cannot read 'none.csv'"),
        (("laws", "fit", DOTS, "--law", "chinchila"), "no law form 'chinchila'. Did you mean"),
        (("laws", "fit", DOTS, "--fix", "E=x"), "E=x is no number"),
        (("laws", "fit", DOTS, "--bound", "alpha=1"), "write low:high"),
        (("laws", "fit", DOTS, "--strict"), "--strict takes no guesses"),
        (("laws", "predict", DOTS, DOTS), "not valid JSON"),
        (("laws", "compare", "besirolu2024"), "no law 'besirolu2024'. Did you mean 'besiroglu2024'"),
        (("laws", "plot", "isoflop", "--out", "x.svg"), "isoflop is drawn of runs"),
    ],
)
def test_wrong_words_leave_with_two(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())


def test_strict_is_content_once_all_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "laws", "fit", DOTS, "--strict", "--counts", "total", "--bootstrap", "20")[0] == 0


@pytest.mark.parametrize("law", ["envelope", "isoflop"])
def test_the_other_approaches(capsys: pytest.CaptureFixture[str], law: str) -> None:
    code, out, _ = run(capsys, "laws", "fit", DOTS, "--law", law, "--bootstrap", "100", "--json")
    assert code == 0
    first = json.loads(out)["rows"][0]
    assert first["constant"] == "params ~ FLOP^"
    assert float(first["value"]) == pytest.approx(0.51, abs=0.02)


@pytest.fixture(scope="module")
def grids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    lines = ["N,D,lr,bsz,loss"]
    for n in (1e8, 4e8, 1.6e9):
        for d in (2e9, 1e10, 5e10):
            rate, batch = 1.8 * n**-0.71 * d**0.31, 0.6 * d**0.57 / 2048
            for x in np.linspace(-0.6, 0.6, 5):
                for y in np.linspace(-0.6, 0.6, 5):
                    bowl = np.exp(0.006 * x**2 + 0.005 * y**2 + 2e-5 * rng.standard_normal())
                    lines.append(f"{n},{d},{rate * np.exp(x)},{batch * np.exp(y)},{float(TRUE.loss(n, d)) * bowl}")
    path = tmp_path_factory.mktemp("grids") / "grid.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_law_of_learning_rate_and_batch(capsys: pytest.CaptureFixture[str], grids: Path, tmp_path: Path) -> None:
    kept = str(tmp_path / "hyper.json")
    words = ("laws", "fit", str(grids), "--law", "hyper", "--bootstrap", "50", "--counts", "non_embedding")
    code, out, _ = run(capsys, *words, "--set", "sequence_length=2048", "--out", kept, "--json", "--check")
    assert code == 0
    held = json.loads(out)
    assert held == json.loads(Path(kept).read_text())
    assert held["constants"]["rate_params_exponent"] == pytest.approx(-0.71, abs=0.01)
    assert held["constants"]["rate_tokens_exponent"] == pytest.approx(0.31, abs=0.01)
    assert held["constants"]["batch_tokens_exponent"] == pytest.approx(0.57, abs=0.01)
    assert held["certificate"]["rank"] == 9
    assert held["bottomless"] + len(held["draws"]) == held["resamples"] == 50

    code, out, err = run(capsys, "laws", "predict", kept, "N=1B", "D=20B", "--json")
    row = json.loads(out)["rows"][0]
    assert code == 0
    assert row["learning_rate_predicted"] == pytest.approx(1.8 * 1e9**-0.71 * 2e10**0.31, rel=0.02)
    assert row["batch_tokens_low"] < 0.6 * 2e10**0.57 < row["batch_tokens_high"]
    assert "those outside embeddings" in err
    code, out, _ = run(capsys, "laws", "published", kept)
    assert code == 0
    assert "rate ~ params^" in out
    code, _, err = run(capsys, "plan", "train_flops=1e20", "--on", "h100-sxm", "--law", kept)
    assert code == 3
    assert "recommends learning rate and batch, not sizes" in " ".join(err.split())


def test_a_batch_in_sequences_is_no_batch_in_tokens(
    capsys: pytest.CaptureFixture[str], grids: Path, tmp_path: Path
) -> None:
    kept = str(tmp_path / "hyper.json")
    words = ("laws", "fit", str(grids), "--law", "hyper", "--bootstrap", "20", "--out", kept)
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "--set sequence_length=2048" in " ".join(out.split())
    code, out, _ = run(capsys, "laws", "predict", kept, "N=1B", "D=20B", "--json")
    assert code == 0
    assert "batch_sequences_predicted" in json.loads(out)["rows"][0]
    code, _, err = run(capsys, "laws", "published", kept)
    assert code == 3
    assert "in sequences" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--law", "hyper", "--fix", "alpha=0.3"), "--law hyper takes no --fix"),
        (("--law", "isoflop", "--loss", "squared"), "takes no --loss or --delta"),
        (("--law", "envelope", "--out", "x.json"), "--out keeps the fit of a form"),
        (("--law", "isoflop", "--check"), "--check judges a fit"),
        (("--law", "isoflop", "--profile", "beta"), "takes no --profile"),
    ],
)
def test_what_an_approach_cannot_hear_is_refused(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, _, err = run(capsys, "laws", "fit", DOTS, *words)
    assert code == 2
    assert said in " ".join(err.split())


def test_check_on_a_fit_decides_its_exit_code(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    farseer = str(HERE / "farseer.csv")
    out = tmp_path / "fit.json"
    words = ("laws", "fit", farseer, "--bootstrap", "50", "--out", str(out))
    assert run(capsys, *words)[0] == 0
    code, said, _ = run(capsys, *words, "--check")
    assert code == 1
    assert "fail 12 misfit" in said
    assert out.exists()
    assert run(capsys, "laws", "fit", DOTS, "--bootstrap", "50", "--check")[0] == 0
    _, _, err = run(capsys, "laws", "predict", str(out), "N=1B", "D=20B")
    assert "checks failed: 12 misfit" in err


def test_values_are_said_as_laws_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [
        ("N=70B", "D=1.4T"),
        ("params=70e9", "tokens=1.4e12"),
        ("N=70B", "C=5.88e23"),
        ("D=1.4T", "flops=5.88e23"),
    ]
    found = []
    for words in asked:
        code, out, err = run(capsys, "laws", "predict", "hoffmann2022", *words, "--json")
        assert code == 0
        assert "params N are all parameters, tokens D those seen, flops C are 6 N D" in err
        found.append(json.loads(out)["rows"][0]["loss_predicted"])
    assert found == pytest.approx([found[0]] * 4, rel=1e-9)
    code, _, err = run(capsys, "laws", "predict", "hoffmann2022", "C=1e21")
    assert code == 3
    assert "isoflop laws compare hoffmann2022-tex --flops" in err
    code, _, err = run(capsys, "laws", "predict", "hoffmann2022", "N=1B", "params=2B", "D=1T")
    assert code == 2
    assert "a second time" in err


def test_lists_and_comparisons(capsys: pytest.CaptureFixture[str], fitted: Path) -> None:
    from isoflop.laws import SHAPES, published_laws

    code, out, _ = run(capsys, "laws", "forms", "--json")
    assert code == 0
    assert {row["form"] for row in json.loads(out)["rows"]} == set(SHAPES)
    code, out, _ = run(capsys, "laws", "published", "--json")
    assert {row["law"] for row in json.loads(out)["rows"]} == set(published_laws())
    code, out, _ = run(capsys, "laws", "published", "kaplan2020")
    assert code == 0
    assert "8.8e+13" in out
    code, out, _ = run(
        capsys, "laws", "compare", "besiroglu2024", str(fitted), "ratio20", "kaplan2020", "--flops", "1e22", "--json"
    )
    assert code == 0
    rows = {row["figure"]: row for row in json.loads(out)["rows"]}
    assert rows["alpha"]["mine"] == pytest.approx(0.34263, abs=1e-5)
    assert rows["params at 1e+22"]["ratio20"] == pytest.approx((1e22 / 120) ** 0.5)
    assert rows["params at 1e+22"]["kaplan2020"] is None


def test_history_with_verdicts_and_growth(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "laws", "history", "--json")
    assert code == 0
    verdicts = {row["model"]: row["verdict"] for row in json.loads(out)["rows"]}
    assert verdicts["GPT-3 175B"] == "under-trained"
    assert set(verdicts.values()) == {"under-trained", "near the optimum", "over-trained"}
    code, out, _ = run(capsys, "laws", "history", "--growth", "--json")
    assert code == 0
    grown = {row["quantity"]: row for row in json.loads(out)["rows"]}
    assert grown["flops"]["low (90 %)"] < grown["flops"]["doubling (years)"] < grown["flops"]["high (90 %)"]


@pytest.mark.parametrize(
    "picture",
    ["power-laws", "isoflop", "surface", "profiles", "residuals", "predicted", "pf-days", "tokens-per-param", "growth"],
)
def test_every_picture_is_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path, picture: str) -> None:
    pytest.importorskip("altair")
    runs = () if picture in {"pf-days", "tokens-per-param", "growth"} else (DOTS,)
    path = tmp_path / "chart.json"
    code, _, _ = run(capsys, "laws", "plot", picture, *runs, "--out", str(path), "--width", "900")
    assert code == 0
    spec = json.loads(path.read_text())
    assert "config" in spec
    assert len(json.dumps(spec)) > 1000


@pytest.mark.parametrize(
    "broken",
    ['{"kind": "other"}', "[]", '{"kind": "isoflop-law-fit", "schema_version": 1}', "{"],
)
def test_broken_fit_files_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, broken: str) -> None:
    (tmp_path / "fit.json").write_text(broken)
    code, _, err = run(capsys, "laws", "predict", str(tmp_path / "fit.json"), "params=1B", "tokens=2B")
    assert code == 2
    assert "fit.json" in err


def test_a_fit_is_read_as_it_was_written(fitted: Path) -> None:
    found = read_fit(fitted)
    held = json.loads(fitted.read_text())
    assert found.at.tolist() == list(held["coordinates"].values())
    assert found.doubt.draws.shape == (300, 5)
    assert found.origin.ranges["params"][0] == pytest.approx(5.73e7, rel=0.01)
    assert [one.name for one in found.checks] == [one["name"] for one in held["checks"]]


@pytest.mark.parametrize("ending", ["svg", "csv"])
def test_a_fit_is_not_written_under_another_forms_ending(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"fit.{ending}"
    code, _, error = run(capsys, "laws", "fit", DOTS, "--bootstrap", "0", "--out", str(out))
    assert code == 2
    assert "fit.json" in error
    assert not out.exists()
