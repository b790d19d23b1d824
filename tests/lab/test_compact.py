"""Records of a run that is over: in Parquet they are what they were in lines, whatever happens in between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lab.test_train import spec

pytest.importorskip("torch")
pa = pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")

from isoflop.errors import BadFile  # noqa: E402
from isoflop.lab import Corpus, RunFolder  # noqa: E402
from isoflop.lab.compact import Log  # noqa: E402
from isoflop.lab.run import perform  # noqa: E402
from isoflop.lab.train import Habits  # noqa: E402

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.none()
steps = st.builds(
    lambda last, losses, norm, seconds: {
        "step": last + len(losses), "losses": losses, "grad_norm": norm, "seconds": seconds
    },
    st.integers(0, 50),
    st.lists(numbers, min_size=1, max_size=5),
    numbers,
    st.floats(0, 1e3),
)  # fmt: skip
attempts = st.fixed_dictionaries({"attempt": st.integers(0, 9), "versions": st.just({"torch": "2"})})


@settings(max_examples=15)
@given(first=st.lists(steps | attempts, max_size=8), later=st.lists(steps | attempts, max_size=4))
def test_records_come_back_as_they_were(
    first: list[dict[str, object]], later: list[dict[str, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = Log(tmp_path_factory.mktemp("log"))
    for record in first:
        log.add(record)
    assert log.compact() == bool(first)
    assert not log.lines.path.exists()
    assert list(log.read()) == first
    for record in later:  # a run that is done again adds to what is compacted
        log.add(record)
    assert list(log.read()) == first + later
    log.compact()
    assert list(log.read()) == first + later


def test_a_log_with_a_torn_line_a_crash_and_more_keys_is_compacted(tmp_path: Path) -> None:
    log = Log(tmp_path)
    records: list[dict[str, object]] = [
        {"attempt": 0},
        {"step": 2, "losses": [3.0, None], "grad_norm": None, "seconds": 0.5, "beside": 3},
        {"attempt": 1},
        {"step": 2, "losses": [2.5], "grad_norm": 1.0, "seconds": 0.25, "processor": 0.2},
    ]
    for record in records:
        log.add(record)
    with log.lines.path.open("ab") as file:
        file.write(b'{"step": 3, "los')
    assert log.compact()
    assert list(log.read()) == records
    found = duckdb.read_parquet(str(log.table)).filter("counted").project("step, loss, seconds").order("step")
    assert found.fetchall() == [(0, 3.0, None), (1, 2.5, 0.25)]


@pytest.fixture(scope="module")
def over(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = RunFolder.made(tmp_path_factory.mktemp("study") / "runs", spec(corpus))
    perform(folder, corpus, Habits(log_every=7))
    return folder


def test_a_full_disk_leaves_the_lines_and_a_later_try_takes_them(
    over: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, seconds, records = over.losses(), over.seconds(), list(over.log.read())

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert not over.compact()
    assert {one.name for one in over.path.iterdir()} >= {"log.jsonl"}
    assert not list(over.path.glob("*.parquet*"))
    assert over.compact()
    assert not (over.path / "log.jsonl").exists()
    assert (over.losses(), over.seconds(), list(over.log.read())) == (losses, seconds, records)
    assert not over.compact()


def test_a_run_that_is_not_over_keeps_its_lines(corpus: Corpus, tmp_path: Path) -> None:
    folder = RunFolder.made(tmp_path, spec(corpus))
    folder.log.add({"step": 1, "losses": [2.0], "grad_norm": 1.0, "seconds": 0.1})
    assert not folder.compact()
    assert (folder.path / "log.jsonl").exists()


def test_a_table_of_others_is_named(tmp_path: Path) -> None:
    from pyarrow import parquet

    (tmp_path / "log.parquet").write_bytes(b"nothing")
    with pytest.raises(BadFile, match="no Parquet file"):
        list(Log(tmp_path).read())
    parquet.write_table(pa.table({"step": [1]}), tmp_path / "log.parquet")
    with pytest.raises(BadFile, match="not a log of the laboratory"):
        list(Log(tmp_path).read())
