"""The prediction of a row: peak memory with its 80 % interval, or why there is none.

It takes `Settings` and nothing else of a row, so it cannot read what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import exp, log
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import msgspec

from isoflop.accuracy.runs import Contradiction, cases_of
from isoflop.errors import BadFile, BadInput, MissingData, UnknownName, close_matches
from isoflop.hardware import device
from isoflop.quantity.toml_file import read_toml
from isoflop.training import Engine, Layout, Layouts, engines, peak
from isoflop.training.legal import faults
from isoflop.training.memory import _Shared
from isoflop.training.tally import tally

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from isoflop.accuracy.rows import Settings
    from isoflop.accuracy.runs import Case
    from isoflop.accuracy.shapes import Known
    from isoflop.training import Peak

Status = Literal["ok", "refused", "illegal", "does_not_fit"]

TO_80 = 1.2816 / 1.6449
"""From a 5 to 95 % interval to a 10 to 90 % one, in logarithms, where the spread is normal in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Bytes with their 10 and 90 % points, None where there is no prediction; `reason` says why, or what was assumed.

    `does_not_fit`: even the 10 % point is more than the row's device has for use.
    """

    status: Status
    peak_memory: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def read_profile(path: str | PathLike[str]) -> Mapping[str, Engine]:
    """Engines by name, those of a TOML file in place of the shipped ones; an entry may give some fields only."""
    found = dict(engines())
    for name, entry in read_toml(path).items():
        if name not in found:
            close = close_matches(name, found)
            hint = f" Did you mean '{close[0]}'?" if close else f" Engines are {', '.join(sorted(found))}."
            raise BadFile(f"{path}: no engine '{name[:60]}'.{hint}")
        if not isinstance(entry, dict):
            raise BadFile(f"{path}: '{name}' is no table of fields; write [{name}] and below it the fields to change.")
        try:
            found[name] = msgspec.convert({**msgspec.structs.asdict(found[name]), **entry}, Engine)
        except msgspec.ValidationError as error:
            raise BadFile(f"{path}: [{name}]: {error}") from error
    return MappingProxyType(found)


def predict(row: Settings, library: tuple[Known, ...], profile: Mapping[str, Engine] | None = None) -> Prediction:
    """What a run with these settings takes; the reason where nothing can be said."""
    try:
        cases = cases_of(row, library)
        wrong = [faults(case.run, case.layout) for case in cases.cases]
    except MissingData as error:
        return Prediction(status="refused", reason=str(error))
    except Contradiction as error:
        return Prediction(status="illegal", reason=str(error))
    except BadInput as error:
        return Prediction(status="refused", reason=f"columns of the shape: {error}")
    legal = [case for case, fault in zip(cases.cases, wrong, strict=True) if not fault]
    if not legal:
        return Prediction(status="illegal", reason="; ".join(wrong[0]))
    points = [_interval(case, kind, profile) for case in legal for kind in cases.kinds]
    middle = points[0][0]
    low = min(point[1] for point in points) / cases.widen
    high = max(point[2] for point in points) * cases.widen
    assumed = f"assumed: {', '.join(cases.assumed)}" if cases.assumed else ""
    limit = _usable(row.gpu)
    if limit is not None and low > limit:
        said = f"column gpu: {row.gpu} has {limit / 1e9:.1f} GB for use"
        return Prediction(
            status="does_not_fit",
            peak_memory=middle,
            low=low,
            high=high,
            reason="; ".join(filter(None, (said, assumed))),
        )
    return Prediction(status="ok", peak_memory=middle, low=low, high=high, reason=assumed)


def _interval(case: Case, kind: str, profile: Mapping[str, Engine] | None) -> tuple[float, float, float]:
    """(median, 10 %, 90 %)."""
    found = _peak(case, profile)
    middle, low, high = (float(value.item()) for value in found.of_kind(kind))
    low = max(low, middle * 1e-3)  # a context can be a large part of a tiny run
    return middle, middle * exp(TO_80 * log(low / middle)), middle * exp(TO_80 * log(high / middle))


def _peak(case: Case, profile: Mapping[str, Engine] | None) -> Peak:
    run, layout = case
    if profile is None:
        return peak(run, layout)
    made = profile[run.recipe.engine]
    many = Layouts.of(**{name: getattr(layout, name) for name in Layout.__dataclass_fields__})
    return _Shared(run, tally(run.model, run.recipe, made.kernels), made, many).worst()


@cache
def _usable(gpu: str) -> float | None:
    """Bytes that software can use of the row's device, None where it is not in the catalogue."""
    if not gpu:
        return None
    try:
        return device(gpu).memory_usable().value
    except (UnknownName, MissingData):
        return None
