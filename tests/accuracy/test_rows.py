"""Tables of measured runs: what is read, what spoils a row, what spoils a file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.accuracy.rows import MEGATRON, TORCHTITAN, row_of, rows_of, table

from isoflop.accuracy import committed_rows, parse_rows, read_rows
from isoflop.accuracy.rows import PEOPLE, SETTINGS, TARGETS, Settings
from isoflop.accuracy.software import month_of
from isoflop.errors import BadFile


def test_settings_and_targets_part_at_the_door() -> None:
    row = rows_of(MEGATRON)[0]
    assert row.settings.hidden == 8192
    assert row.measured.peak_memory == 65.155e9
    assert not set(SETTINGS) & {*TARGETS, *PEOPLE}
    assert not any(name.startswith(("peak", "step", "tokens", "tflops", "mfu")) for name in Settings.__struct_fields__)


def test_the_uniform_step_time_is_taken_before_the_printed_one() -> None:
    assert row_of(MEGATRON, step_time_s="2", step_time_calc_s="1.5").measured.step_time == 1.5
    assert row_of(MEGATRON, step_time_s="2", step_time_calc_s="").measured.step_time == 2


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("tp", "two", "column tp: 'two' is no whole number from 1 up"),
        ("tp", "-2", "column tp: '-2' is no whole number from 1 up"),
        ("tp", "0", "column tp: '0' is no whole number from 1 up"),
        ("layers", "1.5", "column layers: '1.5' is no whole number from 1 up"),
        ("seq", "nan", "column seq: 'nan' is no whole number from 1 up"),
        ("n_params", "inf", "column n_params: 'inf' is no number from 1 up"),
        ("hidden", "1e300", "column hidden: '1e300' is no whole number from 1 up"),
        ("zero_stage", "-1", "column zero_stage: '-1' is no whole number from 0 up"),
    ],
)
def test_a_cell_that_cannot_be_read_spoils_its_row_only(column: str, text: str, said: str) -> None:
    broken, sound = rows_of(MEGATRON | {column: text}, TORCHTITAN)
    assert broken.fault == said
    assert not sound.fault


def test_a_target_that_cannot_be_read_is_no_target_and_changes_nothing_else() -> None:
    row = row_of(MEGATRON, peak_mem_gb="much")
    assert row.measured.peak_memory is None
    assert row.measured.unread == ("peak_mem_gb",)
    assert not row.fault
    assert row.settings == rows_of(MEGATRON)[0].settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1 names no column 'id'"),
        ("idx,tp\n1,2\n", "line 1 names no column 'id'. Did you mean 'idx'"),
        ("id,tp,tp\n1,2,3\n", "names column 'tp' twice"),
        ("id,tp\n", "no rows"),
        ("id,tp\na,1,2\n", "line 2 has 3 cells, but the first line names 2 columns"),
        ("id,tp\na\n", "line 2 has 1 cells"),
        ("id,tp\n,1\n", "line 2: column id is empty"),
        ("id,tp\na,1\nb,1\na,2\n", "line 4: column id: 'a' is the id of line 2 too"),
        ('id,tp\na,"1\n', "line 2 is not CSV"),
    ],
)
def test_what_is_no_such_table_is_refused_with_the_place(text: str, said: str) -> None:
    with pytest.raises(BadFile) as error:
        parse_rows(text, "rows.csv")
    assert said in str(error.value)
    assert str(error.value).startswith("rows.csv")


def test_columns_that_nobody_reads_are_named() -> None:
    found = parse_rows(table(MEGATRON | {"colour": "red"}), "rows.csv")
    assert found.unknown == ("colour",)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="not there"):
        read_rows(tmp_path / "none.csv")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(BadFile):
        parse_rows(text, "rows.csv")


def test_committed_rows_have_sources_and_hold_those_measured_for_memory() -> None:
    rows = committed_rows()
    assert all(len(row.source) > 10 for row in rows)
    assert not any(row.fault for row in rows)
    measured = [row for row in rows if row.measured.peak_memory]
    assert len(measured) >= 72
    assert len({row.source for row in measured}) >= 4
    assert sum(row.measured.step_time is not None for row in rows) > 600


@pytest.mark.parametrize(
    ("framework", "era", "month"),
    [
        ("NeMo 25.07 (dgxc)", "NeMo 7a8f1cc (2025-06) in container 25.04.01", (2025, 4)),
        ("Megatron-Bridge 26.06", "", (2026, 6)),
        ("torchtitan", "torchtitan 9dec370 (2024-12)", None),
    ],
)
def test_containers_name_their_month(framework: str, era: str, month: tuple[int, int] | None) -> None:
    assert month_of(framework, era) == month
