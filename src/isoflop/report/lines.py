"""One figure of several things. By itself, so that help texts of commands that compare load nothing."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose, isfinite, isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isoflop.report.table import Cell

SAME = 1e-9
"""Figures nearer than this, relative to each other, are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure of all things: `cells` for scripts, in the base `unit`, and `texts` for people."""

    name: str
    title: str
    unit: str
    cells: tuple[Cell, ...]
    texts: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing has this figure."""
        return all(cell is None or cell == "" for cell in self.cells)

    @property
    def is_same(self) -> bool:
        """Whether all things have it alike."""
        first = self.cells[0]
        return all(_alike(first, cell) for cell in self.cells)

    @property
    def ratios(self) -> tuple[float | None, ...]:
        """Each over the first; None where either is no positive number."""
        return tuple(_ratio(cell, self.cells[0]) for cell in self.cells)


def _alike(first: Cell, other: Cell) -> bool:
    if isinstance(first, float) and isinstance(other, float):
        return isclose(first, other, rel_tol=SAME) or (isnan(first) and isnan(other))
    return (first or None) == (other or None)


def _ratio(cell: Cell, first: Cell) -> float | None:
    if not (isinstance(cell, float) and isinstance(first, float) and cell > 0.0 and first > 0.0):
        return None
    ratio = cell / first
    return ratio if isfinite(ratio) else None
