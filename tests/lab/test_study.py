"""A whole study through the command line: made, run, stopped, run on, judged, exported, and read by the laws room."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

from isoflop.cli.lab_page import history_rows, study_page
from isoflop.errors import BadInput, Infeasible, UntrustworthyFit
from isoflop.lab import (
    StudyFolder,
    line_of_study,
    make_study,
    query,
    run_study,
    runs_of_study,
    write_export,
    write_model,
)
from isoflop.lab.forecast import Forecast, check_disk
from isoflop.lab.pool import Outcome
from isoflop.model import describe

TOML = """
name = "small"
budgets = ["4e8 FLOP", "8e8 FLOP", "1.6e9 FLOP"]
sizes = [8, 12]
seeds = 2
sequence = 32
batch = 4
validation = 20
price = 0.1
together = 1
[schedule]
warmup = 5
[model]
layers = 1
head_width = 4
[data]
source = "{source}"
epochs = 3
"""


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "isoflop", "lab", *words], capture_output=True, text=True, check=False, timeout=300
    )


def begun(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "isoflop", "lab", "run", str(folder), "--no-probe", "--processes", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # Where the tests run in the background of a shell, SIGINT is ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )


@pytest.fixture
def toml(text_folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(TOML.format(source=text_folder), encoding="utf-8")
    return path


def test_a_study_goes_from_text_to_a_refusal_that_says_what_is_missing(toml: Path, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    made = command("new", str(folder), str(toml), "--no-probe")
    assert made.returncode == 0, made.stderr
    assert "small: 12 runs" in made.stdout
    process = begun(folder)
    while not any((folder / "runs").glob("*/log.jsonl")) and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait() == 130
    held = StudyFolder(folder)
    assert len(held.results()) < 12
    heard: list[Outcome | Forecast] = []
    asked, failed = run_study(held, heard.append, processes=1)
    assert not failed
    assert len(held.results()) == 12
    assert not any(one.enclosed for one in asked.brackets)
    with pytest.raises(UntrustworthyFit, match=r"0 of 3 budgets .*4e\+08 FLOP: .*sizes are given"):
        line_of_study(held)
    note = list(held.history.read())[-1]
    assert note["measured"]["memory"] > 1e8  # type: ignore[index]
    assert note["predicted"]["memory"]["low"] < note["measured"]["memory"] < note["predicted"]["memory"]["high"]  # type: ignore[index]
    assert [row[2] for row in history_rows(held)] == ["wall time", "time of steps", "memory"]
    assert isinstance(heard[0], Forecast)
    assert {one.run for one in heard if isinstance(one, Outcome)} == set(heard[0].seconds)
    assert 0 < note["measured"]["processor"] <= sum(one.seconds for one in held.results().values()) * 1.2  # type: ignore[index]
    state = json.loads(command("status", str(folder), "--json").stdout)
    assert state["law"]["refused"] == "UntrustworthyFit"
    assert state["done"] == state["wanted"] == 12
    _exported(held, tmp_path)


def _exported(held: StudyFolder, tmp_path: Path) -> None:
    from pyarrow import parquet

    from isoflop.laws import read_runs

    assert write_export(held, tmp_path / "runs.csv") == 12
    read = read_runs(tmp_path / "runs.csv", counts="total")
    ours = runs_of_study(held)
    assert sorted(read.loss) == sorted(ours.loss)
    assert sorted(read.columns["flops"]) == sorted(ours.columns["flops"])
    assert sorted(read.columns["params"]) == sorted(ours.columns["params"])
    steps = sum(one.steps - one.branched_at for one in held.results().values())  # a trunk's steps once
    assert write_export(held, tmp_path / "curves.parquet") == steps
    assert parquet.read_table(tmp_path / "curves.parquet").num_rows == steps
    _asked(held, steps)
    run = next(iter(held.results()))
    write_model(held, run[:8], tmp_path / "model")
    assert describe(str(tmp_path / "model")).verified
    page = study_page(held)
    assert page.count("<svg") >= 2 * 2
    assert "0 of 3 budgets" in page
    assert run in page
    piped = command("export", str(held.path), "-").stdout
    assert piped == (tmp_path / "runs.csv").read_text(encoding="utf-8")
    with pytest.raises(BadInput, match="ends in"):
        write_export(held, tmp_path / "runs.xls")


def _asked(held: StudyFolder, steps: int) -> None:
    """Its records are compacted, and DuckDB answers over them, without a way to other files."""
    pytest.importorskip("duckdb")
    assert not list(held.runs.glob("*/log.jsonl"))
    assert query(held, "select count(*) as many from steps") == (("many",), ((steps,),))
    names, rows = query(held, "select Name, val_loss from runs order by val_loss")
    assert names == ("Name", "val_loss")
    assert [row[1] for row in rows] == sorted(one.loss for one in held.results().values() if one.loss is not None)
    for sql, said in (
        ("selct", "syntax error.*Tables: runs"),
        ("select * from read_csv('/etc/passwd')", "disabled by configuration"),
        ("copy runs to 'out.csv'", "disabled by configuration"),
        (" ", "DuckDB refuses"),
    ):
        with pytest.raises(BadInput, match=said):
            query(held, sql)
    done = command("query", str(held.path), "select status, count(*) as many from runs group by 1", "--json")
    assert json.loads(done.stdout)["rows"] == [{"status": "done", "many": 12}], done.stderr


def test_a_study_that_cannot_be_is_refused_and_leaves_nothing(toml: Path, tmp_path: Path) -> None:
    toml.write_text(toml.read_text(encoding="utf-8").replace("epochs = 3", "epochs = 0.01"), encoding="utf-8")
    done = command("new", str(tmp_path / "study"), str(toml))
    assert done.returncode == 4
    assert "would read" in done.stderr
    assert not (tmp_path / "study").exists()
    done = command("run", str(tmp_path / "study"))
    assert done.returncode == 2
    assert "holds no study" in done.stderr
    with pytest.raises(BadInput, match="is not empty"):
        make_study(tmp_path, toml)
    with pytest.raises(Infeasible, match="make room"):
        check_disk(1e6, 1e6)


def test_two_processes_do_not_run_one_study(toml: Path, tmp_path: Path) -> None:
    held = make_study(tmp_path / "study", toml)
    with held.held(), pytest.raises(BadInput, match="is being run"):
        run_study(held, lambda _: None, processes=1)
