"""What `isoflop laws predict` does: a table with predictions beside its columns, and how they met what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import numpy as np

from isoflop.cli.output import print_table
from isoflop.errors import BadInput, MissingData

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from isoflop.laws import Convention, HyperParameters, Published, Runs
    from isoflop.laws.runs import BoolArray
    from isoflop.laws.table import Table
    from isoflop.quantity import FloatArray
    from isoflop.report import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is predicted of one quantity; `seen` is what was measured of it, where something was."""

    target: str
    middle: FloatArray
    low: FloatArray
    high: FloatArray
    seen: FloatArray | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A table with predictions beside its columns; `minds` says how its words were read and what to know."""

    table: Table
    parts: tuple[Part, ...]
    minds: tuple[str, ...]

    def _columns(self) -> dict[str, Sequence[object]]:
        added: dict[str, Sequence[object]] = {}
        for part in self.parts:
            added[f"{part.target}_predicted"] = part.middle.tolist()
            added[f"{part.target}_low"] = part.low.tolist()
            added[f"{part.target}_high"] = part.high.tolist()
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
        for part in self.parts:
            if part.seen is None:
                continue
            both = np.isfinite(part.middle) & np.isfinite(part.seen) & (part.seen > 0)
            if not both.any():
                continue
            off = np.abs(part.middle[both] / part.seen[both] - 1.0)
            inside = ((part.low <= part.seen) & (part.seen <= part.high))[both].mean()
            said = f"{int(both.sum())} measured: median error {np.median(off):.2%}, largest {off.max():.2%}"
            covered = f"; {inside:.0%} in the {level:.0%} interval" if np.isfinite(part.low).any() else ""
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


Said = dict[str, tuple["FloatArray", "FloatArray", "FloatArray"]]
"""Middle, low and high by what is predicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A fit, or a published law: what it follows, how it counts, and what it says at points."""

    name: str
    inputs: tuple[str, ...]
    convention: Convention
    say: Callable[[Mapping[str, FloatArray], float], Said]
    scored: bool = True
    failed: tuple[str, ...] = ()


def _asked(name: str) -> _Asked:
    from isoflop.laws import HyperParameters, find_law
    from isoflop.laws.hyper_file import is_hyper

    if name.lower().endswith((".json", ".csv")):
        return _of_settings(name) if is_hyper(name) else _of_fit(name)
    law = find_law(name)
    if isinstance(law.form, HyperParameters):
        return _of_advice(law.name, law.form)
    return _of_law(law)


def _of_fit(path: str) -> _Asked:
    from isoflop.laws.fit_file import read_fit

    fit = read_fit(path)
    return _Asked(
        name=fit.shape.name,
        inputs=fit.shape.inputs,
        convention=fit.convention,
        say=lambda at, level: {fit.target: fit.predict_interval(at, level)},
        failed=tuple(one.name for one in fit.checks if one.status == "fail"),
    )


def _through(task: _Asked, name: str, first: str) -> _Asked:
    """The second link of a chain: the loss that `first` predicts, with all its doubt, and the error that follows."""
    from isoflop.laws.chain import chained
    from isoflop.laws.fit_file import read_fit

    if task.inputs != ("loss",):
        raise BadInput(f"--through gives a loss, and {task.name} follows {', '.join(task.inputs)}; take downstream")
    loss, error = read_fit(first), read_fit(name)
    return _Asked(
        name=f"{task.name} through {loss.shape.name}",
        inputs=loss.shape.inputs,
        convention=loss.convention,
        say=lambda at, level: dict(chained(loss, error, at, level)),
        failed=(*task.failed, *(one.name for one in loss.checks if one.status == "fail")),
    )


def _of_settings(path: str) -> _Asked:
    from isoflop.laws import Convention
    from isoflop.laws.hyper_file import read_hyper

    fit = read_hyper(path)
    return _Asked(
        name="hyper",
        inputs=("params", "tokens"),
        convention=Convention(params=fit.origin.counts),
        say=lambda at, level: dict(fit.predict_interval(at, level)),
        scored=False,
        failed=tuple(one.name for one in fit.checks if one.status == "fail"),
    )


def _of_advice(name: str, form: HyperParameters) -> _Asked:
    """Published settings; compute counts only where the law follows it."""
    powers = (form.learning_rate, form.batch_tokens)
    inputs = tuple(key for key in ("params", "tokens", "flops") if any(getattr(one, key) for one in powers))

    def say(at: Mapping[str, FloatArray], level: float) -> Said:
        del level
        run = {key: at.get(key, np.ones(1)) for key in ("params", "tokens", "flops")}
        found = {"learning_rate": form.learning_rate.at(**run), "batch_tokens": form.batch_tokens.at(**run)}
        return {key: _point(np.asarray(value)) for key, value in found.items()}

    return _Asked(name=name, inputs=inputs, convention=form.convention, say=say, scored=False)


def _of_law(law: Published) -> _Asked:
    """A published law of loss: it has no scatter of runs, so no interval for one."""
    from isoflop.laws.surface import Surface

    form = law.form
    inputs = form.shape.inputs if isinstance(form, Surface) else ("params", "tokens")

    def say(at: Mapping[str, FloatArray], level: float) -> Said:
        del level
        if isinstance(form, Surface):
            return {"loss": _point(np.exp(np.asarray(form.shape.log_loss(form.at, at))))}
        return {"loss": _point(np.asarray(law.law.loss(at["params"], at["tokens"])))}

    return _Asked(name=law.name, inputs=inputs, convention=form.convention, say=say)


def _point(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    return values, np.full(values.shape, np.nan), np.full(values.shape, np.nan)


def predicted(
    law: str,
    table: Table,
    words: tuple[Mapping[str, str], Mapping[str, float]],
    level: float,
    through: str | None = None,
) -> Predicted:
    """The predictions of a fit or a published law for every row that has its inputs.

    `words` are columns by quantity and values for all rows; `through` the fit whose loss a law of errors follows.
    """
    from isoflop.laws.runs import runs_of

    columns, constants = words
    asked = _asked(law) if through is None else _through(_asked(law), law, through)
    runs = runs_of(table, columns=columns, constants=constants)
    held = dict(runs.columns)
    own = _COUNTED[asked.convention.params]
    if own in held:
        held["params"] = held[own]
    _need(asked, held, table)
    wanted = {name: held[name] for name in (*asked.inputs, "flops") if name in held}
    with np.errstate(invalid="ignore"):
        good = np.all([np.isfinite(values) & (values > 0) for values in wanted.values()], axis=0)
    said = asked.say({name: values[good] for name, values in wanted.items()}, level) if good.any() else {}
    parts = tuple(
        _part(target, values, good, held.get(target) if asked.scored else None) for target, values in said.items()
    )
    if not parts:
        raise MissingData(f"no row has {', '.join(asked.inputs)} as positive numbers, which {asked.name} needs.")
    return Predicted(table=table, parts=parts, minds=_minds(asked, runs, table, good))


_COUNTED = {"total": "params", "active": "active_params", "non_embedding": "non_embedding_params"}


def _part(
    target: str, values: tuple[FloatArray, FloatArray, FloatArray], good: BoolArray, seen: FloatArray | None
) -> Part:
    full = [np.full(len(good), np.nan) for _ in values]
    for one, found in zip(full, values, strict=True):
        one[good] = found
    return Part(target=target, middle=full[0], low=full[1], high=full[2], seen=seen)


def _need(asked: _Asked, held: Mapping[str, FloatArray], table: Table) -> None:
    lacking = [name for name in asked.inputs if name not in held]
    if not lacking:
        return
    there = ", ".join(table.columns)
    if table.format == "values":
        values = " ".join(f"{name}=..." for name in asked.inputs)
        only = "flops" in held and not {"params", "tokens"} & held.keys()
        split = f", or let it split the compute: isoflop laws compare {asked.name} --flops FLOP" if only else ""
        raise MissingData(f"{asked.name} needs {' and '.join(lacking)} beside {there}: give {values}{split}.")
    raise MissingData(
        f"{asked.name} needs {', '.join(lacking)}, and the table has {there}; say which column with --column"
        f" {lacking[0]}=NAME, or give one value for all rows with --set {lacking[0]}=VALUE."
    )


def _minds(asked: _Asked, runs: Runs, table: Table, good: BoolArray) -> tuple[str, ...]:
    """How the words were read, rows without a prediction, and checks that failed when the law was fitted."""
    found = []
    if table.format == "values" and {"params", "tokens", "flops"} & set(asked.inputs):
        counted = {
            "total": "all parameters",
            "active": "active parameters",
            "non_embedding": "those outside embeddings",
        }
        found.append(
            f"as {asked.name} counts: params N are {counted[asked.convention.params]}, tokens D those seen, flops C are"
            f" {'6 N D' if asked.convention.flops == '6nd' else asked.convention.flops}"
        )
        known = {"flops"} if "flops" not in asked.inputs or asked.convention.flops == "6nd" else set()
        notes = [note.replace(": the table has none", "") for note in runs.notes]
        found += [note for note in notes if note.split(" are ")[0] not in known]
    if not good.all():
        found.append(f"{int((~good).sum())} of {table.rows} rows lack an input and get no prediction")
    if asked.failed:
        found.append(f"mind: when this was fitted, checks failed: {', '.join(asked.failed)}")
    return tuple(found)
