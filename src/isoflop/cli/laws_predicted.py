"""What `isoflop laws predict` does: a table with predictions beside its columns, and how they met what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import numpy as np

from isoflop.cli.knowns import print_table
from isoflop.errors import MissingData

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from isoflop.laws.table import Table
    from isoflop.quantity import FloatArray
    from isoflop.report import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A table with predictions beside its columns."""

    table: Table
    target: str
    middle: FloatArray
    low: FloatArray
    high: FloatArray
    seen: FloatArray | None

    @property
    def lacking(self) -> int:
        """Rows without a prediction."""
        return int((~np.isfinite(self.middle)).sum())

    def _columns(self) -> dict[str, Sequence[object]]:
        added = {
            f"{self.target}_predicted": self.middle.tolist(),
            f"{self.target}_low": self.low.tolist(),
            f"{self.target}_high": self.high.tolist(),
        }
        kept: dict[str, Sequence[object]] = {
            name: values.tolist() if isinstance(values, np.ndarray) else values
            for name, values in self.table.columns.items()
            if name not in added
        }
        return {**kept, **added}

    def csv(self) -> str:
        """All columns; a number that is not there is left empty."""
        import csv
        from io import StringIO

        written = StringIO()
        writer = csv.writer(written, lineterminator="\n")
        columns = self._columns()
        writer.writerow(columns)
        writer.writerows([_cell(cell) for cell in row] for row in zip(*columns.values(), strict=True))
        return written.getvalue()

    def show(self, form: str) -> None:
        """The table on stdout."""
        columns = self._columns()
        rows = [[_shown(cell) for cell in row] for row in zip(*columns.values(), strict=True)]
        print_table(tuple(columns), rows, form)

    def score(self, level: float) -> None:
        """On stderr, how predictions met what was measured, where something was."""
        if self.seen is None:
            return
        both = np.isfinite(self.middle) & np.isfinite(self.seen) & (self.seen > 0)
        if not both.any():
            return
        off = np.abs(self.middle[both] / self.seen[both] - 1.0)
        inside = (
            np.nan
            if not np.isfinite(self.low).any()
            else ((self.low <= self.seen) & (self.seen <= self.high))[both].mean()
        )
        said = f"{int(both.sum())} measured: median error {np.median(off):.2%}, largest {off.max():.2%}"
        covered = f"; {inside:.0%} in the {level:.0%} interval" if np.isfinite(inside) else ""
        click.echo(said + covered, err=True)


def _cell(cell: object) -> object:
    if isinstance(cell, float):
        return "" if not np.isfinite(cell) else f"{cell:.15g}"
    return "" if cell is None else cell


def _shown(cell: object) -> Cell:
    if isinstance(cell, float):
        return cell if np.isfinite(cell) else None
    return None if cell is None else str(cell)


def table_of_values(values: Mapping[str, float]) -> Table:
    """A table of one row."""
    from isoflop.laws.table import Table

    columns: dict[str, list[object] | FloatArray] = {name: np.array([value]) for name, value in values.items()}
    return Table(columns=columns, source="values", format="values")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A fit, or a published law: what it follows, and what it says at points."""

    name: str
    target: str
    inputs: tuple[str, ...]
    counts: str
    say: Callable[[Mapping[str, FloatArray], float], tuple[FloatArray, FloatArray, FloatArray]]


def _asked(name: str) -> _Asked:
    from isoflop.laws import find_law
    from isoflop.laws.fit_file import read_fit
    from isoflop.laws.surface import Surface

    if name.lower().endswith((".json", ".csv")):
        fit = read_fit(name)
        return _Asked(
            name=fit.shape.name,
            target=fit.target,
            inputs=fit.shape.inputs,
            counts=fit.origin.counts,
            say=fit.predict_interval,
        )
    law = find_law(name)
    form = law.form

    def say(at: Mapping[str, FloatArray], level: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        del level
        if isinstance(form, Surface):
            found = np.exp(np.asarray(form.shape.log_loss(form.at, at)))
        else:
            found = np.asarray(law.law.loss(at["params"], at["tokens"]))
        return found, np.full(found.shape, np.nan), np.full(found.shape, np.nan)

    inputs = form.shape.inputs if isinstance(form, Surface) else ("params", "tokens")
    return _Asked(name=law.name, target="loss", inputs=inputs, counts=form.convention.params, say=say)


def predicted(
    law: str, table: Table, columns: Mapping[str, str], constants: Mapping[str, float], level: float
) -> Predicted:
    """The predictions of a fit or a published law for every row that has its inputs."""
    from isoflop.laws.runs import runs_of

    fit = _asked(law)

    runs = runs_of(table, columns=columns, constants=constants)
    kinds = {"active": "active_params", "non_embedding": "non_embedding_params"}
    held = dict(runs.columns)
    own = kinds.get(fit.counts)
    if own in held:
        held["params"] = held[own]
    lacking = [name for name in fit.inputs if name not in held]
    if lacking:
        raise MissingData(
            f"{fit.name} needs {', '.join(lacking)}, and the table has {', '.join(table.columns)}; say which"
            f" column with --column {lacking[0]}=NAME."
        )
    wanted = {name: held[name] for name in (*fit.inputs, "flops") if name in held}
    with np.errstate(invalid="ignore"):
        good = np.all([np.isfinite(values) & (values > 0) for values in wanted.values()], axis=0)
    middle, low, high = (np.full(table.rows, np.nan) for _ in range(3))
    if good.any():
        found = fit.say({name: values[good] for name, values in wanted.items()}, level)
        middle[good], low[good], high[good] = found
    return Predicted(table=table, target=fit.target, middle=middle, low=low, high=high, seen=held.get(fit.target))
