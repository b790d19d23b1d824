"""The form of catalogue files: typed tables, figures with unit and source, and errors that name file and key."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from isoflop.errors import BadFile, BadInput, shorten
from isoflop.hardware.spec import DTYPES, ESTIMATE, MATRIX_DTYPES, SPARSE, Figure
from isoflop.quantity import Unit, unit

if TYPE_CHECKING:
    from collections.abc import Mapping

_T = TypeVar("_T")
_DATE = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?")
_AT = re.compile(r" - at `\$\.?(?P<key>[^`]*)`$")

Table = dict[str, object]

RATE = unit("FLOP/s/chip")
BYTES = unit("byte/chip")
BANDWIDTH = unit("byte/s/chip")
POWER = unit("W/chip")
INTENSITY = unit("kgCO2e/J")
NODE_BYTES = unit("byte/node")
NODE_BANDWIDTH = unit("byte/s/node")
NODE_POWER = unit("W/node")


class Place(NamedTuple):
    """Where in which file something stands, for messages."""

    file: str
    key: str = ""

    def at(self, key: str) -> Place:
        """A key below this one."""
        return Place(self.file, f"{self.key}.{key}" if self.key else key)

    def refuse(self, reason: str) -> BadFile:
        """The error for what stands here."""
        where = f"{self.file}: {self.key}" if self.key else self.file
        return BadFile(f"{where}: {reason}")


class RawFigure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A figure as it stands in a file."""

    value: float
    unit: str
    source: str
    date: object = None
    low: float | None = None
    high: float | None = None
    note: str = ""
    dense: bool | None = None


def convert(value: object, kind: type[_T], place: Place) -> _T:
    """A table as the struct `kind`; wrong types, missing and unknown keys become a BadFile naming the key."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _AT.search(text)
        key = found["key"] if found else ""
        reason = _AT.sub("", text).replace("Object ", "the table ").replace("Expected", "expected")
        if "unknown field" in reason:
            known = ", ".join(getattr(kind, "__struct_encode_fields__", ())) if not key else ""
            reason += f"; known are: {known}" if known else ""
        raise (place.at(key) if key else place).refuse(f"{shorten(reason, most=300)}.") from error


def figure(value: object, due: Unit, place: Place) -> Figure:
    """A figure in base units, checked: its unit is of the kind due, it has a source, its value is within its bounds."""
    raw = convert(value, RawFigure, place)
    if raw.dense is not None:
        raise place.at("dense").refuse("only rates of matrix units are dense or sparse.")
    return _checked(raw, due, place)


def _checked(raw: RawFigure, due: Unit, place: Place) -> Figure:
    scale = _scale(raw.unit, due, place)
    if raw.value <= 0:
        raise place.at("value").refuse(f"{raw.value:g} is not positive; leave out what is not known.")
    if not raw.source.strip():
        raise place.at("source").refuse(f"is empty; name the document, or write '{ESTIMATE}' with low and high.")
    low, high = raw.low, raw.high
    if (low is None) != (high is None):
        raise place.refuse("has one of low and high; give both or neither.")
    if raw.source == ESTIMATE and (low is None or high is None):
        raise place.refuse("an estimate needs low and high (5 and 95 %).")
    if low is not None and high is not None:
        if not 0 < low <= raw.value <= high:
            raise place.refuse(f"low {low:g}, value {raw.value:g} and high {high:g} are not in order.")
        if raw.source == ESTIMATE and not low < raw.value < high:
            raise place.refuse("an estimate has to lie between its low and its high, not on one of them.")
        low, high = low * scale, high * scale
    date = None if raw.date is None else day(raw.date, place.at("date"))
    return Figure(
        value=raw.value * scale, unit=raw.unit, source=raw.source, date=date, low=low, high=high, note=raw.note,
    )  # fmt: skip


def _scale(text: str, due: Unit, place: Place) -> float:
    try:
        found = _scale_of(text, due.text)
    except BadInput as error:
        raise place.at("unit").refuse(str(error)) from error
    if found is None:
        raise place.at("unit").refuse(f"'{shorten(text)}' is not a unit of {due.text}, which is due here.")
    return found


@lru_cache(maxsize=1024)
def _scale_of(text: str, due: str) -> float | None:
    """The factor from one unit to base units, None where it is of another kind than `due`."""
    found = unit(text)
    return found.scale if found.same_kind(unit(due)) else None


def day(value: object, place: Place) -> str | None:
    """A date as text: 2023-03-29, "2023-03" or "2023"; None where there is none."""
    if value is None:
        return None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, str) and _DATE.fullmatch(value):
        return value
    raise place.refuse(f'\'{shorten(str(value))}\' is no date; write 2023-03-29, "2023-03" or "2023".')


def rates(table: Mapping[str, object], place: Place, *, sparse: bool = False) -> dict[str, Figure]:
    """Rates by dtype: each of a matrix unit has to say whether it is dense, and must stand in the table for that."""
    found = {}
    for dtype, value in table.items():
        here = place.at(dtype)
        if dtype not in DTYPES:
            hint = " Sparse rates stand in [sparse_rate], by plain dtype." if dtype.endswith(SPARSE) else ""
            raise here.refuse(f"is no dtype; known are: {', '.join(DTYPES)}.{hint}")
        raw = convert(value, RawFigure, here)
        if dtype in MATRIX_DTYPES or sparse:
            _check_dense(raw, here, sparse=sparse)
        found[dtype] = _checked(raw, RATE, here)
    return found


def _check_dense(raw: RawFigure, place: Place, *, sparse: bool) -> None:
    if raw.dense is None:
        due = "false" if sparse else "true"
        raise place.at("dense").refuse(
            f"is missing; many documents print sparse rates: check, then write dense = {due}."
        )
    if raw.dense and sparse:
        raise place.at("dense").refuse("is true in the table of sparse rates; move it to [peak_rate].")
    if not raw.dense and not sparse:
        raise place.at("dense").refuse("is false in the table of dense peaks; move it to [sparse_rate].")


def check_sparse_above_dense(dense: Mapping[str, Figure], sparse: Mapping[str, Figure], place: Place) -> None:
    """Refuse a dense peak that is no lower than the sparse one: one of the two is in the wrong table."""
    for dtype, figure in sparse.items():
        if dtype in dense and figure.value <= dense[dtype].value * 1.001:
            where = place.at(f"peak_rate.{dtype}")
            raise where.refuse("is not below its sparse rate; one of the two is in the wrong table.")


def check_achievable_below_peak(peak: Mapping[str, Figure], achieved: Mapping[str, Figure], place: Place) -> None:
    """Refuse a measured rate above the peak of its dtype."""
    for dtype, figure in achieved.items():
        if dtype in peak and figure.value > peak[dtype].value:
            raise place.at(f"achievable_rate.{dtype}").refuse("is above the dense peak of that dtype.")
