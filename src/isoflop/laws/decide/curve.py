"""The curve of a run: progress, loss and learning rate of its log, whatever wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, MissingData, UntrustworthyFit
from isoflop.laws.columns import map_columns
from isoflop.laws.table import Table, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from isoflop.quantity import FloatArray

FEWEST = 12
"""Logged losses below which there is no curve."""

_NO_COLUMNS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Losses over progress `at` (steps, or tokens), rising; `rate` is the logged learning rate, empty where none is.

    `measure` says what progress is in, `column` which loss was taken, `tokens_each` tokens a step where both are there.
    """

    at: FloatArray
    loss: FloatArray
    rate: FloatArray
    measure: str
    column: str
    source: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        at: Sequence[float] | FloatArray,
        loss: Sequence[float] | FloatArray,
        rate: Sequence[float] | FloatArray = (),
    ) -> Self:
        """A curve from arrays: steps, losses, and learning rates where they were logged."""
        held = [np.asarray(one, dtype=np.float64) for one in (at, loss, rate)]
        cleaned = _cleaned(held[0], held[1], held[2], "arrays")
        return cls(
            at=cleaned["at"],
            loss=cleaned["loss"],
            rate=cleaned["rate"],
            measure="steps",
            column="loss",
            source="arrays",
        )

    @property
    def end(self) -> float:
        """How far the run has come."""
        return float(self.at[-1])

    def until(self, at: float) -> Curve:
        """The curve as it was then."""
        held = self.at <= at
        rate = self.rate[held] if len(self.rate) else self.rate
        return Curve(
            at=self.at[held], loss=self.loss[held], rate=rate, measure=self.measure, column=self.column,
            source=self.source, notes=self.notes,
        )  # fmt: skip


def read_curve(path: str | Path, *, columns: Mapping[str, str] = _NO_COLUMNS, run: str = "") -> Curve:
    """The curve in a log: any file or folder that `read_table` takes, of one run; `run` picks one of several.

    Progress is the step, else tokens. Losses named for validation go before others; a training loss needs no more than
    its noise allows.
    """
    return curve_of(read_table(path), columns=columns, run=run)


def curve_of(table: Table, *, columns: Mapping[str, str] = _NO_COLUMNS, run: str = "") -> Curve:
    """The curve in a table; as `read_curve`."""
    mapped = {one.quantity: one for one in map_columns(tuple(table.columns), columns)}
    measure = next((name for name in ("step", "tokens") if name in mapped), None)
    if measure is None or "loss" not in mapped:
        there = ", ".join(list(table.columns)[:20])
        lacking = "loss" if measure else "step or tokens"
        raise MissingData(
            f"no {lacking} in {table.source}: it has {there}; say which with --column loss=NAME, step=NAME"
        )
    rows = _rows(table, mapped["run"].column if "run" in mapped else "", run)

    def values(name: str) -> FloatArray:
        held = table.columns[mapped[name].column]
        if not isinstance(held, np.ndarray):
            raise BadInput(f"column '{mapped[name].column}' is taken as {name} and is no number; name another")
        return np.asarray(held[rows] * mapped[name].scale)

    rate = values("learning_rate") if "learning_rate" in mapped else np.array([])
    held = _cleaned(values(measure), values("loss"), rate, table.source)
    notes = (
        [f"loss is '{mapped['loss'].column}', not {', '.join(mapped['loss'].instead_of[:3])}"]
        if mapped["loss"].instead_of
        else []
    )
    return Curve(
        at=held["at"],
        loss=held["loss"],
        rate=held["rate"],
        measure="steps" if measure == "step" else "tokens",
        column=mapped["loss"].column,
        source=table.source,
        notes=tuple(notes),
    )


def _rows(table: Table, column: str, run: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Rows of the one run."""
    if not column:
        return np.ones(table.rows, dtype=bool)
    names = np.array([str(value) for value in table.columns[column]])
    known = list(dict.fromkeys(names.tolist()))
    if run and run not in known:
        raise BadInput(f"no run '{run}'; there are {', '.join(known[:10])}")
    if not run and len(known) > 1:
        raise BadInput(f"{len(known)} runs in one table; pick one with --run: {', '.join(known[:10])}")
    return np.asarray(names == (run or known[0]))


def _cleaned(at: FloatArray, loss: FloatArray, rate: FloatArray, source: str) -> dict[str, FloatArray]:
    """Finite positive losses in order of progress, of a step that was logged twice the last."""
    good = np.isfinite(at) & np.isfinite(loss) & (loss > 0) & (at > 0)
    has_rate = len(rate) == len(at) and bool(np.isfinite(rate[good]).any()) if len(rate) else False
    if has_rate:
        known = np.isfinite(rate)
        rate = np.interp(at, at[known], rate[known]) if known.sum() > 1 else np.full(len(at), rate[known][0])
    at, loss = at[good], loss[good]
    rate = rate[good] if has_rate else np.array([])
    order = np.argsort(at, kind="stable")
    last = np.append(np.diff(at[order]) > 0, True) if len(order) else np.array([], dtype=bool)
    rows = order[last]
    if len(rows) < FEWEST:
        raise UntrustworthyFit(
            f"{len(rows)} logged losses in {source}: too few to tell where a run goes.",
            missing=(f"at least {FEWEST} losses along the run",),
        )
    if has_rate and not (rate[rows] > 0).any():
        has_rate = False
    return {"at": at[rows], "loss": loss[rows], "rate": rate[rows] if has_rate else np.array([])}
