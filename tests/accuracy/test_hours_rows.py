from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from isoflop.accuracy.hours_rows import validate_hours
from isoflop.accuracy.hours_scores import scores
from isoflop.cli.validate_hours import hours
from isoflop.errors import BadFile

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """model,year,params_total,params_active,train_tokens,hardware,chips,days,chip_hours,cost_usd_published
LLaMA-65B,2023,65.2e9,65.2e9,1.4e12,a100-sxm-80gb,2048,21,1022362,1
a dense model,2024,7e9,,1e12,h100-sxm,64,30,,
a mixture,2024,480e9,17e9,3.5e12,h100-sxm,,,504000,
two sizes of fleet,2022,540e9,540e9,780e9,tpu-v4,6144 then 3072,64,,
no device,2024,7e9,7e9,1e12,,64,30,,
unknown device,2024,7e9,7e9,1e12,abacus,64,30,,
t5-11b,2019,11e9,11e9,1e12,tpu-v3,512,20,,
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "runs.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_a_table_of_runs_is_predicted_row_by_row(table: Path) -> None:
    report = validate_hours(table)
    by_name = {one.name: one for one in report.rows}
    assert report.unknown == ("cost_usd_published",)
    assert [one.name for one in report.counted] == ["LLaMA-65B", "a dense model"]
    assert [one.name for one in report.further] == ["a mixture"]
    assert by_name["LLaMA-65B"].shape == "preset"
    assert by_name["a mixture"].shape == "dense, of its active size"
    assert by_name["two sizes of fleet"].use == "left out"
    assert "no device" in by_name["no device"].reason
    assert "abacus" in by_name["unknown device"].reason
    assert "encoder" in by_name["t5-11b"].reason


def test_what_was_stated_is_never_read(table: Path) -> None:
    before = {one.name: one.point for one in validate_hours(table).rows}
    table.write_text(TABLE.replace("1022362", "77").replace("504000", "3"), encoding="utf-8")
    assert {one.name: one.point for one in validate_hours(table).rows} == before


def test_a_batch_and_a_config_that_are_known_are_taken(tmp_path: Path) -> None:
    config = {
        "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "num_attention_heads": 32,
        "num_hidden_layers": 32, "num_key_value_heads": 32, "vocab_size": 32000,
    }  # fmt: skip
    (tmp_path / "own.json").write_text(json.dumps(config), encoding="utf-8")
    rows = "model,year,train_tokens,hardware,chips,days,config,seq,global_batch\n"
    rows += "small,2024,1e12,h100-sxm,256,9,own.json,2048,256\nlarge,2024,1e12,h100-sxm,256,9,own.json,2048,4096\n"
    path = tmp_path / "runs.csv"
    path.write_text(rows, encoding="utf-8")
    small, large = validate_hours(path, tmp_path).counted
    assert small.shape == "config"
    assert (small.point or 0) > (large.point or 0)


def test_the_command_prints_and_writes(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    shown = CliRunner().invoke(hours, [str(table), "--out", str(out)])
    assert shown.exit_code == 0
    assert "LLaMA-65B" in shown.output
    assert "this prediction" in shown.output
    assert len(out.read_text(encoding="utf-8").splitlines()) == len(TABLE.splitlines())
    found = json.loads(CliRunner().invoke(hours, [str(table), "--json"]).stdout)
    assert found["scores"][0]["name"] == "this prediction"
    assert len(found["predictions"]) == len(TABLE.splitlines()) - 1


def test_a_table_without_models_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("name,chips\na,8\n", encoding="utf-8")
    with pytest.raises(BadFile, match="column 'model'"):
        validate_hours(path)


def test_baselines_stand_beside_the_prediction(table: Path) -> None:
    found = scores(validate_hours(table).counted)
    assert found[0].coverage is not None
    assert all(one.coverage is None for one in found[1:])
    assert found[-2].median <= min(one.median for one in found[1:-2]) + 1e-9
