"""Start-up logs of serving runtimes: rows, predictions that see settings only, the command."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from isoflop.accuracy.state_models import kv_format, model_of, plain, read_library
from isoflop.accuracy.state_predict import predict_state
from isoflop.accuracy.state_rows import COMMITTED, TARGETS, committed_state_rows, parse_state_rows
from isoflop.accuracy.state_validate import validate_state
from isoflop.cli import main
from isoflop.cli.validate_state import HEAD
from isoflop.errors import BadFile, MissingData

ROW = {
    "id": "a", "source": "somebody", "date": "2025-09", "framework": "vllm", "version": "0.10.2",
    "model": "meta-llama/Llama-3.1-8B-Instruct", "model_family": "llama-3-8b", "weight_prec": "bf16", "kv_prec": "bf16",
    "gpu": "RTX 3090", "n_gpus": "1", "tp": "1", "max_model_len": "8192", "gpu_mem_util": "0.9",
}  # fmt: skip


def table(*rows: dict[str, str]) -> str:
    out = StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(key for row in rows for key in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def test_blanking_every_target_leaves_predictions_as_they_are_to_the_bit() -> None:
    cells = list(csv.DictReader(StringIO(COMMITTED.read_text(encoding="utf-8"))))
    blank = [row | dict.fromkeys(TARGETS, "") | {"remarks": "", "config_known": ""} for row in cells]
    with_targets, without = (
        [predict_state(row.settings, {}) for row in parse_state_rows(table(*rows), "rows").rows]
        for rows in (cells, blank)
    )
    assert with_targets == without


def test_committed_rows_have_sources_and_each_a_prediction_or_a_reason() -> None:
    rows = committed_state_rows()
    assert len(rows) > 130
    report = validate_state(rows, {})
    assert all(row.source for row in rows)
    assert all(one.status == "ok" or one.reason for one in report.predictions)
    assert report.counts()["ok"] > 0.9 * len(rows)


def errors(figure: str, framework: str) -> list[float]:
    rows = [row for row in committed_state_rows() if row.settings.framework == framework and not row.inferred]
    found = []
    for row in rows:
        measured, one = getattr(row.measured, figure), getattr(predict_state(row.settings, {}), figure)
        if measured is not None and one is not None:
            found.append(abs(one.middle / measured - 1))
    return found


def test_weights_are_those_of_the_file_and_tokens_those_of_the_log() -> None:
    assert np.median(errors("weights", "vllm")) < 0.005
    assert np.median(errors("tokens", "vllm")) < 0.10
    assert np.median(errors("state", "llama.cpp")) < 1e-3


def test_intervals_hold_the_middle() -> None:
    for row in committed_state_rows():
        one = predict_state(row.settings, {})
        for band in (one.weights, one.state, one.tokens, one.concurrency):
            assert band is None or band.low <= band.middle <= band.high


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({}, "ok", "max_num_seqs at its default"),
        ({"gpu": ""}, "ok", "which device it is is not known"),
        ({"gpu": "RTX 3009"}, "ok", "no device is called 'RTX 3009'"),
        ({"model": "nobody-7b", "model_family": ""}, "refused", "no config and no preset"),
        ({"weight_prec": "int17"}, "refused", "weight_prec"),
        ({"kv_prec": "fp9"}, "refused", "fp9"),
        ({"tp": "3", "n_gpus": "3"}, "illegal", "tp 3 does not divide 32 heads"),
        ({"gpu": "RTX 4070 8GB (7.65 GiB total)"}, "does_not_fit", "leave nothing"),
        ({"framework": ""}, "refused", "framework"),
        ({"framework": "tgi"}, "ok", "pages like vLLM"),
    ],
)
def test_what_a_row_may_lack(change: dict[str, str], status: str, said: str) -> None:
    one = predict_state(parse_state_rows(table(ROW | change), "rows").rows[0].settings, {})
    assert one.status == status
    assert said in one.reason


def test_a_cell_that_is_no_number_spoils_its_row_only() -> None:
    rows = parse_state_rows(table(ROW, ROW | {"id": "b", "tp": "many"}), "rows").rows
    assert not rows[0].fault
    assert "column tp: 'many'" in rows[1].fault
    over = parse_state_rows(table(ROW | {"gpu_mem_util": "1.5"}), "rows").rows[0]
    assert over.fault == "column gpu_mem_util: '1.5' is no number above 0 and up to 1"
    with pytest.raises(BadFile, match="'id'"):
        parse_state_rows("name\nx\n", "rows")


def test_names_lose_owner_and_endings() -> None:
    assert plain("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8") == plain("qwen3-235b-a22b")
    assert model_of("DeepSeek R1 0528 Bf16", "", {}).what.spec.name == "deepseek-v3"
    with pytest.raises(MissingData):
        model_of("(name cut)", "unknown", {})


def test_configs_of_a_folder_come_before_presets(tmp_path: Path) -> None:
    config = {
        "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 256,
    }  # fmt: skip
    (tmp_path / "llama-3-8b.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "other.json").write_text("[]", encoding="utf-8")
    library = read_library(tmp_path)
    assert model_of("Llama-3-8B", "", library).what.spec.layers == 2
    with pytest.raises(BadFile, match="not a folder"):
        read_library(tmp_path / "none")


def test_formats_of_a_cache() -> None:
    assert kv_format("K q8_0 / V f16") == "q8_0-f16"
    assert kv_format("fp8_e4m3") == "fp8"
    assert kv_format("") == "auto"


def test_the_command_writes_the_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, out = tmp_path / "rows.csv", tmp_path / "predictions.csv"
    rows.write_text(table(ROW | {"kv_tokens": "30000"}), encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["validate", "serving-memory", str(rows), "--out", str(out)])
    assert left.value.code == 0
    assert "1 row: 1 ok." in capsys.readouterr().out
    with out.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert tuple(found[0]) == HEAD
    assert HEAD[:4] == (
        "id",
        "weights_bytes_per_device",
        "weights_bytes_per_device_low",
        "weights_bytes_per_device_high",
    )
    assert {"state_bytes_per_device", "state_tokens", "max_concurrency", "status", "reason"} < set(HEAD)
    assert float(found[0]["state_tokens_low"]) < float(found[0]["state_tokens"])
    with pytest.raises(SystemExit):
        main(["validate", "serving-memory", str(rows), "--json"])
    assert json.loads(capsys.readouterr().out)["interval"] == 0.8


def test_no_prediction_at_all_leaves_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(table(ROW | {"model": "x", "model_family": ""}), encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["validate", "serving-memory", str(rows)])
    assert left.value.code == 3
    assert "refused" in capsys.readouterr().out
