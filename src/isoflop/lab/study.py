"""A study as its TOML says it: budgets, sizes, seeds, how to train, on what text; and the run specs that follow."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from math import ceil, log
from typing import TYPE_CHECKING, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from isoflop.errors import BadFile, BadInput, UnknownName
from isoflop.lab.data import MOST_EPOCHS, DataSpec
from isoflop.lab.spec import Optimizer, Precision, RunSpec, Schedule
from isoflop.model import counts, train_flops_per_token
from isoflop.quantity import quantity, read
from isoflop.quantity.toml_file import parse_toml
from isoflop.torchmodel.shape import Shape, spec_of

if TYPE_CHECKING:
    from collections.abc import Mapping

Table = TypeVar("Table")

WIDEST = 4096
"""Widths that are offered: a laboratory trains small models."""

SPACING = 1.5
"""Parameters of a size over those of the next smaller one, at least."""

MOST = 12
"""Runs of one process where a study does not say: with more, what they share is small against what each takes."""

FEWEST_STEPS = 60
"""A run of fewer steps says more about its warm-up than about its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Decoders that differ in width alone, so that size means one thing. `feed_forward`: inner width over width.

    Heads have `head_width` each; with `heads` there are so many at every width, and they grow with it. On a CPU narrow
    heads are dear: attention of heads 4 wide is half of a small model's step.
    """

    layers: int = 2
    head_width: int = 8
    heads: int = 0
    feed_forward: float = 8 / 3
    tied: bool = False

    def __post_init__(self) -> None:
        if self.layers < 1 or self.head_width < 2 or self.head_width % 2 or not 0.5 <= self.feed_forward <= 16:
            raise BadInput("model: layers from 1, head_width an even number from 2, feed_forward from 0.5 to 16")
        if not 0 <= self.heads <= 256:
            raise BadInput("model: heads from 1, or 0 for as many as head_width makes")

    @property
    def multiple(self) -> int:
        """Widths are multiples of it."""
        return max(4, 2 * self.heads) if self.heads else self.head_width

    def shape(self, width: int, vocabulary: int) -> Shape:
        """The member of this width.

        Raises: BadInput for a width that its heads do not divide.
        """
        if width < 1 or width % self.multiple:
            raise BadInput(
                f"width {width} does not divide into heads of {self.head_width}: give a multiple of {self.multiple}, or"
                " another model.head_width or model.heads."
            )
        heads = self.heads or width // self.head_width
        return Shape(
            layers=self.layers,
            width=width,
            heads=heads,
            kv_heads=heads,
            head_width=width // heads,
            inner=max(8, 8 * round(self.feed_forward * width / 8)),
            vocabulary=vocabulary,
            tied=self.tied,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Runs of one size and length, as `isoflop laws design` proposes them; `flops` is what it reckoned with."""

    params: float
    tokens: float
    flops: float = 0.0
    seeds: float = 1

    def __post_init__(self) -> None:
        if not (1 <= self.params < 1e12 and 1 <= self.tokens < 1e15) or self.seeds not in range(1, 101):
            raise BadInput("cell: give params and tokens from 1 up, and seeds, a whole number from 1 to 100")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Everything a study says. `budgets` are training FLOP a run; `sizes` widths, or "auto".

    `cell`: sizes and lengths beside the budgets, such as `isoflop laws design` proposes; they count for fits of all
    runs, and not for whether a budget's best size is enclosed.

    `allowance`: FLOP of all runs together that "auto" may not pass; 0 is three times what is planned first.
    `tokens_per_param`: where "auto" begins to look. `seeds` runs of each, `learning_rates` for a sweep. `price`: USD an
    hour of this machine, 0 where nobody is to be told. `together`: small runs that differ in seed and learning rate
    alone that one process trains side by side at most, 1 for none, 0 for as many as pays. The rest as in `RunSpec`.
    """

    name: str
    data: DataSpec
    budgets: tuple[float, ...] = ()
    cell: tuple[Cell, ...] = ()
    sizes: Literal["auto"] | tuple[int, ...] = "auto"
    seeds: int = 3
    allowance: float = 0.0
    tokens_per_param: float = 60.0
    sequence: int = 128
    batch: int = 8
    pieces: int = 1
    precision: Precision = "fp32"
    bits: int = 0
    validation: int = 512
    price: float = 0.0
    together: int = 0
    recompute: bool = False
    compiled: bool = False
    learning_rates: tuple[float, ...] = (0.01,)
    model: Family = field(default_factory=Family)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        if not (self.budgets or self.cell) or any(not 0 < one < 1e30 for one in self.budgets):
            raise BadInput('budgets: give FLOP of a run, such as ["6e10 FLOP", "2e11 FLOP"]')
        if len(set(self.budgets)) < len(self.budgets):
            raise BadInput("budgets: one stands there twice")
        if not 1 <= self.seeds <= 100 or not self.learning_rates:
            raise BadInput("seeds: give 1 to 100; learning_rates: give at least one")
        if self.sizes != "auto" and (not self.sizes or any(one < 1 for one in self.sizes)):
            raise BadInput('sizes: give widths, such as [16, 32, 64], or "auto"')
        if not 0 <= self.together <= 1000:
            raise BadInput("together: give runs of one process at most, 1 for one, 0 for as many as pays")
        if self.sizes != "auto" and len(set(self.sizes)) < len(self.sizes):
            raise BadInput("sizes: one stands there twice; runs of it would count twice. For more runs raise seeds.")
        if len(set(self.learning_rates)) < len(self.learning_rates):
            raise BadInput("learning_rates: one stands there twice; runs of it would count twice. Raise seeds instead.")
        if not 0.1 <= self.tokens_per_param <= 1e5 or self.allowance < 0 or self.price < 0:
            raise BadInput("tokens_per_param is from 0.1 to 100,000; allowance and price are not negative")

    @property
    def most(self) -> int:
        """Runs that one process trains side by side at most."""
        return self.together or MOST

    def specs(self, budget: float, width: int, *, vocabulary: int, data: str) -> tuple[RunSpec, ...]:
        """The runs of one size at one budget, a seed and a learning rate each."""
        shape = self.model.shape(width, vocabulary)
        return self._runs(shape, max(1, self.steps(budget, shape)), data, self.seeds)

    def cell_specs(self, cell: Cell, *, vocabulary: int, data: str) -> tuple[RunSpec, ...]:
        """The runs of a cell, at the width whose parameters are nearest.

        Raises: BadInput where the family has none within a factor of two.
        """
        width = self.nearest(cell.params, vocabulary)
        steps = max(1, round(cell.tokens / self.batch / self.sequence))
        return self._runs(self.model.shape(width, vocabulary), steps, data, int(cell.seeds))

    def nearest(self, params: float, vocabulary: int) -> int:
        """The width whose parameters are nearest to this many."""
        widths = range(self.model.multiple, WIDEST + 1, self.model.multiple)
        at = min(bisect_left(widths, params, key=lambda one: self.params(one, vocabulary)), len(widths) - 1)
        width = min(widths[max(at - 1, 0) : at + 1], key=lambda one: abs(log(self.params(one, vocabulary) / params)))
        found = self.params(width, vocabulary)
        if not 0.5 <= found / params <= 2:
            raise BadInput(
                f"cell: no model of this family has about {params:,.0f} parameters; the nearest is width {width} with"
                f" {found:,}. Give other cells, or another [model]."
            )
        return width

    def _runs(self, shape: Shape, steps: int, data: str, seeds: int) -> tuple[RunSpec, ...]:
        first = RunSpec(
            shape=shape,
            data=data,
            steps=steps,
            sequence=self.sequence,
            batch=self.batch,
            seed=0,
            pieces=self.pieces,
            epochs=self.data.epochs,
            schedule=self.schedule,
            optimizer=self.optimizer,
            precision=self.precision,
            validation=self.validation,
            bits=self.bits,
            recompute=self.recompute,
            compiled=self.compiled,
        )
        return tuple(
            replace(first, seed=seed, optimizer=replace(self.optimizer, learning_rate=rate))
            for rate in self.learning_rates
            for seed in range(seeds)
        )

    def steps(self, budget: float, shape: Shape) -> int:
        """Steps that spend a budget on a shape, to the nearest whole one."""
        each = train_flops_per_token(spec_of(shape, "run"), self.sequence).total * self.batch * self.sequence
        return round(budget / each)

    def ladder(self, vocabulary: int) -> tuple[int, ...]:
        """Widths whose sizes lie at least `SPACING` apart, smallest first."""
        found: list[int] = []
        last = 0.0
        for width in range(self.model.multiple, WIDEST + 1, self.model.multiple):
            size = self.params(width, vocabulary)
            if size >= SPACING * last:
                found.append(width)
                last = size
        return tuple(found)

    def params(self, width: int, vocabulary: int) -> int:
        """Parameters of a width."""
        return counts(spec_of(self.model.shape(width, vocabulary), "size")).params

    def impossible(self, budget: float, width: int, *, vocabulary: int, available: float) -> str:
        """Why this size cannot be trained on this budget with `available` tokens; "" where it can."""
        return self.too_much(self.steps(budget, self.model.shape(width, vocabulary)), width, available)

    def too_much(self, steps: int, width: int, available: float) -> str:
        """Why a run of so many steps cannot be with `available` tokens; "" where it can."""
        fewest = max(FEWEST_STEPS, 2 * self.schedule.warmup)
        if steps < fewest:
            why = f" (twice the warm-up of {self.schedule.warmup})" if fewest > FEWEST_STEPS else ""
            return (
                f"width {width} would train for {steps} steps only, and {fewest} are the fewest{why}: smaller batches"
                " or larger budgets allow more"
            )
        tokens = steps * self.batch * self.sequence
        if tokens > available * self.data.epochs:
            epochs = ceil(tokens / available)
            allow = f"more text, or epochs = {epochs} under [data], allow it"
            if epochs > MOST_EPOCHS:
                allow = "give more text or smaller budgets"
            return f"width {width} would read {tokens:,} tokens and there are {available:,.0f}: {allow}"
        return ""


def read_study(text: str, said: str) -> Study:
    """The study in TOML text; `said` is what errors call it.

    Raises: BadFile, BadInput and UnknownName that name the key.
    """
    tables = dict(parse_toml(text, said))
    for name in ("budgets", "allowance"):
        if name in tables:
            tables[name] = _flops(tables[name], f"{said}: {name}")
    if isinstance(tables.get("learning_rates"), int | float):
        tables["learning_rates"] = [tables["learning_rates"]]
    cells = tables.pop("cell", [])
    if not isinstance(cells, list):
        raise BadFile(f"{said}: [[cell]] is due where [cell] stands")
    tables["cell"] = tuple(_made(one, Cell, f"{said}: [[cell]]") for one in cells)
    parts: dict[str, type] = {"data": DataSpec, "model": Family, "optimizer": Optimizer, "schedule": Schedule}
    for name, kind in parts.items():
        if name in tables:
            tables[name] = _made(tables[name], kind, f"{said}: [{name}]")
    if "learning_rate" in _keys(parse_toml(text, said).get("optimizer")):
        raise BadInput(f"{said}: the learning rate stands at the top, as learning_rates = [0.01].")
    return _made(tables, Study, said)


def _keys(table: object) -> set[str]:
    return set(table) if isinstance(table, dict) else set()


def _flops(value: object, said: str) -> object:
    if isinstance(value, list):
        return [_flops(one, said) for one in value]
    if isinstance(value, str):
        return float(read(value, quantity("train_flops")).spread.median)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f'{said}: give FLOP, such as "6e10 FLOP"')
    return float(value)


def _made(value: object, kind: type[Table], said: str) -> Table:
    """A dataclass from a table; keys it does not have are named."""
    if not isinstance(value, dict):
        raise BadFile(f"{said}: a table of keys is due here")
    held: Mapping[str, object] = value
    known = [one.name for one in fields(kind)]  # type: ignore[arg-type]  # the dataclasses above
    for name in held:
        if name not in known:
            raise UnknownName(f"key of {said}", name, known)
    hints = get_type_hints(kind)
    found = {}
    for name, one in held.items():
        try:
            found[name] = one if is_dataclass(one) or isinstance(one, tuple) else msgspec.convert(one, hints[name])
        except msgspec.ValidationError as error:
            raise BadFile(f"{said}: {name}: {str(error).rstrip('.')}.{_accepted(hints[name])}") from error
    needed = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]  # type: ignore[arg-type]
    lacking = [name for name in needed if name not in found]
    if lacking:
        raise BadFile(f"{said}: {' and '.join(lacking)} must be given.")
    return kind(**found)


def _accepted(hint: object) -> str:
    """The words that a key takes, where it takes words."""
    found = [one for part in (hint, *get_args(hint)) for one in (get_args(part) if get_origin(part) is Literal else ())]
    return f" Give one of: {', '.join(found)}." if len(found) > 1 else f" Give {found[0]}, or a list." if found else ""
