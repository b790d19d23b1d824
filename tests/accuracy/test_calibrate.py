"""Profiles moved by rows: `isoflop calibrate training`, and what `make profiles` left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.accuracy.rows import MEGATRON, row_of, table

from isoflop.accuracy import committed_rows, predict, read_configs, read_profile, validate_training
from isoflop.accuracy.apart import FOLDS, folds_of, spread_of
from isoflop.accuracy.calibrate import calibrated, changes
from isoflop.accuracy.profiles import CONSTANTS, fitted, items_of, priors, residuals
from isoflop.accuracy.time_tables import aside
from isoflop.accuracy.toml_text import toml_text
from isoflop.cli import main
from isoflop.kernel import profiles


def measured(**changes: str) -> dict[str, str]:
    """A row whose measured step is 1.3 times what is predicted."""
    cells = MEGATRON | changes
    step = predict(row_of(cells).settings, read_configs(None)).step
    assert step is not None
    return cells | {"step_time_s": f"{1.3 * step.middle:.6g}"}


MINE = tuple(measured(id=f"c{size}", global_batch=str(size)) for size in (16, 64, 128))
OTHER = measured(id="c256", global_batch="256", tp="4", dp="2")


def written(folder: Path, *rows: dict[str, str]) -> str:
    path = folder / "mine.csv"
    path.write_text(table(*rows), encoding="utf-8")
    return str(path)


def test_three_rows_move_a_profile_and_others_follow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "p.toml"
    with pytest.raises(SystemExit) as left:
        main(["calibrate", "training", written(tmp_path, *MINE), "--out", str(out)])
    assert left.value.code == 0
    assert "blackwell" in capsys.readouterr().out
    text = out.read_text(encoding="utf-8")
    assert "[blackwell]" in text
    assert "pace" in text
    assert "[hopper]" not in text
    row = row_of(OTHER)
    before = predict(row.settings, read_configs(None)).step
    after = predict(row.settings, read_configs(None), read_profile(out)).step
    assert before is not None
    assert after is not None
    assert after.middle == pytest.approx(float(OTHER["step_time_s"]), rel=0.06)
    assert after.high / after.low < before.high / before.low


def test_one_row_moves_less_than_three() -> None:
    library = read_configs(None)
    one, three = ([row_of(cells) for cells in MINE[:size]] for size in (1, 3))
    base = dict(profiles())
    left = [abs(residuals(items_of([row_of(OTHER)], library), calibrated(items_of(rows, library), base))[0])
            for rows in (one, three)]  # fmt: skip
    assert left[1] < left[0]


def test_rows_that_were_not_measured_for_time_calibrate_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["calibrate", "training", written(tmp_path, MEGATRON), "--out", str(tmp_path / "p.toml")])
    assert left.value.code == 3
    assert "no row has both a measured step time" in " ".join(capsys.readouterr().err.split())


def test_a_place_that_cannot_be_written_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["calibrate", "training", written(tmp_path, *MINE), "--out", str(tmp_path / "none" / "p.toml")])
    assert left.value.code == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_file_says_only_what_changed() -> None:
    base = profiles()["hopper"]
    assert changes(base, base) == {}
    assert toml_text({"hopper": {"pace": 1.25, "link": {"efficiency": 0.5}}}) == (
        "[hopper]\npace = 1.25\n\n[hopper.link]\nefficiency = 0.5\n"
    )


def test_a_fit_finds_a_constant_that_rows_hold() -> None:
    rows = [row for row in committed_rows() if row.settings.gpu == "H100-SXM-80GB"][:40]
    items = items_of(rows, read_configs(None))
    base = priors()
    made = fitted(items, base, [one for one in CONSTANTS if one.path == "matmul.16.efficiency"])
    before, after = (np.abs(residuals(items, one)).mean() for one in (base, made))
    assert after <= before
    assert made["ampere"] == base["ampere"]


def test_folds_hold_every_name_once() -> None:
    names = [name for place, name in enumerate("abcdefgh") for _ in range(place + 1)]
    parts = folds_of(names)
    assert len(parts) == FOLDS
    assert sorted(name for part in parts for name in part) == sorted(set(names))
    assert parts == folds_of(names[::-1])


def test_the_spread_holds_four_fifths_with_sources_alike() -> None:
    items = items_of(committed_rows()[:100], read_configs(None))
    found = np.random.default_rng(3).normal(0, 0.1, len(items))
    assert 1.1 < spread_of(found, items) < 1.35


def test_every_row_that_was_kept_apart_is_written_down() -> None:
    items = items_of(committed_rows(), read_configs(None))
    assert set(aside().source) == {one.id for one in items}


def test_step_times_stay_where_the_page_says_they_are() -> None:
    report = validate_training(committed_rows(), read_configs(None))
    dense = [
        abs(one.step.middle / row.measured.step_time - 1)
        for row, one in zip(report.rows, report.predictions, strict=True)
        if one.step is not None and row.measured.step_time is not None and not row.settings.experts
    ]
    assert np.median(dense) < 0.07
    assert np.mean(dense) < 0.1
    assert np.quantile(dense, 0.9) < 0.2
    assert report.time_macro is not None
    assert 0.7 < report.time_macro.coverage < 0.95
