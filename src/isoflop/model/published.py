"""Training runs as their makers printed them: one TOML file a table in `published/`, values in units its head names.

Printed FLOP are not one quantity: some count 6 N D, some add attention, some count recomputation, some are the measured
rate times hours. `Work.counts` says which, and the three are never mixed. What is not printed is None.

A row is `verified` where its primary table was read; "database" rows come from public collections of such figures and
"recalled" ones from memory of the paper: claims to be checked, not facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from isoflop.errors import BadFile, UnitError, UnknownName
from isoflop.model.count import counts
from isoflop.model.presets import preset
from isoflop.quantity import quantity, unit
from isoflop.quantity.toml_file import read_toml

FOLDER = Path(__file__).parent / "published"

FlopCount = Literal["6nd", "3nd", "model", "hardware", "measured", "unknown"]
"""How a printed FLOP figure was counted: N D times 6 or 3; model FLOP with attention; hardware FLOP with recomputation;
measured rate times hours; or nobody says."""

Evidence = Literal["primary", "database", "recalled"]
EnergyScope = Literal["facility", "machine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What was trained, and the FLOP as printed: parameters, tokens, FLOP; `counts` says what the FLOP include."""

    params: float | None
    active_params: float | None
    tokens: float | None
    flops_printed: float | None
    counts: FlopCount

    @property
    def model_flops(self) -> float | None:
        """The printed FLOP where they are those of the model's own arithmetic."""
        return self.flops_printed if self.counts in {"6nd", "3nd", "model"} else None

    @property
    def hardware_flops(self) -> float | None:
        """The printed FLOP where they include recomputation."""
        return self.flops_printed if self.counts == "hardware" else None

    @property
    def flops_nd(self) -> float | None:
        """6 x active parameters x tokens, recomputed: the one figure that compares all rows.

        3 instead of 6 where the printed figure counts so: in an encoder-decoder a token meets half of the parameters.
        """
        if self.active_params is None or self.tokens is None:
            return None
        return (3 if self.counts == "3nd" else 6) * self.active_params * self.tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What it ran on: device as the hardware catalogue names it, chips, seconds, chip-seconds, reported utilisation."""

    device: str
    chips: float | None
    time: float | None
    chip_time: float | None
    mfu: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Energy (J) and emissions (kg CO2e) as printed, and what they were computed from.

    `chip_power` is W a chip, by the owner's convention measured system power or TDP; `grid_intensity` kg CO2e/J.
    `scope` says whether the printed energy holds the PUE ("facility") or not ("machine").
    """

    energy: float | None
    emissions: float | None
    chip_power: float | None
    pue: float | None
    grid_intensity: float | None
    scope: EnergyScope


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One published training run; `preset` names the model's shape where it is catalogued."""

    model: str
    organisation: str
    date: str
    work: Work
    use: Use
    cost: float | None
    footprint: Footprint
    preset: str
    source: str
    evidence: Evidence
    note: str

    @property
    def verified(self) -> bool:
        """Whether the primary table was read."""
        return self.evidence == "primary"


_Text = Annotated[str, msgspec.Meta(max_length=500)]
_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Share = Annotated[float, msgspec.Meta(gt=0, le=1)]

# Column -> the quantity whose unit it must have.
_COLUMNS = {
    "params": "params",
    "active_params": "active_params",
    "tokens": "tokens",
    "flops": "train_flops",
    "chips": "chips",
    "time": "train_time",
    "chip_time": "chip_time",
    "cost": "train_cost",
    "energy": "train_energy",
    "emissions": "train_emissions",
    "chip_power": "chip_power",
    "grid_intensity": "grid_intensity",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount:
    """A printed size beside the exact count of the shape: `params_ratio` = printed / exact, FLOP from either."""

    exact_params: int
    params_ratio: float
    flops_from_printed: float
    flops_from_exact: float


class _Row(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    model: _Text
    organisation: _Text
    date: _Text
    preset: _Text = ""
    params: _Positive | None = None
    active_params: _Positive | None = None
    tokens: _Positive | None = None
    flops: _Positive | None = None
    counts: FlopCount = "unknown"
    device: _Text = ""
    chips: _Positive | None = None
    time: _Positive | None = None
    chip_time: _Positive | None = None
    mfu: _Share | None = None
    cost: _Positive | None = None
    energy: _Positive | None = None
    scope: EnergyScope = "facility"
    emissions: _Positive | None = None
    chip_power: _Positive | None = None
    pue: Annotated[float, msgspec.Meta(ge=1, le=3)] | None = None
    grid_intensity: _Positive | None = None
    source: _Text = ""
    evidence: Evidence | None = None
    note: _Text = ""


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    units: dict[str, str]
    run: tuple[_Row, ...]
    source: _Text = ""
    evidence: Evidence | None = None
    note: _Text = ""


def runs() -> tuple[Run, ...]:
    """Every published run, one row a model: GPT-3's table D.1 and the history of trained models."""
    return (*table("gpt3-table-d1"), *table("history"))


def table(name: str) -> tuple[Run, ...]:
    """The rows of one published table, in its order; see `tables`."""
    if name not in tables():
        raise UnknownName("published table", name, tables())
    return _read(FOLDER / f"{name}.toml")


@cache
def tables() -> tuple[str, ...]:
    """The names of the published tables."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def _read(path: Path) -> tuple[Run, ...]:
    return read_runs(path)


def read_runs(path: Path) -> tuple[Run, ...]:
    """The runs of the file `path`; a unit that does not fit its column, or a row without a source, is refused."""
    try:
        file = msgspec.convert(read_toml(path), _File, strict=True)
        factors = _factors(file.units)
        found = tuple(_run(row, file, factors) for row in file.run)
    except (msgspec.ValidationError, UnitError, UnknownName, _RowError) as error:
        raise BadFile(f"{path}: {error}") from error
    names = [run.model for run in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadFile(f"{path}: run '{twice[0]}' stands there twice; give each row its own name")
    return found


def recount(run: Run) -> Recount | None:
    """The printed parameters and FLOP of `run` against the exact count of its preset; None where one is missing."""
    work = run.work
    if not run.preset or work.params is None or work.flops_nd is None:
        return None
    counted = counts(preset(run.preset).spec)
    per_token = 3 if work.counts == "3nd" else 6
    assert work.tokens is not None
    return Recount(
        exact_params=counted.params,
        params_ratio=work.params / counted.params,
        flops_from_printed=work.flops_nd,
        flops_from_exact=per_token * counted.active_params * work.tokens,
    )


class _RowError(Exception):
    """A row that lacks what it must have; becomes a BadFile with the file's name."""


def _factors(units: dict[str, str]) -> dict[str, float]:
    """Column -> factor to base units, each unit held against its quantity."""
    factors = {}
    for column, text in units.items():
        if column not in _COLUMNS:
            raise UnknownName("column with a unit", column, _COLUMNS)
        read, due = unit(text), quantity(_COLUMNS[column]).unit
        if not read.same_kind(due):
            raise UnitError(f"units.{column} = '{text}' does not fit; give a unit of the kind '{due.text}'")
        factors[column] = read.scale
    return factors


def _run(row: _Row, file: _File, factors: dict[str, float]) -> Run:
    def base(column: str) -> float | None:
        value: float | None = getattr(row, column)
        if value is not None and column not in factors:
            raise _RowError(f"run '{row.model}' gives {column}, but 'units' names no unit for it")
        return None if value is None else value * factors[column]

    source, evidence = row.source or file.source, row.evidence or file.evidence
    if not source or evidence is None:
        raise _RowError(
            f"run '{row.model}' lacks a source or its evidence; give both, in the row or at the head of the file"
        )
    params = base("params")
    return Run(
        model=row.model,
        organisation=row.organisation,
        date=row.date,
        work=Work(
            params=params,
            active_params=base("active_params"),
            tokens=base("tokens"),
            flops_printed=base("flops"),
            counts=row.counts,
        ),
        use=Use(device=row.device, chips=base("chips"), time=base("time"), chip_time=base("chip_time"), mfu=row.mfu),
        cost=base("cost"),
        footprint=Footprint(
            energy=base("energy"),
            emissions=base("emissions"),
            chip_power=base("chip_power"),
            pue=row.pue,
            grid_intensity=base("grid_intensity"),
            scope=row.scope,
        ),
        preset=row.preset,
        source=source,
        evidence=evidence,
        note=row.note,
    )
