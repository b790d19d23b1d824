"""Measured rows of serving side by side as arrays: predicted all at once, for fits and for tables.

Rows of different models, devices and runtimes stand in one `Case` of arrays; the model of time is the same for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from isoflop.accuracy.serving import QUANTITIES, named
from isoflop.accuracy.serving_doubts import doubts_of, late_of
from isoflop.accuracy.serving_read import read_row
from isoflop.errors import IsoflopError
from isoflop.serving.case import case_of, keys_of
from isoflop.serving.queue import closed_loop, limited, saturated, static_batch
from isoflop.serving.step import Case, Rates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from isoflop.accuracy.serving_read import Kind, Reading
    from isoflop.accuracy.serving_rows import ServingRow
    from isoflop.model.names import Description
    from isoflop.quantity.types import FloatArray
    from isoflop.serving.queue import Flow
    from isoflop.serving.rates import Keys


Places = npt.NDArray[np.intp]
"""Numbers of items."""


class Item(NamedTuple):
    """A row with what it was read as; `doubt` says why nothing should be fitted to it, "" where it may.

    `late` says why its time to the first token is no matter of queues and prompts, "" where it may be.
    """

    row: ServingRow
    reading: Reading
    case: Case
    keys: Keys
    doubt: str
    late: str = ""


class Target(NamedTuple):
    """A measured value: of item number `item`, by name."""

    item: int
    quantity: str
    value: float


@dataclass(frozen=True, slots=True)
class Table:
    """Items as arrays, and all that was measured of them."""

    items: tuple[Item, ...]
    case: Case
    requests: FloatArray
    limits: tuple[FloatArray, FloatArray]
    kinds: tuple[Kind, ...]
    targets: tuple[Target, ...]

    @property
    def measured(self) -> FloatArray:
        """The measured values."""
        return np.array([target.value for target in self.targets])


def items_of(rows: Iterable[ServingRow], library: dict[str, Description]) -> list[Item]:
    """The rows that can be read."""
    found = []
    for row in rows:
        if row.fault:
            continue
        try:
            reading = read_row(row.settings, library)
            case = case_of(reading.deployment, reading.traffic, reading.month)
            keys = keys_of(reading.deployment, reading.month, tuned=reading.kind in {"tuned", "limited"})
        except IsoflopError:
            continue
        found.append(Item(row, reading, case, keys, ""))
    doubts = doubts_of([(one.row, one.reading, one.case) for one in found])
    return [one._replace(doubt=doubts.get(one.row.id, ""), late=late_of(one.row, one.case)) for one in found]


def stacked(cases: Sequence[Case]) -> Case:
    """Cases of numbers as one case of arrays."""
    return Case(
        *(
            np.array([float(np.asarray(value).reshape(-1)[0]) for value in column])
            for column in zip(*cases, strict=True)
        )
    )


def table_of(items: Sequence[Item]) -> Table:
    """The items side by side, with the values that each kind of row measures of itself."""
    replicas = np.array([float(np.asarray(one.case.replicas)) for one in items])
    requests = np.array([float(np.asarray(one.reading.traffic.concurrency)) for one in items]) / replicas
    targets = []
    for place, one in enumerate(items):
        for quantity in QUANTITIES:
            value = getattr(one.row.measured, quantity)
            if value is not None and _its_own(one, quantity):
                targets.append(Target(place, quantity, value))
    return Table(
        items=tuple(items),
        case=stacked([one.case for one in items]),
        requests=requests,
        limits=(
            np.array([one.reading.limits[0] for one in items]),
            np.array([one.reading.limits[1] for one in items]),
        ),
        kinds=tuple(one.reading.kind for one in items),
        targets=tuple(targets),
    )


def _its_own(one: Item, quantity: str) -> bool:
    """Whether a value stands for itself: the rate of a single stream is its time a token again."""
    if quantity == "ttft" and one.late:
        return False
    return not (quantity == "output_rate" and one.reading.kind == "stream")


def predicted(table: Table, rates: Rates, chosen: Places | None = None) -> dict[str, FloatArray]:
    """Every quantity of every item (or of those numbered `chosen`), by the constants of each."""
    places = np.arange(len(table.items)) if chosen is None else chosen
    found = {name: np.full(len(places), np.nan) for name in QUANTITIES}
    kinds = np.array(table.kinds)[places]
    local = np.array([table.items[place].keys.software == "llama.cpp" for place in places])
    for kind in sorted(set(table.kinds)):
        for here in (local, ~local):
            where = np.flatnonzero((kinds == kind) & here)
            if where.size:
                _fill(found, table, rates, places, where, kind)
    return found


def _fill(found: dict[str, FloatArray], table: Table, rates: Rates, places: Places, where: Places, kind: Kind) -> None:
    at = places[where]
    case = Case(*(np.asarray(value)[at] for value in table.case))
    own = Rates(*(np.asarray(value)[where] for value in rates))
    keys = table.items[int(at[0])].keys
    flow = FLOWS[kind](case, own, table.requests[at], (table.limits[0][at], table.limits[1][at]))
    for name, value in named(kind, case, own, keys, flow).items():
        found[name][where] = value


def _static(case: Case, rates: Rates, requests: FloatArray, limits: tuple[FloatArray, FloatArray]) -> Flow:
    del limits
    return static_batch(case, rates, np.maximum(requests, 1.0))


def _closed(case: Case, rates: Rates, requests: FloatArray, limits: tuple[FloatArray, FloatArray]) -> Flow:
    del limits
    return closed_loop(case, rates, np.maximum(requests, 1.0))


def _largest(case: Case, rates: Rates, requests: FloatArray, limits: tuple[FloatArray, FloatArray]) -> Flow:
    del requests, limits
    return saturated(case, rates)


def _tuned(case: Case, rates: Rates, requests: FloatArray, limits: tuple[FloatArray, FloatArray]) -> Flow:
    del requests, limits
    return saturated(case, rates, tuned=True)


def _limited(case: Case, rates: Rates, requests: FloatArray, limits: tuple[FloatArray, FloatArray]) -> Flow:
    del requests
    return limited(case, rates, *limits)


FLOWS: Mapping[str, Callable[[Case, Rates, FloatArray, tuple[FloatArray, FloatArray]], Flow]] = {
    "static": _static,
    "apart": _static,
    "stream": _closed,
    "prompt": _closed,
    "closed": _closed,
    "steady": _closed,
    "largest": _largest,
    "tuned": _tuned,
    "limited": _limited,
}
"""How each kind of row is computed."""
