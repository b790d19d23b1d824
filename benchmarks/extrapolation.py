"""Extrapolation by replay: public studies cut in many ways, the cheap part fitted, the dear part predicted.

    python benchmarks/extrapolation.py                     every cut, a line each, and the means
    python benchmarks/extrapolation.py --studies FOLDER    also the tables of this folder (lr_bsz.csv)
    python benchmarks/extrapolation.py --out FILE          also one JSON object

Cuts marked "apart" were not looked at while the way of weighing forms was chosen: cuts by size, by data and by tokens
per parameter of every study, and all of moe, lr_bsz, step_best and single_epoch. Cuts by compute of chinchilla_dots,
farseer, gemstones and data_constrained, whole and thinned, were.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import UntrustworthyFit
from isoflop.laws import Options, Runs, read_runs
from isoflop.laws.choose.backtest import Backtest, held_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from isoflop.laws.runs import BoolArray

RUNS = Path(__file__).parent.parent / "tests" / "laws" / "runs"
TABLES = ("chinchilla_dots", "farseer", "gemstones", "data_constrained", "moe", "lr_bsz")
BOOTSTRAP = 200
LEVEL = 0.8
FAR = 1.02
"""Rows within 2 % of a cut are on neither side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One cut of one study; `apart` where it was kept apart while developing."""

    study: str
    cut: str
    runs: Runs
    low: BoolArray
    high: BoolArray
    by: str
    at: float
    apart: bool


def studies(folders: Sequence[Path]) -> dict[str, Runs]:
    """The tables, and two that are parts of them: the best run of each size and data, the runs without repeats."""
    found = {}
    for name in TABLES:
        path = next((folder / f"{name}.csv" for folder in folders if (folder / f"{name}.csv").exists()), None)
        if path is not None:
            runs = read_runs(path)
            found[name] = runs.where(runs.usable(tuple(key for key in ("params", "tokens") if key in runs.columns)))
    once = found["data_constrained"]
    found["single_epoch"] = once.where(once.columns["tokens"] <= 1.01 * once.columns["unique_tokens"])
    if "lr_bsz" in found:
        found["step_best"] = found["lr_bsz"].where(_best_of_cells(found["lr_bsz"]))
    return found


def _best_of_cells(runs: Runs) -> BoolArray:
    places = np.round(np.log(np.stack([runs.columns["params"], runs.columns["tokens"]], axis=1)), 3)
    cell = np.unique(places, axis=0, return_inverse=True)[1].reshape(-1)
    best = np.zeros(runs.rows, dtype=bool)
    for one in range(int(cell.max()) + 1):
        rows = np.flatnonzero(cell == one)
        best[rows[np.argmin(runs.loss[rows])]] = True
    return best


def replays(tables: dict[str, Runs]) -> Iterator[Replay]:
    """Every cut of every study."""
    for name, runs in tables.items():
        seen = name in {"chinchilla_dots", "farseer", "gemstones", "data_constrained"}
        yield from _by_compute(name, runs, seen=seen)
        for by in ("params", "tokens", "tokens_per_param", "experts"):
            if by in runs.columns and (by != "params" or name != "moe"):
                yield from _at(name, runs, by, (0.6, 0.8), apart=True)


def _by_compute(name: str, runs: Runs, *, seen: bool) -> Iterator[Replay]:
    by = "flops" if "flops" in runs.columns else "params"
    shares = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9) if runs.rows > 60 else (0.5, 0.6, 0.7, 0.8)
    yield from _at(name, runs, by, shares, apart=not seen)
    if runs.rows > 60 and by == "flops":
        low = runs.columns[by] <= np.quantile(runs.columns[by], 0.5)
        far = runs.columns[by] > np.quantile(runs.columns[by], 0.85)
        yield Replay(
            study=name, cut="flops 0.5, the top 0.15", runs=runs, low=low, high=far, by=by,
            at=float(np.quantile(runs.columns[by], 0.5)), apart=not seen,
        )  # fmt: skip
    if seen:
        for seed in range(3):
            yield from _thinned(name, runs, seed)


def _at(name: str, runs: Runs, by: str, shares: Sequence[float], *, apart: bool) -> Iterator[Replay]:
    values = runs.columns[by]
    for share in shares:
        at = float(np.quantile(values, share))
        low, high = values <= at, values > at * FAR
        if low.sum() >= 6 and high.any():
            yield Replay(study=name, cut=f"{by} {share}", runs=runs, low=low, high=high, by=by, at=at, apart=apart)


def _thinned(name: str, runs: Runs, seed: int) -> Iterator[Replay]:
    """A quarter of the cheaper runs (of the checkpointed ones, 60 %), drawn by run."""
    rng = np.random.default_rng(seed)
    for share in (0.6, 0.8):
        at = float(np.quantile(runs.columns["flops"], share))
        low = runs.columns["flops"] <= at
        groups = np.unique(runs.groups[low])
        part = 0.6 if len(groups) < 60 else 0.25
        drawn = rng.choice(groups, max(6, int(len(groups) * part)), replace=False)
        yield Replay(
            study=name, cut=f"flops {share}, thinned {seed}", runs=runs, low=low & np.isin(runs.groups, drawn),
            high=runs.columns["flops"] > at * FAR, by="flops", at=at, apart=False,
        )  # fmt: skip


def line(replay: Replay, found: Backtest) -> dict[str, object]:
    """What one replay gave, errors in per cent."""
    auto, best, base = found.of("auto"), found.best_form, found.of("chinchilla") or found.of("power-params")
    assert auto is not None
    assert best is not None
    assert base is not None
    return {
        "study": replay.study, "cut": replay.cut, "apart": replay.apart, "fitted": found.fitted,
        "predicted": found.predicted, "decades": found.decades, "baseline": 100 * base.error,
        "auto": 100 * auto.error, "best": 100 * best.error, "best_form": best.name, "covered": auto.covered,
        "width": 100 * (auto.width or 0.0), "drift": found.fit.doubt.drift,
        "weights": {one.form: round(one.weight, 2) for one in found.fit.tried if one.weight > 0.05},
        "forms": {one.name: 100 * one.error for one in found.held if one.kind != "auto"},
    }  # fmt: skip


def summary(rows: Sequence[dict[str, object]]) -> dict[str, float]:
    """Geometric means over studies of the geometric means over their cuts; points covered, each cut counting alike."""

    def mean(key: str) -> float:
        by_study: dict[str, list[float]] = {}
        for one in rows:
            by_study.setdefault(str(one["study"]), []).append(float(np.log(max(float(str(one[key])), 1e-6))))
        return float(np.exp(np.mean([np.mean(values) for values in by_study.values()])))

    return {
        **{key: mean(key) for key in ("baseline", "auto", "best")},
        "covered": float(np.mean([float(str(one["covered"])) for one in rows])),
        "width": float(np.median([float(str(one["width"])) for one in rows])),
        "cuts": len(rows),
    }


def main() -> None:
    """Every replay, then the means."""
    words = sys.argv[1:]
    folders = [RUNS]
    if "--studies" in words:
        folders.append(Path(words[words.index("--studies") + 1]))
    only = words[words.index("--only") + 1].split(",") if "--only" in words else []
    rows = []
    for replay in replays(studies(folders)):
        if only and replay.study not in only:
            continue
        try:
            options = Options(bootstrap=BOOTSTRAP)
            found = held_out(
                replay.runs, replay.low, replay.high, cut=(replay.by, replay.at), level=LEVEL, options=options
            )
        except UntrustworthyFit as error:
            print(f"{replay.study} {replay.cut}: refused: {error}", file=sys.stderr)
            continue
        row = line(replay, found)
        rows.append(row)
        print(
            f"{'apart' if replay.apart else '':5} {replay.study:<16} {replay.cut:<24} {row['fitted']:>5}"
            f" {row['predicted']:>5}  chinchilla {row['baseline']:6.2f}  auto {row['auto']:6.2f}  best"
            f" {row['best']:6.2f} {row['best_form']:<16} covered {row['covered']:4.0%} width {row['width']:6.2f}",
            flush=True,
        )
    means = {
        part: summary([one for one in rows if part == "all" or one["apart"] == (part == "apart")])
        for part in ("developed on", "apart", "all")
    }
    if "--out" in words:
        Path(words[words.index("--out") + 1]).write_text(
            json.dumps({"replays": rows, "means": means}), encoding="utf-8"
        )
    for part, one in means.items():
        print(
            f"{part:<13} {one['cuts']:.0f} cuts: chinchilla {one['baseline']:.2f} %, auto {one['auto']:.2f} %, best"
            f" form, known afterwards, {one['best']:.2f} %; {one['covered']:.0%} inside the 80 % interval, width"
            f" {one['width']:.1f} %"
        )


if __name__ == "__main__":
    main()
