"""What a prediction reads, and what it says where it cannot be made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.accuracy.rows import MEGATRON, MIXTURE, TORCHTITAN, row_of, table

from isoflop.accuracy import (
    Prediction,
    Row,
    committed_rows,
    parse_rows,
    predict,
    read_configs,
    read_profile,
    validate_training,
)
from isoflop.accuracy.rows import COMMITTED, PEOPLE, TARGETS
from isoflop.errors import BadFile


def predicted(row: Row) -> Prediction:
    return predict(row.settings, read_configs(None))


def committed_cells() -> list[dict[str, str]]:
    import csv

    with COMMITTED.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def predictions_of(cells: list[dict[str, str]]) -> list[Prediction]:
    rows = parse_rows(table(*cells), "rows.csv").rows
    return list(validate_training(rows, read_configs(None)).predictions)


def test_blanking_every_target_leaves_predictions_as_they_are_to_the_bit() -> None:
    cells = committed_cells()
    blank = [row | dict.fromkeys(TARGETS, "") for row in cells]
    assert predictions_of(cells) == predictions_of(blank)


def test_nonsense_in_targets_leaves_predictions_as_they_are() -> None:
    cells = committed_cells()[:200]
    noise = np.random.default_rng(1)
    wild = [row | {column: str(noise.uniform(0, 1e4)) for column in TARGETS} for row in cells]
    assert predictions_of(cells) == predictions_of(wild)


def test_ids_sources_and_remarks_are_for_people() -> None:
    cells = committed_cells()
    shuffled = np.random.default_rng(2).permutation(len(cells)).tolist()
    mixed = [
        row | {column: cells[place][column] for column in PEOPLE} for row, place in zip(cells, shuffled, strict=True)
    ]
    assert predictions_of(cells) == predictions_of(mixed)


def test_the_name_of_a_model_decides_only_where_no_shape_is_given() -> None:
    cells = [row for row in committed_cells() if row["hidden"]]
    named = [row | {"model": f"model-{place}"} for place, row in enumerate(cells)]
    assert predictions_of(cells) == predictions_of(named)


def test_the_order_of_rows_does_not_matter() -> None:
    cells = committed_cells()[:100]
    assert predictions_of(cells[::-1])[::-1] == predictions_of(cells)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("seq", "column seq is empty"),
        ("tp", "column tp is empty"),
        ("precision", "column precision: it is empty"),
        ("global_batch", "column global_batch is empty"),
        ("layers", "column layers is empty"),
        ("ffn", "column ffn is empty, and so is n_params"),
        ("hidden", "columns hidden, heads, ffn are empty, and no config has the name"),
    ],
)
def test_a_setting_that_decides_and_is_missing_is_named(column: str, said: str) -> None:
    found = predicted(row_of(MEGATRON, **{column: ""}))
    assert found.status == "refused"
    assert said in found.reason
    assert found.peak_memory is None


@pytest.mark.parametrize(
    ("column", "said"),
    [("recompute", "column recompute is empty"), ("framework", "column framework: it is not known")],
)
def test_what_decides_bytes_by_factors_leaves_time_answered(column: str, said: str) -> None:
    found = predicted(row_of(MEGATRON, **{column: ""}))
    assert found.status == "ok"
    assert found.peak_memory is None
    assert found.step is not None
    assert f"no peak memory: {said}" in found.reason


@pytest.mark.parametrize(("gpu", "said"), [("", "column gpu is empty"), ("abacus", "column gpu: no device 'abacus'")])
def test_without_a_device_there_is_memory_and_no_time(gpu: str, said: str) -> None:
    found = predicted(row_of(MEGATRON, gpu=gpu))
    assert found.status == "ok"
    assert found.step is None
    assert said in found.reason


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_gpus": "16"}, "columns dp, tp, pp, cp, n_gpus: 4 x 2 x 1 x 1 = 8, not 16"),
        ({"dp": "", "tp": "3"}, "columns tp, pp, cp: 3 x 1 x 1 does not divide n_gpus = 8"),
        ({"tp": "16", "n_gpus": "64"}, "tp = 16 neither divides 8 key-value heads"),
        ({"pp": "5", "n_gpus": "40"}, "does not divide 12 layers"),
        ({"global_batch": "18"}, "does not divide the batch of 18"),
        ({"zero_stage": "5"}, "column zero_stage: 5"),
        ({"zero_stage": "3", "dp_shard": "dist-optimizer"}, "columns zero_stage, dp_shard"),
        ({"tp": "1", "dp": "8"}, "columns sp, tp"),
        ({"ep": "4"}, "the model has no experts"),
    ],
)
def test_settings_that_cannot_all_be_true_are_illegal(changes: dict[str, str], said: str) -> None:
    found = predicted(row_of(MEGATRON, **changes))
    if "tp = 16" in said:
        assert found.status in {"illegal", "ok"}  # heads may be held on several ranks
        return
    assert found.status == "illegal"
    assert said in found.reason
    assert found.peak_memory is None


def test_more_than_the_device_has_does_not_fit_and_the_bytes_are_there() -> None:
    found = predicted(row_of(MEGATRON, gpu="A100-SXM-40GB"))
    assert found.status == "does_not_fit"
    assert found.low is not None
    assert found.low > 42.6e9
    assert "A100-SXM-40GB has 42.5 GB for use" in found.reason


def test_a_device_that_is_not_known_is_no_limit() -> None:
    assert predicted(row_of(MEGATRON, gpu="abacus")).status == "ok"


def width(found: Prediction) -> float:
    assert found.peak_memory
    assert found.high is not None
    assert found.low is not None
    return (found.high - found.low) / found.peak_memory


@pytest.mark.parametrize("column", ["sp", "memory_kind", "optimizer_dtypes", "micro_batch", "zero_stage"])
def test_what_is_not_said_widens_the_interval_and_is_named(column: str) -> None:
    said, unsaid = predicted(row_of(MEGATRON)), predicted(row_of(MEGATRON, **{column: ""}))
    assert unsaid.status == "ok"
    assert width(unsaid) > width(said)
    assert unsaid.reason.startswith("assumed: ")
    assert not said.reason


def test_work_in_8_bit_widens_the_interval() -> None:
    assert width(predicted(row_of(MEGATRON, precision="fp8"))) > 1.3 * width(predicted(row_of(MEGATRON)))


def test_a_mixture_takes_the_shape_that_its_columns_fit() -> None:
    found = predicted(row_of(MIXTURE))
    assert found.status == "ok"
    assert found.peak_memory == pytest.approx(112e9, rel=0.02)
    assert predicted(row_of(MIXTURE, experts="250")).status == "refused"


def test_formats_of_the_optimizer_decide_bytes() -> None:
    full = predicted(row_of(TORCHTITAN)).peak_memory
    half = predicted(
        row_of(TORCHTITAN, optimizer_dtypes="adamw;master=bf16 (no fp32 copy);m=bf16;v=bf16;grad_comm=fp32")
    ).peak_memory
    assert full is not None
    assert half is not None
    assert full - half > 7e9


def test_the_hypothetical_reserved_is_more_than_the_allocated() -> None:
    kinds = [predicted(row_of(MEGATRON, memory_kind=kind)).peak_memory for kind in ("allocated", "reserved", "device")]
    assert kinds == sorted(kinds, key=lambda one: one or 0)
    assert predicted(row_of(MEGATRON, memory_kind="heap")).status == "refused"


def test_a_profile_replaces_fields_of_an_engine(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_text("[megatron]\nplaceholder_layers = 0\n", encoding="utf-8")
    row = row_of(MEGATRON)
    before, after = predicted(row), predict(row.settings, read_configs(None), read_profile(path))
    assert before.peak_memory is not None
    assert after.peak_memory is not None
    assert after.peak_memory < before.peak_memory
    same = predict(row.settings, read_configs(None), read_profile(_written(tmp_path, "")))
    assert same == before


def _written(folder: Path, text: str) -> Path:
    path = folder / "other.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[megatorn]\nspread = 1\n", "no engine 'megatorn'. Did you mean 'megatron'?"),
        ("megatron = 3\n", "'megatron' is no table of fields"),
        ("[megatron]\nsprad = 1\n", "[megatron]: Object contains unknown field `sprad`"),
        ("[megatron]\nspread = 'wide'\n", "[megatron]: Expected `float`"),
    ],
)
def test_a_profile_that_is_wrong_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadFile) as error:
        read_profile(_written(tmp_path, text))
    assert said in str(error.value)


def test_folders_without_configs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"no \*\.json in it"):
        read_configs(tmp_path)
    with pytest.raises(BadFile, match="not a folder"):
        read_configs(tmp_path / "none")


def test_errors_stay_where_the_page_says_they_are() -> None:
    report = validate_training(committed_rows(), read_configs(None))
    scores = {score.source.partition("/")[0]: score for score in report.scores}
    assert scores["MooreThreads"].median < 0.01
    assert scores["MooreThreads"].worst < 0.02
    assert scores["pytorch"].median < 0.05
    assert scores["pytorch"].worst < 0.12
    assert report.fits.false_fit_rate == 0
    assert report.fits.false_fit_rate_middle < 0.01
    assert report.fits.false_refusals == 0
