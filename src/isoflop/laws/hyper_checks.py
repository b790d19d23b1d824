"""What a law of learning rate and batch is held against: its grids, its certificate, and the runs that were made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from isoflop.laws.checks import Check, judged

if TYPE_CHECKING:
    from isoflop.laws.hyper_cells import Cells
    from isoflop.laws.hyper_fit import HyperFit


def checked(fit: HyperFit, held: Cells) -> HyperFit:
    """The fit with its checks."""
    return replace(
        fit,
        checks=(_rows(fit), _optimiser(fit), _bracketing(fit), _identifiability(fit), _misfit(fit, held), _grid(held)),
    )


def _rows(fit: HyperFit) -> Check:
    counted = "; ".join(f"{count} {reason}" for reason, count in fit.origin.flagged.items())
    return Check(
        name="rows",
        status="warn" if counted else "pass",
        number=float(fit.origin.rows - fit.origin.used),
        says=f"{fit.rows} runs near the best of {fit.cells} pairs of params and tokens, of {fit.origin.used} usable in"
        f" {fit.origin.rows}{f'; left out: {counted}' if counted else ''}",
        remedy="see why those rows cannot be used" if counted else "",
    )


def _optimiser(fit: HyperFit) -> Check:
    proof = fit.certificate
    fine = proof.gradient < 1e-9 and proof.rank == proof.unknowns
    return Check(
        name="1 optimiser",
        status="pass" if fine else "warn",
        number=proof.gradient,
        says=f"linear least squares, one minimum: {proof.rank} of {proof.unknowns} determined, gradient"
        f" {proof.gradient:.1e}, condition {proof.condition:.3g}; the bowl bends by {proof.flat:.2g} and"
        f" {proof.steep:.2g} along its axes",
        remedy="" if fine else "vary rate, batch, params and tokens apart from one another",
    )


def _bracketing(fit: HyperFit) -> Check:
    cells = fit.cells + len(fit.left_out)
    share = fit.bottomless / max(fit.resamples, 1)
    left = f"; not {'; '.join(fit.left_out[:3])}" if fit.left_out else ""
    more = f" and {len(fit.left_out) - 3} more" if len(fit.left_out) > 3 else ""
    return Check(
        name="8 bracketing",
        status="warn" if fit.left_out or fit.bottomless else "pass",
        number=len(fit.left_out) / cells,
        says=f"{fit.cells} of {cells} grids have their best run inside{left}{more}; {fit.bottomless} of"
        f" {fit.resamples:,} resamples ({share:.1%}) have no bottom and give no draw",
        remedy="make the runs that are named" if fit.left_out else "",
    )


def _identifiability(fit: HyperFit) -> Check:
    errors = fit.draws.std(axis=0)[[1, 2, 4, 5]] if len(fit.draws) > 1 else np.zeros(4)
    spans = [np.log10(high / low) for low, high in (fit.origin.ranges[name] for name in ("params", "tokens"))]
    worst = float(errors.max())
    return Check(
        name="10 identifiability",
        status=judged(worst, 0.1, 0.3),
        number=worst,
        says=f"the least certain exponent is known to {worst:.2g}; decades covered: params {spans[0]:.1f}, tokens"
        f" {spans[1]:.1f}",
        remedy="wider ranges of params and tokens" if worst >= 0.1 else "",
    )


def penalties(fit: HyperFit, held: Cells) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """What the made run nearest to the law loses to the best run of its cell, as shares of the loss."""
    grid = held.grid
    size, data = np.log(grid["params"]), np.log(grid["tokens"])
    x = np.log(grid["learning_rate"]) - (fit.at[0] + fit.at[1] * size + fit.at[2] * data)
    y = np.log(grid["batch"]) - (fit.at[3] + fit.at[4] * size + fit.at[5] * data)
    found = []
    for cell in range(held.count):
        rows = held.grid_cell == cell
        nearest = np.argmin(x[rows] ** 2 + y[rows] ** 2)
        found.append(grid["loss"][rows][nearest] / grid["loss"][rows].min() - 1.0)
    return np.array(found)


def _misfit(fit: HyperFit, held: Cells) -> Check:
    lost = penalties(fit, held)
    wide = fit.breadth
    return Check(
        name="12 misfit",
        status=judged(float(lost.mean()), 0.003, 0.01),
        number=float(lost.mean()),
        says=f"the run nearest to the law loses {lost.mean():.2%} to the best of its grid on average, {lost.max():.2%}"
        f" at most; a factor of {wide[0]:.2g} in rate or {wide[1]:.2g} in batch costs 0.1 %",
        remedy="powers of params and tokens do not follow these grids" if lost.mean() >= 0.003 else "",
    )


def _grid(held: Cells) -> Check:
    steps = []
    for name in ("learning_rate", "batch"):
        for cell in range(held.count):
            tried = np.unique(np.round(np.log(held.grid[name][held.grid_cell == cell]), 4))
            steps.append(float(np.median(np.diff(tried))) if len(tried) > 1 else 0.0)
    step = float(np.exp(np.median(steps)))
    return Check(
        name="15 best of grid",
        status="pass",
        number=step,
        says=f"bottoms of a bowl, not the best points of grids whose steps are factors of {step:.2g}",
    )
