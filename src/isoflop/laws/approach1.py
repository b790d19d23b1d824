"""Approach 1: the envelope. At each compute the run with the lowest loss; how its size grows is the exponent.

Only final losses enter. An envelope that touches few sizes, or whose best run is the largest or smallest everywhere,
gives no exponent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import UntrustworthyFit

if TYPE_CHECKING:
    import numpy.typing as npt

    from isoflop.laws.runs import Runs
    from isoflop.quantity import FloatArray

BINS_PER_DECADE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Runs on the lower edge of loss over compute, and params = exp(intercept) * flops ** exponent through them."""

    exponent: float
    intercept: float
    draws: FloatArray
    flops: FloatArray
    params: FloatArray
    loss: FloatArray

    def params_at(self, flops: float) -> float:
        """The best size at this compute."""
        return float(np.exp(self.intercept) * flops**self.exponent)


def envelope(runs: Runs, *, resamples: int = 1000, seed: int = 0) -> Envelope:
    """The envelope of the runs and the growth of the best size along it."""
    runs.need(("params", "tokens", "flops", "loss"))
    kept = runs.where(runs.usable())
    rows = edge(kept.columns["flops"], kept.loss)
    size = kept.columns["params"][rows]
    if len(rows) < 5 or len(np.unique(np.round(np.log(size), 2))) < 3:
        raise UntrustworthyFit(
            f"the envelope of {kept.rows} runs touches {len(rows)} of them, of"
            f" {len(np.unique(np.round(np.log(size), 2)))} sizes; an exponent takes five of three sizes.",
            missing=("more sizes at each compute, so that the best one changes along the way",),
        )
    slope, level = np.polyfit(np.log(kept.columns["flops"][rows]), np.log(size), 1)
    rng = np.random.default_rng(seed)
    draws = [_again(kept, rng) for _ in range(resamples)]
    return Envelope(
        exponent=float(slope),
        intercept=float(level),
        draws=np.array([one for one in draws if np.isfinite(one)]),
        flops=kept.columns["flops"][rows],
        params=size,
        loss=kept.loss[rows],
    )


def edge(flops: FloatArray, loss: FloatArray) -> npt.NDArray[np.int64]:
    """Rows with the lowest loss of their compute and of all below it: one a bin, each lower than the one before."""
    step = np.floor(np.log10(flops) * BINS_PER_DECADE)
    order = np.lexsort((loss, step))
    first = np.ones(len(order), dtype=bool)
    first[1:] = step[order][1:] != step[order][:-1]
    best = order[first]
    falling = loss[best] < np.minimum.accumulate(np.concatenate([[np.inf], loss[best][:-1]]))
    return best[falling].astype(np.int64)


def _again(kept: Runs, rng: np.random.Generator) -> float:
    """The exponent from resampled runs."""
    member = np.unique(kept.groups, return_inverse=True)[1].reshape(-1)
    counts = rng.multinomial(int(member.max()) + 1, np.full(int(member.max()) + 1, 1 / (int(member.max()) + 1)))
    rows = np.flatnonzero(counts[member])
    on = rows[edge(kept.columns["flops"][rows], kept.loss[rows])]
    if len(on) < 3:
        return float("nan")
    return float(np.polyfit(np.log(kept.columns["flops"][on]), np.log(kept.columns["params"][on]), 1)[0])
