"""Many claims at once: a table whose rows are checked one by one, and the published runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import exp, log
from typing import TYPE_CHECKING, Literal

from isoflop.ask.bind import CHOICES
from isoflop.ask.checker import CheckResult, check
from isoflop.ask.reasons import likely
from isoflop.errors import BadInput, IsoflopError, UnknownName
from isoflop.quantity import quantities, quantity
from isoflop.relation.reconcile import Z90
from isoflop.relation.reconciliation import TIE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from isoflop.ask.bind import Known
    from isoflop.model import Run
    from isoflop.relation.reconciliation import Judged, Reconciliation

OFF = 1.1
"""A claim further than this from what others imply, and outside of its 90 % interval, is off: it may yet be true."""

RowVerdict = Literal["contradictory", "off", "consistent", "untested", "unread"]

_WORK = frozenset({"train_flops", "params", "active_params", "tokens"})
_COUNTED = {
    "hardware": "recomputation is counted, as published",
    "measured": "they are a measured rate times hours, as published",
    "unknown": "",
    "model": "",
    "6nd": "",
    "3nd": "",
}
_NAMES = ("name", "model", "run", "id", "row")
_PAIR = re.compile(r"\s*([\w-]+)\s*=\s*([^\[\]=]+?)\s*(?:\[([^\[\]]*)\])?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Where a quantity stands in a table: the column's header, and the unit that its numbers are in."""

    header: str
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """One row and what became of it.

    `verdict` is that of the check, but "off" for claims that miss each other by more than OFF though chance allows it,
    and "unread" where the row has no check. `suspects` are the claims of which one is off, by `factor`; assumptions of
    our own are left out unless they stand alone. `reason` says what may lie behind it, `note` what the row says itself.
    `flops_over_6nd` is the claimed work over 6 N D (3 N D where the row says that it counts so).
    """

    name: str
    verdict: RowVerdict
    reason: str = ""
    note: str = ""
    suspects: tuple[str, ...] = ()
    factor: float | None = None
    flops_over_6nd: float | None = None
    result: CheckResult | None = field(default=None, repr=False)


def read_columns(text: str) -> dict[str, Column]:
    """Read `params=N,tokens=D[B],train_time=days[day]`: quantity = header of its column [unit of its numbers]."""
    found = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        match = _PAIR.fullmatch(part)
        if match is None:
            raise BadInput(f"'{part[:60]}' does not map a column; write for example params=N,train_time=days[day]")
        key, header, unit = match.groups()
        found[_word(key)] = Column(header=header, unit=unit or "")
    return found


def _word(key: str) -> str:
    name = key.replace("-", "_")
    return name if name in CHOICES else quantity(name).name


def check_rows(
    rows: Iterable[Mapping[str, str]], columns: Mapping[str, Column] | None = None, **shared: Known
) -> tuple[RowResult, ...]:
    """Check every row: columns named like a quantity or a choice are its claims, and those that `columns` maps.

    `shared` are knowns that hold for all rows (device=, flops_per_param_token=). A row that cannot be read says why and
    does not stop the others. Raises: BadInput where no column is of use.
    """
    table = list(rows)
    headers = list(dict.fromkeys(header for row in table for header in row))
    missing = [column.header for column in (columns or {}).values() if column.header not in headers]
    if missing:
        raise UnknownName("column", missing[0], headers)
    known = {**_recognised(headers), **(columns or {})}
    if not known:
        raise BadInput(
            f"no column is named like a quantity; there are: {', '.join(headers)[:200]}. Say which is which: "
            "--map params=N,tokens=D"
        )
    label = _label(headers, {column.header for column in known.values()})
    return tuple(
        _checked((row.get(label) if label else "") or str(place), row, known, shared)
        for place, row in enumerate(table, start=1)
    )


def _recognised(headers: Iterable[str]) -> dict[str, Column]:
    """Columns whose header is a quantity, one of its other names, or a choice."""
    found = {}
    named = {alias: entry.name for entry in quantities().values() for alias in (entry.name, *entry.aliases)}
    for header in headers:
        name = header.strip().replace("-", "_")
        if name in CHOICES and name != "model":  # a column of that name says which run it is
            found[name] = Column(header=header)
        elif name in named:
            found.setdefault(named[name], Column(header=header))
    return found


def _label(headers: Iterable[str], used: set[str]) -> str | None:
    """The column that names the rows: one called so, else the first that is no claim."""
    free = [header for header in headers if header not in used]
    return next(
        (header for name in _NAMES for header in free if header.strip().lower() == name), free[0] if free else None
    )


def _checked(name: str, row: Mapping[str, str], known: Mapping[str, Column], shared: Mapping[str, Known]) -> RowResult:
    cells = {key: f"{row.get(column.header) or ''} {column.unit}".strip() for key, column in known.items()}
    claims: dict[str, Known] = {key: cell for key, cell in cells.items() if cell and cell != known[key].unit}
    try:
        return judged(name, check(**{**shared, **claims}))
    except IsoflopError as error:
        return RowResult(name=name, verdict="unread", reason=str(error))


def judged(name: str, result: CheckResult, counted: str = "", note: str = "") -> RowResult:
    """A row's result; `counted` is how the row says its FLOP were counted, which goes before any guess."""
    found = result.found
    strained = [claim for claim in found.claims if claim.rank == "given" and _strained(claim)]
    if found.verdict == "contradictory":
        given = [key for key in found.suspects if (claim := found.claim(key)) is not None and claim.rank == "given"]
        named, factor = tuple(given) or found.suspects, found.factor
    else:
        largest = max((abs(claim.pull) for claim in strained), default=0.0)
        tied = [claim for claim in strained if abs(claim.pull) >= (1 - TIE) * largest]
        named = tuple(claim.quantity for claim in tied)
        factor = exp(max((abs(claim.off) for claim in tied), default=0.0))
    ratio = _over_6nd(found)
    return RowResult(
        name=name,
        verdict="off" if found.verdict == "consistent" and strained else found.verdict,
        reason=_reason(found, named, counted, ratio),
        note=note if named else "",
        suspects=named,
        factor=factor if named else None,
        flops_over_6nd=ratio,
        result=result,
    )


def _reason(found: Reconciliation, named: tuple[str, ...], counted: str, ratio: float | None) -> str:
    """What may lie behind a factor: for FLOP that are not 6 N D, how the row counted them; else known slips."""
    if not named:
        return ""
    reasons = likely(found, {}, among=named)
    guess = f"likely {' or '.join(reasons)}" if reasons else ""
    if ratio is None or abs(log(ratio)) < log(OFF) or _WORK.isdisjoint(named):
        return guess
    why = counted or guess or "how they were counted is not said"
    return f"the FLOP are {ratio:.2f} times 6 N D: {why}"


def _over_6nd(found: Reconciliation) -> float | None:
    """Claimed work over what parameters and tokens come to, as they are said."""
    said = {claim.quantity: claim.said for claim in found.claims if claim.rank == "given"}
    size = said.get("active_params", said.get("params"))
    if size is None or "train_flops" not in said or "tokens" not in said:
        return None
    return said["train_flops"] / (said.get("flops_per_param_token", 6.0) * size * said["tokens"])


def _strained(claim: Judged) -> bool:
    return claim.tested and abs(claim.pull) > Z90 and abs(claim.off) > log(OFF)


def check_runs(runs: Iterable[Run] | None = None) -> tuple[RowResult, ...]:
    """Every published run against itself: sizes, FLOP, chips, hours, utilisation, energy, as printed."""
    from isoflop import hardware, model

    listed = hardware.devices()
    found = []
    for run in model.runs() if runs is None else runs:
        claims = {key: value for key, value in claims_of_run(run).items() if value is not None}
        device = {"device": run.use.device} if run.use.device in listed else {}
        result = check(**device, **claims)
        found.append(judged(run.model, result, _COUNTED[run.work.counts], run.note))
    return tuple(found)


def claims_of_run(run: Run) -> dict[str, float | None]:
    """What a published run claims, by quantity, in base units."""
    work, use, footprint = run.work, run.use, run.footprint
    dense_or_known = work.active_params is not None  # else the total says nothing about the work
    energy = "train_energy" if footprint.scope == "facility" else "machine_energy"
    return {
        "params": work.params if dense_or_known else None,
        "active_params": work.active_params if work.active_params != work.params else None,
        "tokens": work.tokens,
        "flops_per_param_token": 3.0 if work.counts == "3nd" else None,
        "train_flops": work.flops_printed,
        "chips": use.chips,
        "train_time": use.time,
        "chip_time": use.chip_time,
        "mfu": use.mfu,
        "train_cost": run.cost,
        energy: footprint.energy,
        "train_emissions": footprint.emissions,
        "chip_power": footprint.chip_power,
        "pue": footprint.pue,
        "grid_intensity": footprint.grid_intensity,
    }
