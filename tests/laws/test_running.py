"""Where a run will end: schedules, synthetic curves recovered, real curves cut, any units, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput, MissingData, UntrustworthyFit
from isoflop.laws import Curve, Schedule, foresee, prior_from, read_curve, schedule_of
from isoflop.laws.decide.schedule import KINDS, Kind

if TYPE_CHECKING:
    from isoflop.quantity import FloatArray

HERE = Path(__file__).parent / "curves"
CURVES = sorted(HERE.glob("*.csv"))


def schedule_for(path: Path, total: float) -> Schedule:
    kind: Kind = path.name.split("_")[0]  # type: ignore[assignment]  # the name's first word is one
    return Schedule(kind=kind, total=total, warmup=100, final=0.1 if kind == "cosine" else 0.0)


def ended_at(curve: Curve) -> float:
    tail = curve.at > 0.98 * curve.end
    rows = tail if tail.sum() > 3 else curve.at >= curve.at[-4]
    return float(np.exp(np.log(curve.loss[rows]).mean()))


@given(
    kind=st.sampled_from(KINDS),
    total=st.floats(10, 1e13),
    final=st.floats(0, 1),
    decay=st.floats(0.01, 1),
    warmup=st.floats(0, 0.5),
)
def test_rates_stay_between_the_final_one_and_the_peak(
    kind: Kind, total: float, final: float, decay: float, warmup: float
) -> None:
    held = Schedule(kind=kind, total=total, warmup=warmup * total, final=final, decay=decay)
    rates = held.rate(np.linspace(0.0, total, 101))
    assert rates.min() >= -1e-12
    assert rates.max() <= 1.0 + 1e-12
    # Once the peak is reached the rate never rises.
    after = held.rate(np.linspace(warmup * total, total, 101))
    assert (np.diff(after) <= 1e-9).all()
    assert after[-1] == pytest.approx(1.0 if kind == "constant" else final, abs=1e-9)


@pytest.mark.parametrize("path", [path for path in CURVES if path.name.startswith(("cosine", "wsd", "linear"))])
def test_a_logged_rate_tells_its_schedule(path: Path) -> None:
    curve = read_curve(path, columns={"loss": "train_loss"})
    part = curve.until(0.95 * curve.end)
    found, _ = schedule_of(part.at, part.rate, curve.end)
    true = schedule_for(path, curve.end)
    ahead = np.linspace(0.1, 1.0, 50) * curve.end
    assert np.abs(found.rate(ahead) - true.rate(ahead)).max() < 0.03


def test_a_rate_that_follows_nothing_is_refused() -> None:
    at = np.arange(1.0, 101.0)
    with pytest.raises(MissingData, match="--schedule"):
        schedule_of(at, 1.0 + 0.5 * np.sin(at / 5.0), 200.0)
    found, said = schedule_of(at, np.ones(100), 200.0)
    assert found.kind == "constant"
    assert "--schedule wsd" in said


def made(schedule: Schedule, count: int = 400, noise: float = 0.004, seed: int = 0) -> Curve:
    """A curve that obeys the form, its annealing without lag."""
    at = np.linspace(schedule.total / count, schedule.total, count)
    rate = schedule.rate(at)
    progress = np.cumsum(rate) / count
    loss = 2.0 + 0.35 * (progress + 0.01) ** -0.45 + 0.12 * rate
    return Curve.of(at, loss * np.exp(noise * np.random.default_rng(seed).standard_normal(count)), rate)


@pytest.mark.parametrize("kind", KINDS)
def test_a_curve_of_the_form_is_foreseen(kind: Kind) -> None:
    schedule = Schedule(kind=kind, total=10_000.0, warmup=200.0)
    inside, off = 0, []
    for seed in range(6):
        whole = made(schedule, seed=seed)
        found = foresee(whole.until(6_000.0), schedule)
        true = 2.0 + 0.35 * float(schedule.rate(np.linspace(0, 1e4, 20_001)).mean() + 0.01) ** -0.45
        true += 0.12 * float(schedule.rate(np.linspace(0.98, 1.0, 9) * 1e4).mean())
        inside += found.final.low <= true <= found.final.high
        off.append(found.final.value / true - 1.0)
    assert inside >= 4
    assert np.abs(off).max() < 0.03


def test_real_curves_cut_anywhere() -> None:
    """Intervals of 80 % hold most ends; errors fall as the run goes on, and beat the loss at the cut."""
    inside: list[bool] = []
    still: list[float] = []
    errors: dict[float, list[float]] = {0.3: [], 0.6: [], 0.9: []}
    for path in CURVES:
        curve = read_curve(path, columns={"loss": "val_loss"})
        true = ended_at(curve)
        for share, off in errors.items():
            try:
                found = foresee(curve.until(share * curve.end), schedule_for(path, curve.end))
            except UntrustworthyFit:
                continue
            off.append(abs(found.final.value / true - 1.0))
            still.append(abs(found.now / true - 1.0))
            inside.append(found.final.low <= true <= found.final.high)
    assert 0.65 <= np.mean(inside) <= 1.0
    medians = [float(np.median(off)) for off in errors.values()]
    assert medians[0] > medians[2]
    assert medians[1] < 0.03
    assert np.median(np.concatenate([np.array(off) for off in errors.values()])) < 0.5 * np.median(still)


def test_an_earlier_run_tells_what_a_decay_brings() -> None:
    earlier = read_curve(HERE / "wsd_2000_d64_s1.csv", columns={"loss": "val_loss"})
    later = read_curve(HERE / "wsd_4000_d64_s2.csv", columns={"loss": "val_loss"})
    schedule = Schedule(kind="wsd", total=4000, warmup=100)
    cut = later.until(3000)
    without = foresee(cut, schedule)
    prior = prior_from([(earlier, Schedule(kind="wsd", total=2000, warmup=100))])
    informed = foresee(cut, schedule, prior=prior)
    true = ended_at(later)
    assert abs(informed.final.value / true - 1) < abs(without.final.value / true - 1)
    assert any("--like" in one for one in without.warnings)
    assert not any("--like" in one for one in informed.warnings)


def test_units_change_nothing() -> None:
    """Tokens for steps, bits for nats: the same share of the run, the same relative answer."""
    schedule = Schedule(kind="cosine", total=10_000.0, warmup=200.0)
    curve = made(schedule).until(5_000.0)
    plain = foresee(curve, schedule)
    scale = 2048.0
    moved = foresee(
        replace(curve, at=curve.at * scale, loss=curve.loss / np.log(2)),
        Schedule(kind="cosine", total=10_000.0 * scale, warmup=200.0 * scale),
    )
    for ours, other in zip(moved.final, plain.final, strict=True):
        assert ours * np.log(2) == pytest.approx(other, rel=1e-6)


def test_spikes_do_not_move_the_outlook() -> None:
    schedule = Schedule(kind="linear", total=10_000.0, warmup=200.0)
    curve = made(schedule).until(6_000.0)
    loss = curve.loss.copy()
    loss[np.arange(20, len(loss), 37)] *= 1.6
    assert foresee(replace(curve, loss=loss), schedule).final.value == pytest.approx(
        foresee(curve, schedule).final.value, rel=0.01
    )


def test_too_little_is_said_plainly() -> None:
    schedule = Schedule(kind="constant", total=10_000.0)
    with pytest.raises(UntrustworthyFit, match="too few"):
        Curve.of([1.0, 2.0, 3.0], [3.0, 2.9, 2.8])
    whole = made(schedule)
    with pytest.raises(UntrustworthyFit, match="nothing is foretold yet"):
        foresee(whole.until(340.0), schedule)
    short = foresee(whole.until(900.0), schedule)
    assert any("short" in one for one in short.warnings)
    noisy = foresee(made(schedule, noise=0.08).until(5_000.0), schedule)
    assert any("noisy" in one for one in noisy.warnings)
    assert noisy.final.high / noisy.final.low > foresee(whole.until(5_000.0), schedule).final.high / whole.loss[-1]
    with pytest.raises(BadInput, match="--total"):
        foresee(whole, replace(schedule, total=5_000.0))


def run(*words: str) -> tuple[int, str]:
    from isoflop.cli import isoflop

    done = CliRunner().invoke(isoflop, ["laws", "running", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def cut(path: Path, rows: int, to: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()[: rows + 1]
    place = to / "part.csv"
    place.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(place)


def test_the_command_reads_its_schedule_from_the_log(tmp_path: Path) -> None:
    part = cut(HERE / "cosine_4000_d64_s2.csv", 260, tmp_path)
    held = json.loads(run(part, "--total", "4000", "--json")[1])
    assert held["schedule"]["kind"] == "cosine"
    assert held["schedule"]["final"] == pytest.approx(0.1)
    true = ended_at(read_curve(HERE / "cosine_4000_d64_s2.csv"))
    assert held["final_loss"]["value"] == pytest.approx(true, rel=0.03)
    text = run(part, "--total", "4000", "--explain")[1]
    assert "will end at" in text
    assert "tissue2024" in text
    assert run(part, "--total", "4000", "--out", str(tmp_path / "a.svg"))[0] == 0
    with pytest.raises(MissingData, match="how long"):
        run(part)


def test_a_trainer_state_is_a_curve(tmp_path: Path) -> None:
    schedule = Schedule(kind="linear", total=2_000.0)
    curve = made(schedule)
    rows = [
        {"step": float(a), "loss": float(v), "learning_rate": 1e-3 * float(r)}
        for a, v, r in zip(curve.at, curve.loss, curve.rate, strict=True)
    ]
    place = tmp_path / "trainer_state.json"
    place.write_text(json.dumps({"log_history": rows[:200], "global_step": 1000}), encoding="utf-8")
    held = json.loads(run(str(place), "--total", "2000", "--json")[1])
    assert held["schedule"]["kind"] == "linear"
    assert held["share"] == pytest.approx(0.5)


def test_evaluations_between_logged_steps_find_their_learning_rate(tmp_path: Path) -> None:
    """Evaluations carry no rate, training rows no evaluation; a few evaluations give way to the training loss."""
    curve = made(Schedule(kind="cosine", total=2_000.0))
    rows: list[dict[str, float]] = []
    for at, loss, rate in zip(curve.at, curve.loss, curve.rate, strict=True):
        rows.append({"step": float(at), "loss": float(loss), "learning_rate": float(rate)})
        if at % 50 == 0:
            rows.append({"step": float(at), "eval_loss": float(loss) + 0.1})
    place = tmp_path / "trainer_state.json"
    place.write_text(json.dumps({"log_history": rows}), encoding="utf-8")
    found = read_curve(place)
    assert found.column == "eval_loss"
    assert len(found.rate) == len(found.at) == 40
    place.write_text(json.dumps({"log_history": [row for row in rows if row["step"] < 400]}), encoding="utf-8")
    assert read_curve(place).column == "loss"


def test_one_run_of_several_is_picked(tmp_path: Path) -> None:
    curve = made(Schedule(kind="constant", total=1_000.0), 100)
    lines = ["run,step,loss"] + [
        f"{name},{a},{v * factor}"
        for name, factor in (("a", 1.0), ("b", 2.0))
        for a, v in zip(curve.at, curve.loss, strict=True)
    ]
    place = tmp_path / "log.csv"
    place.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(BadInput, match="--run: a, b"):
        read_curve(place)
    losses: FloatArray = read_curve(place, run="b").loss
    assert losses == pytest.approx(2.0 * curve.loss)
