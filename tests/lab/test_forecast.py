"""What a study will take: the training room's answer, moved by a probe; laid out as the pool will do it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from math import log
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from tests.lab.test_train import SHAPE, spec

from isoflop.errors import BadInput, MissingData
from isoflop.lab import Corpus, Means, RunFolder, forecast
from isoflop.lab.forecast import _makespan, _slowed, _widths, left_of
from isoflop.lab.pace import Heard, Pace, held_bytes, machine_at, profile_text
from isoflop.lab.pool import Task
from isoflop.lab.probe import probe
from isoflop.lab.spec import RunSpec
from isoflop.lab.tasks import tasks_of


def of_width(corpus: Corpus, width: int, **changes: object) -> RunSpec:
    return spec(corpus, shape=replace(SHAPE, width=width, heads=width // 8, kv_heads=width // 8), **changes)


def heard(pace: Pace, runs: list[RunSpec], factors: list[float], *, slowed: float = 1.0) -> Heard:
    """A machine on which steps take these times what the training room says, and others slow them."""
    steps = {one.hash: [factor * pace.alone(one)] * 4 for one, factor in zip(runs, factors, strict=True)}
    return Heard(
        steps=steps,
        busy={name: [one / slowed for one in held] for name, held in steps.items()},
        validation={one.hash: pace.alone(one) / 10 for one in runs},
        held={one.hash: int(2e8 + held_bytes(one)) for one in runs},
        ready=0.0,
        begin=0.0,
        keep=0.0,
        record=0.0,
    )


def test_the_factor_of_the_probe_is_interpolated_between_its_sizes_and_kept_beyond(corpus: Corpus) -> None:
    runs = [of_width(corpus, width) for width in (8, 16, 32)]
    blank = Pace(corpus.folder, [], [])
    pace = Pace(corpus.folder, [(one,) for one in runs], [heard(blank, runs, [1.0, 3.0, 4.0])])
    assert [pace.step(one) / pace.alone(one) for one in runs] == pytest.approx([1, 3, 4])
    assert pace.step(of_width(corpus, 64)) / pace.alone(of_width(corpus, 64)) == pytest.approx(4)
    between = of_width(corpus, 24)
    share = log(between.params / runs[1].params) / log(runs[2].params / runs[1].params)
    assert pace.step(between) / pace.alone(between) == pytest.approx(3 * (4 / 3) ** share)
    assert pace.validation(between) == pytest.approx(pace.alone(between) / 10)
    assert pace.rest() == pytest.approx(2e8)
    assert pace.doubt == pytest.approx(
        abs(log(3) - log(4) * log(runs[1].params / runs[0].params) / log(runs[2].params / runs[0].params)), abs=1e-6
    )
    assert blank.step(between) == blank.alone(between)


@settings(max_examples=20)
@given(slowed=st.floats(1, 20))
def test_the_interval_holds_a_machine_whose_others_are_half_or_twice_as_many(corpus: Corpus, slowed: float) -> None:
    runs = [of_width(corpus, 8)]
    blank = Pace(corpus.folder, [], [])
    pace = Pace(corpus.folder, [(one,) for one in runs], [heard(blank, runs, [slowed], slowed=slowed)])
    assert pace.slowed == pytest.approx(slowed)
    low, high = _widths(pace, slowed)
    assert low * slowed <= 1 + (slowed - 1) / 2
    assert high * slowed >= 1 + 2 * (slowed - 1)
    assert low <= 1 / 1.12
    assert high >= 1.12


def test_others_are_seen_by_the_probe_and_by_who_wants_a_processor(corpus: Corpus) -> None:
    runs = [of_width(corpus, 8)]
    blank = Pace(corpus.folder, [], [])
    pace = Pace(corpus.folder, [(one,) for one in runs], [heard(blank, runs, [4.0], slowed=4.0)])
    many = (os.cpu_count() or 1) * 9.0
    assert _slowed(pace, many - 2, Means()) == pytest.approx((4 * 9) ** 0.5)
    assert _slowed(pace, 0.0, Means(processes=1)) == pytest.approx(2.0)
    assert _slowed(blank, many - 2, Means()) == pytest.approx(9.0)
    assert _slowed(blank, 0.0, Means(processes=1)) == 1.0


def test_runs_wait_for_their_trunks_and_for_a_free_process() -> None:
    tasks = [Task(run="a"), Task(run="b"), Task(run="c", after="a"), Task(run="d")]
    seconds = {"a": 5.0, "b": 1.0, "c": 2.0, "d": 1.0}
    assert _makespan(tasks, seconds, 1) == 9.0
    assert _makespan(tasks, seconds, 2) == 7.0  # c cannot begin before a is over
    assert _makespan(tasks, seconds, 100) == 7.0


def test_a_probe_says_what_a_forecast_reads(corpus: Corpus, tmp_path: Path) -> None:
    import msgspec

    (tmp_path / "corpus").symlink_to(corpus.folder)
    run = of_width(corpus, 8, steps=10, schedule=replace(spec(corpus).schedule, warmup=2))
    found = msgspec.json.decode(json.dumps(probe(tmp_path, [[run.as_json()]])), type=Heard)
    assert len(found.steps[run.hash]) == len(found.busy[run.hash]) == 8
    assert found.held[run.hash] > 5e7
    assert {path.name for path in tmp_path.iterdir()} == {"corpus"}


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that nobody else uses, with as many processors as there are processes."""
    monkeypatch.setattr(sys.modules["isoflop.lab.forecast"], "_others", lambda: 0.0)  # the room's name is its function
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.mark.usefixtures("quiet")
def test_without_a_probe_the_training_room_says_it_alone(corpus: Corpus, tmp_path: Path) -> None:
    runs = [spec(corpus, seed=seed) for seed in (1, 2)]
    with pytest.raises(MissingData, match=r"isoflop measure --threads 1 --out .*machine\.toml"):
        forecast(tmp_path, runs, Means(probe=False))
    (tmp_path / "machine.toml").write_text(_own(), encoding="utf-8")
    found = forecast(tmp_path, runs, Means(probe=False, price=3600.0))
    alone = machine_at(tmp_path)
    assert found.own
    assert found.profile == alone.chip.name
    assert found.busy.value == pytest.approx(sum(40 * Pace(tmp_path, [], []).alone(one) for one in runs))
    assert found.alone is not None
    assert found.alone.value == pytest.approx(found.busy.value)
    assert found.cost == pytest.approx(found.wall.value)
    assert found.busy.low < found.busy.value < found.busy.high


@pytest.mark.usefixtures("quiet")
def test_what_is_on_record_is_not_predicted_again(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "machine.toml").write_text(_own(), encoding="utf-8")
    run = spec(corpus)
    whole = forecast(tmp_path, [run], Means(processes=1, probe=False))
    folder = RunFolder.made(tmp_path / "runs", run)
    assert left_of(tmp_path, run.hash) == 1.0
    folder.log.add({"step": 30, "losses": [2.0] * 30, "grad_norm": 1.0, "seconds": 0.1})
    assert left_of(tmp_path, run.hash) == 0.25
    rest = forecast(tmp_path, [run], Means(processes=1, probe=False))
    assert rest.busy.value == pytest.approx(whole.busy.value / 4)
    assert rest.seconds == whole.seconds


def test_memory_grows_with_whatever_is_largest(corpus: Corpus) -> None:
    plain = held_bytes(spec(corpus))
    assert held_bytes(spec(corpus, batch=64)) > plain
    assert held_bytes(spec(corpus, validation=64, batch=2)) >= 12 * spec(corpus).params + 64 * 32 * 8 * 256
    wide = spec(corpus, shape=replace(SHAPE, vocabulary=50_000), validation=1, batch=1, sequence=8)
    assert held_bytes(wide) == 36 * wide.params  # its checkpoint


def test_a_device_without_a_profile_is_refused(tmp_path: Path) -> None:
    text = _own()
    (tmp_path / "bare.toml").write_text(text[: text.index("[profile]")], encoding="utf-8")
    with pytest.raises(BadInput, match=r"has no \[profile\]: give what isoflop measure"):
        profile_text(tmp_path / "bare.toml")


def _own() -> str:
    from importlib.resources import files

    return files("isoflop.lab").joinpath("machine.toml").read_text(encoding="utf-8")


@pytest.mark.usefixtures("quiet")
def test_runs_trained_together_share_the_time_of_starting_operations(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "machine.toml").write_text(_own(), encoding="utf-8")
    runs = [spec(corpus, seed=seed) for seed in range(4)]
    pace = Pace(tmp_path, [], [])
    launch = pace.machine.profile.launch.step
    one, four = pace.alone(runs[0]), pace.alone(runs[0], 4)
    assert one - four > 0.75 * launch
    assert four > (one - launch) / 4
    means = Means(processes=1, probe=False)
    apart = forecast(tmp_path, runs, means)
    party = forecast(tmp_path, runs, means, tasks_of(runs, together=4))
    assert party.busy.value == pytest.approx(4 * 40 * four)
    assert party.busy.value < apart.busy.value
    assert party.memory.value > apart.memory.value
    assert set(party.seconds) == {one.hash for one in runs}


def test_a_party_is_probed_together(corpus: Corpus, tmp_path: Path) -> None:
    import msgspec

    (tmp_path / "corpus").symlink_to(corpus.folder)
    runs = [of_width(corpus, 8, seed=seed, steps=30) for seed in (1, 2)]
    found = msgspec.json.decode(json.dumps(probe(tmp_path, [[one.as_json() for one in runs]])), type=Heard)
    assert set(found.steps) == set(found.validation) == set(found.held) == {runs[0].hash}
