"""Published runs of a table of one's own, predicted as those of this project are: chip-hours, and energy where printed.

Columns (units in the names; any but `model` may be empty or missing): model, org, year, params_total, params_active,
train_tokens, hardware, chips, days, chip_hours, energy_mwh_published, pue; and what decides a prediction further:
config (a preset, or a config.json below a folder), seq, global_batch. Hours, days, energy and whatever else was printed
of the outcome are held against predictions and never read by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.accuracy.cells import number, read_cells
from isoflop.accuracy.published_hours import Hours, Said, described_shape, hours_of
from isoflop.errors import IsoflopError
from isoflop.model import describe
from isoflop.model.presets import exact_preset
from isoflop.model.published import Footprint, Run, Use, Work

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

HOUR, DAY, MWH = 3600.0, 86400.0, 3.6e9
EXAMPLE = "the list of `isoflop runs --csv`"
COLUMNS = frozenset(
    {"model", "org", "year", "params_total", "params_active", "train_tokens", "hardware", "chips", "days", "chip_hours"}
    | {"energy_mwh_published", "pue", "config", "seq", "global_batch"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursReport:
    """Every row beside its prediction; `unknown` are columns that nobody reads."""

    rows: tuple[Hours, ...]
    unknown: tuple[str, ...]

    @property
    def counted(self) -> tuple[Hours, ...]:
        """Rows with a prediction, stated chips and stated hours."""
        return tuple(one for one in self.rows if one.use == "counted")

    @property
    def further(self) -> tuple[Hours, ...]:
        """Rows with a prediction and stated hours whose chips nobody states: as many as take a month."""
        return tuple(one for one in self.rows if one.use == "chips unknown")


def validate_hours(path: str | PathLike[str], configs: str | PathLike[str] | None = None) -> HoursReport:
    """Predict every run of a CSV file. Raises: BadFile where it is no table of runs."""
    cells = read_cells(path, EXAMPLE, key="model")
    rows = tuple(_hours(row, configs) for row in cells.rows)
    return HoursReport(rows=rows, unknown=tuple(name for name in cells.columns if name not in COLUMNS))


def _hours(row: Mapping[str, str], configs: str | PathLike[str] | None) -> Hours:
    run = _run(row)
    try:
        return hours_of(run, _said(row, configs))
    except IsoflopError as error:
        return Hours(
            name=run.model, maker=run.organisation, device=run.use.device, chips=run.use.chips, stated=None,
            use="left out", reason=str(error),
        )  # fmt: skip


def _said(row: Mapping[str, str], configs: str | PathLike[str] | None) -> Said:
    """Architecture, sequence and batch, as far as the row says them; a model whose name is a preset's is that."""
    given = row.get("config", "")
    file = Path(configs) / given if configs is not None and given else None
    own = file if file is not None and file.exists() else None
    name = given or exact_preset(row["model"]) or ""
    shape = None
    if own is not None or name:
        shape = described_shape(describe(own or name), "preset" if own is None else "config")
    return Said(shape=shape, sequence=_whole(row, "seq"), batch=_whole(row, "global_batch"))


def _whole(row: Mapping[str, str], column: str) -> int | None:
    value = _number(row, column)
    return None if value is None else round(value)


def _run(row: Mapping[str, str]) -> Run:
    params, active = _number(row, "params_total"), _number(row, "params_active")
    hours, days, energy = (_number(row, name) for name in ("chip_hours", "days", "energy_mwh_published"))
    return Run(
        model=row["model"],
        organisation=row.get("org", ""),
        date=row.get("year", ""),
        work=Work(
            params=params, active_params=active or params, tokens=_number(row, "train_tokens"), flops_printed=None,
            counts="unknown",
        ),
        use=Use(
            device=row.get("hardware", ""), chips=_number(row, "chips"), time=days and days * DAY,
            chip_time=hours and hours * HOUR, mfu=None,
        ),
        cost=None,
        footprint=Footprint(
            energy=energy and energy * MWH, emissions=None, chip_power=None, pue=_number(row, "pue"),
            grid_intensity=None, scope="facility",
        ),
        preset="",
        source="",
        evidence="recalled",
        note="",
    )  # fmt: skip


def _number(row: Mapping[str, str], column: str) -> float | None:
    """A positive number, None for what is none ("6144 then 3072")."""
    value = number(row.get(column, ""))
    return float(value) if value is not None and value > 0 else None
