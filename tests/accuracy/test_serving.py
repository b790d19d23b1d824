"""Rows of serving: what they are read as, that predictions never see what was measured, fits, calibration, commands."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from isoflop.accuracy.serving import predict_serving
from isoflop.accuracy.serving_calibrate import calibrated
from isoflop.accuracy.serving_doubts import doubts_of
from isoflop.accuracy.serving_fit import moved, numbers_of, prior, residuals, slopes_at
from isoflop.accuracy.serving_items import Item, items_of, predicted, table_of
from isoflop.accuracy.serving_read import read_row
from isoflop.accuracy.serving_rows import (
    COMMITTED,
    TARGETS,
    ServingRow,
    committed_serving_rows,
    parse_serving_rows,
)
from isoflop.accuracy.serving_tables import aside
from isoflop.accuracy.serving_validate import validate_serving
from isoflop.cli import main
from isoflop.cli.validate_serving import HEAD
from isoflop.errors import BadFile
from isoflop.serving.rates import FILE, constants, read_own

ROW = {
    "id": "a",
    "source": "somebody",
    "model": "llama-3.1-8b",
    "weight_prec": "bf16",
    "gpu": "H100-SXM-80GB",
    "n_gpus": "1",
    "tp": "1",
    "framework": "vllm",
    "scenario": "online fixed concurrency",
    "concurrency": "16",
    "isl": "1000",
    "osl": "500",
    "tpot_ms": "9.5",
    "ttft_ms": "120",
}


def text(*rows: dict[str, str]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [",".join(columns)] + [",".join(row.get(name, "") for name in columns) for row in rows]
    return "\n".join(lines) + "\n"


def row(**changes: str) -> ServingRow:
    return parse_serving_rows(text(ROW | changes), "rows.csv").rows[0]


@cache
def some_items() -> tuple[Item, ...]:
    return tuple(items_of(committed_serving_rows()[::9], {}))


def test_blanked_targets_give_the_same_predictions_to_the_bit() -> None:
    cells = list(csv.DictReader(COMMITTED.read_text(encoding="utf-8").splitlines()))[::6]
    blank = [one | {name: "" for name in (*TARGETS, "source", "source_ref", "notes") if name in one} for one in cells]
    whole, blanked = (parse_serving_rows(_written(rows), "rows").rows for rows in (cells, blank))
    for one, other in zip(whole, blanked, strict=True):
        assert predict_serving(one.settings, {}) == predict_serving(other.settings, {})


def _written(rows: list[dict[str, str]]) -> str:
    from io import StringIO

    stream = StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def test_every_committed_row_is_answered_with_an_interval() -> None:
    report = validate_serving(committed_serving_rows()[::4], {})
    assert report.counts() == {"ok": len(report.rows)}
    for one in report.predictions:
        for band in one.bands.values():
            assert 0 < band.low < band.middle < band.high < np.inf


def test_shipped_constants_are_near_the_rows_they_were_fitted_to() -> None:
    report = validate_serving(committed_serving_rows()[::3], {})
    for quantity, most in (("tpot", 0.09), ("output_rate", 0.09), ("ttft", 0.32), ("energy", 0.15)):
        score = report.score(quantity)
        assert score is not None
        assert score.median < most, quantity


def test_intervals_hold_four_fifths_of_rows_kept_aside() -> None:
    inside = [abs(left.family) < np.log(constants().interval["tpot"]["all"]) for left in aside("tpot").values()]
    assert 0.7 < np.mean(inside) < 0.9


def test_what_a_row_leaves_open_is_named_and_widens_the_interval() -> None:
    said = predict_serving(row().settings, {})
    silent = predict_serving(row(isl="", osl="").settings, {})
    assert "lengths" in silent.reason
    assert "lengths" not in said.reason
    assert silent.bands["tpot"].high / silent.bands["tpot"].middle > said.bands["tpot"].high / said.bands["tpot"].middle


@pytest.mark.parametrize(
    ("changes", "model"),
    [
        ({"model": "meta-llama/Llama-3.3-70B-Instruct"}, "llama-3.1-70b"),
        ({"model": "deepseek-r1"}, "deepseek-v3"),
        ({"model": "Somebody/Unheard-of-14B"}, "14B"),
        ({"model": "somebody/strange-30b-a3b"}, "30B-A3B"),
        ({"model": "nothing", "model_family": "qwen3-8b"}, "qwen3-8b"),
    ],
)
def test_models_are_found_by_name_family_or_size(changes: dict[str, str], model: str) -> None:
    assert read_row(row(**changes).settings, {}).deployment.model.name == model


def test_what_is_not_known_is_taken_from_beside_it_and_named() -> None:
    family = read_row(row(gpu="", gpu_family="b200").settings, {})
    assert family.deployment.device.name == "b200-sxm-180gb"
    assert "the device: b200, by its family" in family.assumed
    unheard = read_row(row(gpu="zzz", gpu_family="b200").settings, {})
    assert unheard.deployment.device.name == "b200-sxm-180gb"
    assert "b200 for 'zzz', which is not known" in unheard.assumed
    assert read_row(row(gpu="zzz", gpu_family="zzz").settings, {}).deployment.device.name == "h100-sxm-80gb"
    assert "the framework: vllm for 'foo', which is not known" in read_row(row(framework="foo").settings, {}).assumed
    cache = read_row(row(kv_prec="qq").settings, {})
    assert cache.wide > 1
    assert any("'qq' is not known" in one for one in cache.assumed)


def test_layouts_are_read_as_runtimes_mean_them() -> None:
    four = {"framework": "llama.cpp", "weight_prec": "q4_k_m", "n_gpus": "4"}
    local = read_row(row(**four, scenario="llama-bench tg").settings, {})
    assert local.deployment.placement.words() == "pp 4"
    experts = read_row(row(model="qwen3-30b-a3b", n_gpus="4", tp="1", ep="4").settings, {})
    assert experts.deployment.placement.words() == "tp 4, ep 4"
    eight = {"gpu": "H200", "n_gpus": "8", "tp": "", "ep": "8", "dp": "8"}
    apart = read_row(row(model="deepseek-r1", weight_prec="fp8", **eight).settings, {})
    assert apart.deployment.placement.words() == "dp 8, ep 8"


def test_weights_that_do_not_fit_get_more_chips_and_a_doubt() -> None:
    one = row(model="llama-3.1-405b")
    reading = read_row(one.settings, {})
    assert reading.deployment.placement.instance_chips > 1
    assert any("do not fit" in said for said in reading.assumed)
    assert items_of([one], {})[0].doubt == "its weights do not fit the chips it names"


def test_rows_that_contradict_their_source_are_doubted() -> None:
    chat = row(scenario="online steady state lm-arena-chat", tpot_ms="10", ttft_ms="", isl="250")
    slow = row(id="b", scenario="online steady state gpqa", tpot_ms="40", ttft_ms="", isl="350", osl="2000")
    items = items_of([chat, slow], {})
    assert items[0].doubt == ""
    assert "4.0 times slower than a" in items[1].doubt
    assert doubts_of([(one.row, one.reading, one.case) for one in items]).keys() == {"b"}


def test_more_work_than_chips_can_do_is_doubted() -> None:
    # 500 requests of 8,000 tokens in a second each: 64e15 FLOP a second on one H100
    item = items_of([row(concurrency="500", isl="8000", osl="100", tpot_ms="9", ttft_ms="100")], {})[0]
    assert item.doubt


def test_bad_cells_spoil_their_row_only() -> None:
    table = parse_serving_rows(text(ROW | {"tp": "two"}, ROW | {"id": "b"}), "rows.csv")
    report = validate_serving(table.rows, {})
    assert [one.status for one in report.predictions] == ["refused", "ok"]
    assert "column tp: 'two' is no whole number above 0" in report.predictions[0].reason


@pytest.mark.parametrize(
    ("gpu", "chip", "said", "memory"),
    [
        ("H1000", "h100-sxm-80gb", "h100 for 'H1000', which is not known", 0.0),
        ("M2 Max 64GB", "m2-max-96gb", "m2-max-96gb for 'M2 Max 64GB'", 48e9),
        ("EPYC 9654", "cpu-epyc-9654", "512 GB of memory", 512e9),
    ],
)
def test_devices_that_are_not_known_or_hold_what_was_bought(gpu: str, chip: str, said: str, memory: float) -> None:
    found = read_row(row(gpu=gpu).settings, {})
    assert found.deployment.device.name == chip
    assert said in found.assumed
    assert found.deployment.memory == pytest.approx(memory, rel=0.2)
    assert predict_serving(row(gpu=gpu).settings, {}).status == "ok"


def test_many_rows_at_once_are_each_what_they_are_alone() -> None:
    items = some_items()
    table = table_of(items)
    base = constants()
    numbers = numbers_of(items, prior())
    together = predicted(table, numbers.rates(numbers.start))
    from isoflop.accuracy.serving import flow_of_kind, named, requests_of
    from isoflop.serving.rates import rates_of

    for place, item in enumerate(items[:20]):
        rates = rates_of(item.keys, prior())
        reading = item.reading
        flow = flow_of_kind(reading.kind, item.case, rates, requests_of(reading, item.case), reading.limits)
        alone = named(reading.kind, item.case, rates, item.keys, flow)
        assert together["tpot"][place] == pytest.approx(float(np.asarray(alone["tpot"])), rel=1e-9)
        assert together["energy"][place] == pytest.approx(float(np.asarray(alone["energy"])), rel=1e-9)
    assert base.fitted


def test_a_fit_brings_residuals_down_and_stays_near_its_start() -> None:
    items = some_items()
    table, base = table_of(items), prior()
    numbers = numbers_of(items, base)
    before = residuals(table, predicted(table, numbers.rates(numbers.start)))
    slopes = slopes_at(table, numbers, numbers.start)
    vector, _ = moved(table, numbers, np.ones(len(items)), numbers.start, slopes)
    after = residuals(table, predicted(table, numbers.rates(vector)))
    assert np.median(np.abs(after)) < 0.8 * np.median(np.abs(before))
    assert np.max(np.abs(vector - numbers.start) / numbers.spread) < 6


def test_three_rows_of_ones_own_bring_a_slower_machine_near() -> None:
    """Rows a third slower than predicted; other rows of the same machine come nearer too."""
    slower = []
    for many in ("4", "16", "64"):
        token = predict_serving(row(concurrency=many).settings, {}).bands["tpot"].middle
        slower.append(row(id=many, concurrency=many, tpot_ms=str(token * 1333), ttft_ms=""))
    found = calibrated(items_of(slower, {}))
    assert max(map(abs, found.before)) > 0.25
    assert max(map(abs, found.after)) < 0.15
    assert "software" in str(found.changes["slots"])


def test_own_constants_are_read_and_strange_ones_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[slots.layer]\nsoftware = { "vllm" = 2.0 }\n', encoding="utf-8")
    slow = predict_serving(row(framework="vllm").settings, {}, read_own(path))
    usual = predict_serving(row(framework="vllm").settings, {})
    assert slow.bands["tpot"].middle > usual.bands["tpot"].middle
    path.write_text("[slots.lair]\nbase = { all = 1.0 }\n", encoding="utf-8")
    with pytest.raises(BadFile, match="no constant 'lair'"):
        read_own(path)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([*words])
    out = capsys.readouterr()
    return int(left.value.code or 0), out.out, out.err


def test_the_command_writes_a_prediction_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, out = tmp_path / "rows.csv", tmp_path / "out.csv"
    rows.write_text(text(ROW, ROW | {"id": "b", "tp": "two"}), encoding="utf-8")
    code, printed, _ = run(capsys, "validate", "serving", str(rows), "--out", str(out))
    assert code == 0
    assert "2 rows: 1 ok, 1 refused." in printed
    written = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert tuple(written[0]) == HEAD
    assert float(written[0]["tpot_low"]) < float(written[0]["tpot"]) < float(written[0]["tpot_high"])
    assert float(written[0]["weights_bytes_per_device"]) == pytest.approx(16.06e9, rel=0.02)
    assert written[1]["status"] == "refused"
    code, printed, _ = run(capsys, "validate", "serving", str(rows), "--json")
    assert json.loads(printed)["predictions"][0]["id"] == "a"


def test_a_table_without_an_answer_leaves_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(text(ROW | {"tp": "two"}), encoding="utf-8")
    assert run(capsys, "validate", "serving", str(rows))[0] == 3


def test_calibrate_writes_what_validate_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, out = tmp_path / "rows.csv", tmp_path / "own.toml"
    rows.write_text(text(ROW, ROW | {"id": "b", "concurrency": "64", "tpot_ms": "20"}), encoding="utf-8")
    code, printed, _ = run(capsys, "calibrate", "serving", str(rows), "--out", str(out))
    assert code == 0
    assert "tpot" in printed
    code, _, _ = run(capsys, "validate", "serving", str(rows), "--profile", str(out))
    assert code == 0


def test_constants_file_is_what_the_fit_writes() -> None:
    from isoflop.accuracy.serving_apart import pace_text

    assert pace_text(constants()) == FILE.read_text(encoding="utf-8")
