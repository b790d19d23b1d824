"""Runs as the fits take them: columns in base units, rows that cannot be used flagged and counted, nothing dropped."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from isoflop.errors import BadInput, MissingData
from isoflop.laws.columns import COUNTS, Mapped, map_columns
from isoflop.laws.interface import FLOPS_PER_PARAM_TOKEN, Counts
from isoflop.laws.table import Table, is_empty, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from isoflop.quantity import FloatArray

BoolArray = npt.NDArray[np.bool_]

DIVERGED = 10.0
"""Nats per token above which a final loss is that of a run that diverged: guessing among 22,000 tokens."""

POSITIVE = (
    "params", "tokens", "unique_tokens", "flops", "width", "depth", "learning_rate", "batch_tokens",
    "batch_sequences", "experts",
    "granularity", "weight_bits", "activation_bits", "kv_bits", "post_bits", "tokens_per_param", "weight",
)  # fmt: skip

WORDED: Mapping[str, str] = MappingProxyType({"params": "params", "tokens": "tokens", "flops": "train_flops"})
"""Quantities whose cells may be written as people write them, and the glossary's name for each."""

_CONVENTION: Mapping[Counts, str] = MappingProxyType(
    {"total": "params", "active": "active_params", "non_embedding": "non_embedding_params"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """A table of runs. `columns` are by glossary name in base units; `groups` numbers the run a row belongs to.

    `flags` says, by reason, which rows a fit leaves out; `mapping` which column was taken as what; `guesses` what was
    decided without being said; `notes` what else to know; `labels` columns of text, for finding groups of runs.
    """

    columns: Mapping[str, FloatArray]
    groups: npt.NDArray[np.int64]
    flags: Mapping[str, BoolArray]
    mapping: tuple[Mapped, ...]
    guesses: tuple[str, ...]
    notes: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    counts: Counts
    source: str

    @classmethod
    def of(cls, *, counts: Counts = "total", run: Sequence[str] = (), **columns: Sequence[float] | FloatArray) -> Self:
        """Runs from arrays by glossary name, in base units: params, tokens, loss, flops, unique_tokens, ..."""
        held: dict[str, list[object] | FloatArray] = {
            name: np.asarray(values, dtype=np.float64) for name, values in columns.items()
        }
        if len({len(values) for values in held.values()}) != 1:
            raise BadInput("columns of runs must have one length")
        if len(run):
            held["run"] = list(run)
        table = Table(columns=held, source="arrays", format="arrays")
        mapping = tuple(Mapped(quantity=name, column=name, how="given") for name in held)
        return cls(**_made(table, mapping, counts, {}))  # type: ignore[arg-type]  # one key a field

    @property
    def rows(self) -> int:
        """How many rows the table has, flagged ones too."""
        return len(self.groups)

    def usable(self, inputs: Sequence[str] = ("params", "tokens"), target: str = "loss") -> BoolArray:
        """Rows that a law of these inputs can be fitted to: without a flag on them, the target, or the whole row."""
        bad = np.zeros(self.rows, dtype=bool)
        for reason, rows in self.flags.items():
            name, _, what = reason.partition(" not positive")
            if reason == name + what or name in inputs or name == target:
                bad |= rows
        return ~bad

    @property
    def loss(self) -> FloatArray:
        """Loss in nats per token."""
        return self.columns["loss"]

    @property
    def flagged(self) -> Mapping[str, int]:
        """How many rows each reason takes out."""
        return MappingProxyType({reason: int(rows.sum()) for reason, rows in self.flags.items() if rows.any()})

    @property
    def fingerprint(self) -> str:
        """A hash of the numbers, whatever their columns were called and however the rows were ordered."""
        names = sorted(self.columns)
        held = np.stack([np.nan_to_num(self.columns[name], nan=-1.0) for name in names], axis=1)
        digest = hashlib.sha256(",".join(names).encode())
        digest.update(np.ascontiguousarray(held[np.lexsort(held.T)]).tobytes())
        return digest.hexdigest()[:16]

    def need(self, names: Sequence[str]) -> None:
        """MissingData where a column that a law needs is not there."""
        lacking = [name for name in names if name not in self.columns]
        if lacking:
            there = ", ".join(sorted(self.columns))
            remedy = f"Say which column it is with --column {lacking[0]}=NAME, or give one value for all with"
            one = f"{lacking[0]}=VALUE"
            if lacking[0] == "batch_tokens" and "batch_sequences" in self.columns:
                remedy, one = "The batch is in sequences: say how long they are with", "sequence_length=TOKENS"
            raise MissingData(f"the runs have no {', '.join(lacking)}; they have {there}. {remedy} --set {one}.")

    def where(self, rows: BoolArray) -> Runs:
        """Only these rows."""
        return replace(
            self,
            columns=MappingProxyType({name: values[rows] for name, values in self.columns.items()}),
            groups=self.groups[rows],
            flags=MappingProxyType({reason: flags[rows] for reason, flags in self.flags.items()}),
            labels=MappingProxyType(
                {name: tuple(np.asarray(values, dtype=object)[rows]) for name, values in self.labels.items()}
            ),
        )

    def best_of_grids(self, inputs: Sequence[str] = ("params", "tokens")) -> Runs:
        """The same with all rows flagged but the best of each setting of `inputs`: what was tuned, not how.

        The best of a grid is too good by its noise; a curve through each grid (`fit_hyper`) is not.
        """
        self.need((*inputs, "loss"))
        _, cell = np.unique(np.stack([self.columns[name] for name in inputs]), axis=1, return_inverse=True)
        cell = cell.reshape(-1)
        loss = np.where(self.usable(inputs), self.loss, np.inf)
        order = np.lexsort((loss, cell))
        first = order[np.concatenate([[True], np.diff(cell[order]) > 0])]
        rows = self.usable(inputs)
        rows[first] = False
        return self.also_flag(f"not the best of its {' and '.join(inputs)}", rows)

    def also_flag(self, reason: str, rows: BoolArray) -> Runs:
        """The same with a further reason to leave rows out."""
        return replace(self, flags=MappingProxyType({**self.flags, reason: rows}))


def read_runs(
    path: str | Path,
    *,
    columns: Mapping[str, str] = MappingProxyType({}),
    constants: Mapping[str, float] = MappingProxyType({}),
    counts: Counts | None = None,
    strict: bool = False,
) -> Runs:
    """Runs from a file or folder; see `read_table` for the formats.

    `columns` says which column is which quantity, `constants` gives a quantity one value for all rows, `counts` which
    parameters to take as N. What is not said is guessed from names, with a note; `strict` refuses guesses.
    """
    found = runs_of(read_table(path), columns=columns, constants=constants, counts=counts, strict=strict)
    if "loss" not in found.columns and "bits_per_byte" in found.columns:
        column = next((one.column for one in found.mapping if one.quantity == "bits_per_byte"), "bits_per_byte")
        raise MissingData(
            f"no loss in {found.source}, but bits per byte ('{column}'). A token's loss follows from how many bytes a"
            " token of that text is: --set bytes_per_token=4.3 (isoflop data lists tokenizers). To fit bits per byte"
            " as they stand, rename the column to loss."
        )
    if "loss" not in found.columns:
        there = ", ".join(one.column for one in found.mapping[:20])
        raise MissingData(
            f"no loss in {found.source}: known columns are {there or 'none'}. Say which with --column loss=NAME (nats"
            " per token; columns named bpt, loss_bits or ppl are converted)."
        )
    return found


def runs_of(
    table: Table,
    *,
    columns: Mapping[str, str] = MappingProxyType({}),
    constants: Mapping[str, float] = MappingProxyType({}),
    counts: Counts | None = None,
    strict: bool = False,
) -> Runs:
    """Runs from a table; as `read_runs`."""
    found = Runs(**_made(table, map_columns(tuple(table.columns), columns), counts, constants))  # type: ignore[arg-type]  # one key a field
    if strict and found.guesses:
        raise BadInput(
            f"--strict takes no guesses, and these would be: {'; '.join(found.guesses)}. Settle them with --column"
            " quantity=column and --counts total|active|non_embedding."
        )
    return found


def _made(
    table: Table, mapping: tuple[Mapped, ...], counts: Counts | None, constants: Mapping[str, float]
) -> dict[str, object]:
    """The fields of `Runs`."""
    held = _held(table, mapping, constants)
    guesses = [_guess(one) for one in mapping if one.guessed]
    counted, said = _choose_counts(held, mapping, counts)
    guesses += [said] if said and table.format != "arrays" else []
    notes: list[str] = []
    flags = _flags(held)
    _complete(held, notes)
    labels, groups = _labels(table, mapping)
    groups = _repeats_apart(held, groups)
    flags["a row that stands there twice"] = _repeated(table)
    return {
        "columns": MappingProxyType(held),
        "groups": groups,
        "flags": MappingProxyType(flags),
        "mapping": mapping,
        "guesses": tuple(guesses),
        "notes": tuple(notes),
        "labels": MappingProxyType(labels),
        "counts": counted,
        "source": table.source,
    }


def _held(table: Table, mapping: tuple[Mapped, ...], constants: Mapping[str, float]) -> dict[str, FloatArray]:
    held: dict[str, FloatArray] = {}
    for one in mapping:
        values = table.columns[one.column]
        if one.quantity == "run":
            continue
        if not isinstance(values, np.ndarray) and one.quantity in WORDED:
            values = _worded(values, one.quantity)
        if not isinstance(values, np.ndarray):
            wrong = next(value for value in values if not _reads(value, one.quantity))
            raise BadInput(
                f"column '{one.column}' is taken as {one.quantity} ({one.how}) and holds '{str(wrong)[:30]}'; name"
                f" another with --column {one.quantity}=NAME"
            )
        held[one.quantity] = values * one.scale
    for name, value in constants.items():
        held[name] = np.full(table.rows, float(value))
    if "loss" not in held and "perplexity" in held:
        with np.errstate(all="ignore"):
            held["loss"] = np.log(held["perplexity"])
    if "loss" not in held and {"bits_per_byte", "bytes_per_token"} <= held.keys():
        held["loss"] = held["bits_per_byte"] * held["bytes_per_token"] * np.log(2.0)
    return held


def _worded(values: list[object], name: str) -> list[object] | FloatArray:
    """Cells such as 7B or 1.4T as numbers, NaN where a cell is empty; the column as it stands where one is neither."""
    from isoflop.quantity import quantity, read

    of = quantity(WORDED[name])
    try:
        return np.array(
            [np.nan if is_empty(value) else read(str(value), of).spread.median for value in values], dtype=np.float64
        )
    except BadInput:
        return values


def _reads(value: object, name: str) -> bool:
    """Whether a cell can be taken as a number of this quantity, or is empty."""
    from isoflop.quantity import quantity, read

    if is_empty(value):
        return True
    try:
        if name in WORDED:
            read(str(value), quantity(WORDED[name]))
        else:
            float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError, BadInput):
        return False
    return True


def _guess(one: Mapped) -> str:
    if one.instead_of:
        return f"{one.quantity} is '{one.column}', not {', '.join(repr(name) for name in one.instead_of[:4])}"
    return f"{one.quantity} is '{one.column}'"


def _choose_counts(
    held: dict[str, FloatArray], mapping: tuple[Mapped, ...], counts: Counts | None
) -> tuple[Counts, str]:
    """Put the parameters that are asked for under `params`; say what was taken where nothing was."""
    there = [name for name in COUNTS if name in held]
    if counts is not None:
        wanted = _CONVENTION[counts]
        if wanted in held:
            held["params"] = held[wanted]
        elif there and wanted != "params" and "params" not in held:
            raise MissingData(f"no column of {counts} parameters; the table has {', '.join(there)}")
        return counts, ""
    if not there:
        return "total", ""
    kinds: dict[str, Counts] = {name: kind for kind, name in _CONVENTION.items()}
    held["params"] = held[there[0]]
    column = next((one.column for one in mapping if one.quantity == there[0]), "")
    kind = kinds[there[0]]
    if kind == "total" and column and not column.lower().count("total"):
        return kind, f"'{column}' counts all parameters, embeddings too"
    return kind, f"params are '{column}' ({kind})" if len(there) > 1 else ""


def _flags(held: Mapping[str, FloatArray]) -> dict[str, BoolArray]:
    """Rows that no fit can use, by reason."""
    flags: dict[str, BoolArray] = {}
    if "loss" in held:
        loss = held["loss"]
        flags["no finite loss (diverged or missing)"] = ~np.isfinite(loss)
        with np.errstate(invalid="ignore"):
            flags["loss not above zero"] = np.isfinite(loss) & (loss <= 0)
            flags[f"loss above {DIVERGED:g} nats (diverged)"] = np.isfinite(loss) & (loss > DIVERGED)
    for name in POSITIVE:
        if name in held and name != "flops":
            with np.errstate(invalid="ignore"):
                flags[f"{name} not positive"] = ~(np.isfinite(held[name]) & (held[name] > 0))
    return flags


def _complete(held: dict[str, FloatArray], notes: list[str]) -> None:
    """The third of params, tokens and flops from the other two at 6 FLOP; batch in tokens; tokens per parameter."""
    k = FLOPS_PER_PARAM_TOKEN
    with np.errstate(all="ignore"):
        if "batch_tokens" not in held and {"batch_sequences", "sequence_length"} <= held.keys():
            held["batch_tokens"] = held["batch_sequences"] * held["sequence_length"]
        if "tokens" not in held and {"tokens_per_param", "params"} <= held.keys():
            held["tokens"] = held["tokens_per_param"] * held["params"]
        if "tokens" not in held and {"flops", "params"} <= held.keys():
            held["tokens"] = held["flops"] / k / held["params"]
            notes.append("tokens are flops / (6 params): the table has none")
        if "params" not in held and {"flops", "tokens"} <= held.keys():
            held["params"] = held["flops"] / k / held["tokens"]
            notes.append("params are flops / (6 tokens): the table has none")
        if not {"params", "tokens"} <= held.keys():
            return
        product = k * held["params"] * held["tokens"]
        if "flops" not in held:
            held["flops"] = product
            notes.append("flops are 6 params tokens: the table has none")
        else:
            wrong = ~(np.isfinite(held["flops"]) & (held["flops"] > 0))
            if wrong.any():
                notes.append(f"flops of {int(wrong.sum())} rows are not positive: 6 params tokens stand in their place")
                held["flops"] = np.where(wrong, product, held["flops"])
                held["flops_as_given_wrong"] = wrong.astype(np.float64)
        held.setdefault("tokens_per_param", held["tokens"] / held["params"])


def _labels(table: Table, mapping: tuple[Mapped, ...]) -> tuple[dict[str, tuple[str, ...]], npt.NDArray[np.int64]]:
    """Columns of text, and the number of the run that each row belongs to."""
    used = {one.column: one.quantity for one in mapping}
    labels = {}
    groups = np.arange(table.rows)
    for name, values in table.columns.items():
        if used.get(name) == "run":
            words = [str(value) for value in values]
            groups = np.unique(words, return_inverse=True)[1].reshape(-1)
        elif not isinstance(values, np.ndarray):
            labels[name] = tuple(str(value) for value in values)
    return labels, groups.astype(np.int64)


def _repeats_apart(held: Mapping[str, FloatArray], groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Rows of one name that all have seen equally many tokens are repeats of a run, each its own: no checkpoints."""
    if "tokens" not in held or not len(groups):
        return groups
    low, high = np.full(groups.max() + 1, np.inf), np.full(groups.max() + 1, -np.inf)
    with np.errstate(invalid="ignore"):
        np.minimum.at(low, groups, held["tokens"])
        np.maximum.at(high, groups, held["tokens"])
    same = (high <= low * (1.0 + 1e-9))[groups]  # false where a row does not say its tokens
    first = np.zeros(len(groups), dtype=bool)
    first[np.unique(groups, return_index=True)[1]] = True
    apart = same & ~first
    return np.where(apart, groups.max() + np.cumsum(apart), groups)


def _repeated(table: Table) -> BoolArray:
    """Rows that are equal to an earlier one in every column."""
    seen = np.zeros(table.rows, dtype=bool)
    keys = []
    for values in table.columns.values():
        if isinstance(values, np.ndarray):
            keys.append(np.nan_to_num(values, nan=-1.25e-300))
        else:
            keys.append(np.unique([str(value) for value in values], return_inverse=True)[1].reshape(-1).astype(float))
    order = np.lexsort(keys)
    same = np.ones(max(table.rows - 1, 0), dtype=bool)
    for key in keys:
        ordered = key[order]
        same &= ordered[1:] == ordered[:-1]
    seen[order[1:]] = same  # lexsort is stable: the first of equal rows stays
    return seen
