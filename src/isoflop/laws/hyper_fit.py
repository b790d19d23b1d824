"""The law of learning rate and batch from a grid of runs: one bowl whose bottom moves with size and data.

ln(loss) within a cell of equal params and tokens is a parabola in ln(rate) and ln(batch), with one curvature for all
cells and a bottom that moves as powers of params and tokens. That is linear in its constants once each cell has a level
of its own, so there is nothing to start from and no other minimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import UntrustworthyFit
from isoflop.laws.hyper import HyperParameters, Powers
from isoflop.laws.interface import Convention

if TYPE_CHECKING:
    import numpy.typing as npt

    from isoflop.laws.runs import Runs
    from isoflop.quantity import FloatArray

WITHIN = 0.005
"""Runs this much above the best of their cell are near enough to its bottom for a parabola."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperFit:
    """The law, its exponents with draws (rate by params and tokens, batch by them), curvatures, and what it used."""

    law: HyperParameters
    draws: FloatArray
    rate_curvature: float
    batch_curvature: float
    cells: int
    rows: int


def fit_hyper(runs: Runs, *, within: float = WITHIN, resamples: int = 1000, seed: int = 0) -> HyperFit:
    """Learning rate and batch as powers of params and tokens; whole cells are resampled for the draws."""
    names = ("params", "tokens", "learning_rate", "batch_tokens")
    runs.need((*names, "loss"))
    kept = runs.where(runs.usable(names))
    places = np.stack([kept.columns["params"], kept.columns["tokens"]], axis=1)
    cell = np.unique(places, axis=0, return_inverse=True)[1].reshape(-1)
    best = np.full(int(cell.max(initial=0)) + 1, np.inf)
    np.minimum.at(best, cell, kept.loss)
    near = kept.loss <= best[cell] * (1.0 + within)
    kept, cell = kept.where(near), np.unique(cell[near], return_inverse=True)[1].reshape(-1)
    held = np.bincount(cell)
    if (held >= 4).sum() < 6:
        raise UntrustworthyFit(
            f"{int((held >= 4).sum())} pairs of params and tokens have four runs within {within:.1%} of their best.",
            missing=("grids of learning rate and batch at six sizes and amounts of data",),
        )
    logs = {name: np.log(kept.columns[name]) for name in names}
    target = np.log(kept.loss)
    point, curvature = _bottom(logs, target, cell, np.ones(len(held)))
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(held), np.full(len(held), 1.0 / len(held)), size=resamples).astype(float)
    drawn = np.array([_bottom(logs, target, cell, one)[0] for one in weights]).reshape(-1, 6)
    whole = np.isfinite(drawn).all(axis=1)
    if not np.isfinite(point).all() or (~whole).sum() > 0.05 * resamples:
        raise UntrustworthyFit(
            "the losses near the best of each size do not rise on both sides of one learning rate and batch.",
            missing=("runs at rates and batches below and above the best of each size",),
        )
    law = HyperParameters(
        learning_rate=Powers(coefficient=float(np.exp(point[0])), params=float(point[1]), tokens=float(point[2])),
        batch_tokens=Powers(coefficient=float(np.exp(point[3])), params=float(point[4]), tokens=float(point[5])),
        convention=Convention(params=runs.counts),
    )
    return HyperFit(
        law=law,
        draws=drawn[whole][:, [1, 2, 4, 5]],
        rate_curvature=float(curvature[0]),
        batch_curvature=float(curvature[1]),
        cells=len(held),
        rows=kept.rows,
    )


def _bottom(
    logs: dict[str, FloatArray], target: FloatArray, cell: npt.NDArray[np.int64], weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Constants of the bottom (rate: level, params, tokens; batch the same; NaN where none is), and curvatures."""
    middle = {name: float(values.mean()) for name, values in logs.items()}
    size, data, rate, batch = (logs[name] - middle[name] for name in logs)
    features = [0.5 * rate**2, rate * batch, 0.5 * batch**2, rate, rate * size, rate * data]
    features += [batch, batch * size, batch * data]
    root = np.sqrt(weights[cell])[:, None]
    design = _within(np.stack(features, axis=1), cell)
    found = np.linalg.lstsq(design * root, _within(target[:, None], cell) * root, rcond=None)[0][:, 0]
    bend = np.array([[found[0], found[1]], [found[1], found[2]]])
    flat, steep = np.linalg.eigvalsh(bend)
    if flat <= 1e-9 * abs(steep):
        return np.full(6, np.nan), np.array([found[0], found[2]])
    moves = -np.linalg.solve(bend, found[3:].reshape(2, 3))
    levels = np.array([middle["learning_rate"], middle["batch_tokens"]]) + moves[:, 0]
    levels -= moves[:, 1:] @ np.array([middle["params"], middle["tokens"]])
    return np.column_stack([levels, moves[:, 1:]]).ravel(), np.array([found[0], found[2]])


def _within(values: FloatArray, cell: npt.NDArray[np.int64]) -> FloatArray:
    """Values less the mean of their cell."""
    total = np.zeros((int(cell.max()) + 1, values.shape[1]))
    np.add.at(total, cell, values)
    return values - (total / np.bincount(cell)[:, None])[cell]
