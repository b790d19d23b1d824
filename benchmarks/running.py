"""Where runs under way end, foreseen at each tenth of real curves: errors, intervals, and how often these hold.

    OPENBLAS_NUM_THREADS=1 python benchmarks/running.py            the curves of the tests
    OPENBLAS_NUM_THREADS=1 python benchmarks/running.py FOLDER     CSV files by schedule: cosine_a.csv, wsd_b.csv

Each curve is cut and its end foreseen from what stands before the cut, from the training loss and from the validation
loss. Beside it: the same law of progress without a schedule, and the loss as it stands at the cut.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import IsoflopError
from isoflop.laws import Curve, Schedule, foresee, read_curve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.laws.decide.schedule import Kind

FOLDER = Path(__file__).parent.parent / "tests" / "laws" / "curves"
LOSSES = ("val_loss", "train_loss")
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
WARMUP = 100.0
COSINE_END = 0.1
FEWEST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One curve at one cut: relative errors, the half-width, and whether the interval held the end."""

    kind: str
    loss: str
    share: float
    error: float
    unscheduled: float
    still: float
    width: float
    held: bool


def ended_at(curve: Curve) -> float:
    """The mean loss of the last fiftieth of a run."""
    tail = curve.at > 0.98 * curve.end
    rows = tail if tail.sum() >= FEWEST else curve.at >= curve.at[-FEWEST]
    return float(np.exp(np.log(curve.loss[rows]).mean()))


def cuts(path: Path, loss: str) -> tuple[list[Cut], int]:
    """Every cut of a curve, and how many were refused as too short."""
    curve = read_curve(path, columns={"loss": loss})
    kind: Kind = path.name.split("_")[0]  # type: ignore[assignment]  # the first word of the name is one
    schedule = Schedule(kind=kind, total=curve.end, warmup=WARMUP, final=COSINE_END if kind == "cosine" else 0.0)
    true, found, refused = ended_at(curve), [], 0
    for share in SHARES:
        part = curve.until(share * curve.end)
        try:
            one, plain = foresee(part, schedule), foresee(part, replace(schedule, kind="constant"), calibrate=False)
        except IsoflopError:
            refused += 1
            continue
        found.append(
            Cut(
                kind=kind,
                loss=loss,
                share=share,
                error=abs(one.final.value / true - 1.0),
                unscheduled=abs(plain.final.value / true - 1.0),
                still=abs(one.now / true - 1.0),
                width=float(np.sqrt(one.final.high / one.final.low) - 1.0),
                held=one.final.low <= true <= one.final.high,
            )
        )
    return found, refused


def row(name: str, some: Sequence[Cut]) -> None:
    """One line of the table."""
    if not some:
        return
    errors, plain, still, widths = (
        float(np.median([getattr(one, key) for one in some])) for key in ("error", "unscheduled", "still", "width")
    )
    held = sum(one.held for one in some) / len(some)
    print(f"{name:<16} {len(some):4} {errors:8.2%} {plain:12.2%} {still:10.2%} {widths:9.2%} {held:7.0%}")


def main(folder: Path) -> None:
    """Print the table over all curves of a folder."""
    every: list[Cut] = []
    refused = 0
    paths = sorted(folder.glob("*.csv"))
    for path in paths:
        for loss in LOSSES:
            found, short = cuts(path, loss)
            every += found
            refused += short
    print(f"{len(paths)} curves, {len(LOSSES)} losses each; {refused} cuts refused as too short; medians")
    print(f"{'':<16} cuts    error  no schedule  as it is  interval    held")
    row("all", every)
    for share in SHARES:
        row(f"at {share:.0%}", [one for one in every if one.share == share])
    for kind in dict.fromkeys(one.kind for one in every):
        row(kind, [one for one in every if one.kind == kind])
    for loss in LOSSES:
        row(loss, [one for one in every if one.loss == loss])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
