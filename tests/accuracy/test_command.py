"""`isoflop validate training`: what it prints, writes, and how it leaves."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.accuracy.rows import MEGATRON, TORCHTITAN, table

from isoflop.cli import main
from isoflop.cli.validate import HEAD


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["validate", "training", *words])
    out = capsys.readouterr()
    return int(left.value.code or 0), out.out, out.err


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return written(tmp_path, MEGATRON, TORCHTITAN, TORCHTITAN | {"id": "t2", "seq": "", "peak_mem_gb": "70"})


def written(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "rows.csv"
    path.write_text(table(*rows), encoding="utf-8")
    return path


def test_scores_by_source_and_reasons(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, str(rows))
    assert code == 0
    assert "somebody" in out
    assert "3 rows: 2 ok, 1 refused." in out
    assert "refused: column seq is empty (t2)" in out
    assert not err


def test_predictions_have_exactly_the_columns_that_are_asked_for(
    rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "predictions.csv"
    assert run(capsys, str(rows), "--out", str(out))[0] == 0
    with out.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert tuple(found[0]) == HEAD == (
        "id", "step_time", "step_time_low", "step_time_high", "peak_memory", "peak_memory_low", "peak_memory_high",
        "status", "reason",
    )  # fmt: skip
    assert [row["id"] for row in found] == ["m1", "t1", "t2"]
    first, last = found[0], found[-1]
    assert float(first["peak_memory_low"]) < float(first["peak_memory"]) < float(first["peak_memory_high"])
    assert float(first["step_time_low"]) < float(first["step_time"]) < float(first["step_time_high"])
    assert (last["status"], last["peak_memory"], last["step_time"]) == ("refused", "", "")
    assert last["reason"] == "column seq is empty"


def test_json_is_one_object(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, str(rows), "--json")
    found = json.loads(out)
    assert code == 0
    assert found["schema_version"] == 1
    assert found["statuses"] == {"ok": 2, "refused": 1}
    assert found["sources"][0]["median"] == pytest.approx(0.008, abs=0.004)
    assert found["predictions"][0]["status"] == "ok"


@pytest.mark.parametrize(
    ("changes", "code"), [({"seq": ""}, 3), ({"n_gpus": "9"}, 4), ({"tp": "x"}, 3), ({"gpu": "L4"}, 4)]
)
def test_without_any_prediction_the_exit_code_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], code: int
) -> None:
    assert run(capsys, str(written(tmp_path, MEGATRON | changes)))[0] == code


def test_a_broken_cell_names_row_and_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, str(written(tmp_path, MEGATRON | {"tp": "two"}, TORCHTITAN)))
    assert "refused: column tp: 'two' is no whole number from 1 up (row m1)" in " ".join(out.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none.csv",), "none.csv: not there"),
        (("{rows}", "--configs", "none"), "none: not a folder"),
        (("{rows}", "--profile", "none.toml"), "none.toml: not there"),
        (("{rows}", "--out", "none/x.csv"), "none/x.csv: cannot be written"),
    ],
)
def test_files_that_are_not_there_are_bad_input(
    rows: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, out, err = run(capsys, *(word.format(rows=rows) for word in words))
    assert code == 2
    assert said in err
    assert not out


def test_columns_that_nobody_reads_are_named_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, str(written(tmp_path, MEGATRON | {"colour": "red"})))
    assert code == 0
    assert "colour" not in out
    assert err == "columns that are not read: colour\n"


def test_rows_without_measured_memory_have_predictions_and_no_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, str(written(tmp_path, TORCHTITAN)))
    assert code == 0
    assert "No row has both a prediction and a measured step time or peak memory." in out


def test_step_times_are_scored_beside_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, MEGATRON | {"step_time_s": "0.75"}, TORCHTITAN | {"step_time_calc_s": "1.5"})
    code, out, _ = run(capsys, str(path))
    assert code == 0
    assert out.index("step time") < out.index("peak memory")
    _, text, _ = run(capsys, str(path), "--json")
    found = json.loads(text)["step_time"]
    assert [one["source"] for one in found["sources"]] == ["somebody", "others"]
    assert found["macro"]["rows"] == 2
    assert 0 < found["macro"]["median"] < 0.5
