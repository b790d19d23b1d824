"""The curve of a run: progress, loss and learning rate of its log, whatever wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, MissingData, UntrustworthyFit
from isoflop.laws.columns import map_columns
from isoflop.laws.table import Table, flat, read_table, table_of
from isoflop.quantity import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from isoflop.laws.columns import Mapped
    from isoflop.laws.runs import BoolArray
    from isoflop.quantity import FloatArray

FEWEST = 12
"""Logged losses below which there is no curve."""

MOST_BYTES = 500_000_000
"""Of a trainer's log."""

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
    place = Path(path)
    log = _trainer_log(place) if place.name.endswith(".json") and place.is_file() else None
    return curve_of(log or read_table(place), columns=columns, run=run)


def _trainer_log(place: Path) -> Table | None:
    """Every logged step of a Hugging Face Trainer, evaluations and training losses alike; None for other JSON."""
    try:
        held = json.loads(read_text(place, most_bytes=MOST_BYTES))
    except (json.JSONDecodeError, RecursionError):
        return None  # the reader of tables says what is wrong with it
    if not isinstance(held, dict) or not isinstance(held.get("log_history"), list):
        return None
    return table_of((flat(row) for row in held["log_history"] if isinstance(row, dict)), place, "trainer_state.json")


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

    def values(column: str, scale: float = 1.0) -> FloatArray:
        held = table.columns[column]
        if not isinstance(held, np.ndarray):
            raise BadInput(f"column '{column}' holds no numbers; name another with --column")
        return np.asarray(held[rows] * scale)

    at = values(mapped[measure].column, mapped[measure].scale)
    rate = values(mapped["learning_rate"].column) if "learning_rate" in mapped else np.array([])
    column, others = _fullest(table, mapped["loss"], rows)
    held = _cleaned(
        at, values(column, mapped["loss"].scale if column == mapped["loss"].column else 1.0), rate, table.source
    )
    return Curve(
        **held,
        measure="steps" if measure == "step" else "tokens",
        column=column,
        source=table.source,
        notes=(f"loss is '{column}', not {', '.join(others[:3])}",) if others else (),
    )


def _fullest(table: Table, loss: Mapped, rows: BoolArray) -> tuple[str, tuple[str, ...]]:
    """The column of losses that goes first by its name, and the others; one with too few gives way to the next."""
    names = (loss.column, *loss.instead_of)

    def count(name: str) -> int:
        held = table.columns[name]
        return int(np.isfinite(held[rows]).sum()) if isinstance(held, np.ndarray) else 0

    chosen = next((name for name in names if count(name) >= FEWEST), loss.column)
    return chosen, tuple(name for name in names if name != chosen)


def _rows(table: Table, column: str, run: str) -> BoolArray:
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
    known = np.isfinite(rate) & np.isfinite(at) if len(rate) == len(at) else np.zeros(len(at), dtype=bool)
    has_rate = bool(known.any())
    if has_rate:
        order = np.argsort(at[known], kind="stable")
        rate = np.interp(at, at[known][order], rate[known][order])
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
