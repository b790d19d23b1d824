"""Grids of learning rate and batch: runs of equal params and tokens as cells, and which of them hold their best."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import UntrustworthyFit
from isoflop.laws.result import Origin
from isoflop.quantity import quantity, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from isoflop.laws.runs import Runs
    from isoflop.quantity import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Runs near the best of their cell: logarithms by name (params, tokens, learning_rate, batch), ln(loss), cell.

    `grid` holds all runs of the cells that count, for judging the law against runs that were made; `left_out` names the
    cells whose best run lies at an edge of what was tried.
    """

    logs: Mapping[str, FloatArray]
    target: FloatArray
    cell: npt.NDArray[np.int64]
    count: int
    near: float
    grid: Mapping[str, FloatArray]
    grid_cell: npt.NDArray[np.int64]
    left_out: tuple[str, ...]
    origin: Origin


def within(values: FloatArray, cell: npt.NDArray[np.int64]) -> FloatArray:
    """Values less the mean of their cell."""
    total = np.zeros((int(cell.max()) + 1, values.shape[1]))
    np.add.at(total, cell, values)
    return values - (total / np.maximum(np.bincount(cell), 1)[:, None])[cell]


def cells_of(runs: Runs, batch: str, near: float) -> Cells:
    """The cells of a study whose best run is inside, and their runs within `near` of that best."""
    names = ("params", "tokens", "learning_rate", batch)
    runs.need((*names, "loss"))
    kept = runs.where(runs.usable(names))
    if not kept.rows:
        counted = "; ".join(f"{count} with {reason}" for reason, count in runs.flagged.items())
        raise UntrustworthyFit(f"none of the {runs.rows} rows can be used: {counted}.", missing=("runs with a loss",))
    places = np.stack([kept.columns["params"], kept.columns["tokens"]], axis=1)
    cell = np.unique(places, axis=0, return_inverse=True)[1].reshape(-1)
    grid = {name: kept.columns[name] for name in (*names[:3], "loss")} | {"batch": kept.columns[batch]}
    said = [_unbracketed(grid, cell == one, batch) for one in range(int(cell.max()) + 1)]
    inside = np.array([not one for one in said])[cell]
    grid = {name: values[inside] for name, values in grid.items()}
    cell = np.unique(cell[inside], return_inverse=True)[1].reshape(-1)
    count = int(cell.max(initial=-1)) + 1
    best = np.full(count, np.inf)
    np.minimum.at(best, cell, grid["loss"])
    close = grid["loss"] <= best[cell] * (1.0 + near)
    return Cells(
        logs={name: np.log(grid[name][close]) for name in (*names[:3], "batch")},
        target=np.log(grid["loss"][close]),
        cell=cell[close],
        count=count,
        near=near,
        grid=MappingProxyType(grid),
        grid_cell=cell,
        left_out=tuple(one for one in said if one),
        origin=_origin(runs, kept, names),
    )


def _unbracketed(grid: Mapping[str, FloatArray], rows: npt.NDArray[np.bool_], batch: str) -> str:
    """Which runs a cell lacks on a side of its best; nothing where the best is inside."""
    best = int(np.flatnonzero(rows)[np.argmin(grid["loss"][rows])])
    lacking = []
    for name, plural in (("learning_rate", "rates"), ("batch", "batches")):
        tried, at = grid[name][rows], grid[name][best]
        words = f"{at:.3g}" if name == "learning_rate" else f"{at:,.0f} {batch.removeprefix('batch_')}"
        if at <= tried.min():
            lacking.append(f"{plural} below {words}")
        if at >= tried.max():
            lacking.append(f"{plural} above {words}")
    if not lacking:
        return ""
    at = f"{write(float(grid['params'][best]), quantity('params'))} parameters"
    data = f"{write(float(grid['tokens'][best]), quantity('tokens'))} tokens"
    return f"at {at} and {data} runs with {' and '.join(lacking)}"


def _origin(runs: Runs, kept: Runs, names: tuple[str, ...]) -> Origin:
    usable = runs.usable(names)
    return Origin(
        source=runs.source,
        fingerprint=kept.fingerprint,
        rows=runs.rows,
        used=kept.rows,
        groups=len(np.unique(kept.groups)),
        flagged=MappingProxyType(
            {reason: count for reason, count in runs.flagged.items() if not usable[runs.flags[reason]].any()}
        ),
        mapping=tuple((one.quantity, one.column, one.how) for one in runs.mapping),
        guesses=runs.guesses,
        notes=runs.notes,
        ranges=MappingProxyType(
            {
                name: (float(kept.columns[name].min()), float(kept.columns[name].max()))
                for name in (*names, "flops")
                if name in kept.columns
            }
        ),
        counts=runs.counts,
    )
