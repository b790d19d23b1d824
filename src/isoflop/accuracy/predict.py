"""The prediction of a row: step time and peak memory with their 80 % intervals, or why there is none.

It takes `Settings` and nothing else of a row, so it cannot read what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from math import exp, log
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import msgspec

from isoflop.accuracy.runs import Contradiction, cases_of
from isoflop.accuracy.times import TO_80, Times, times_of
from isoflop.errors import BadFile, BadInput, MissingData, UnknownName, close_matches
from isoflop.hardware import device
from isoflop.kernel import Profile, profiles
from isoflop.quantity.toml_file import read_toml
from isoflop.training import Engine, engines, faults, peak

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from isoflop.accuracy.rows import Settings
    from isoflop.accuracy.runs import Case
    from isoflop.accuracy.shapes import Known

Status = Literal["ok", "refused", "illegal", "does_not_fit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Bytes and seconds, middle, 10 and 90 %, None where there is none; `reason` says why, or what was assumed.

    `does_not_fit`: even the 10 % point is more than the row's device has for use.
    """

    status: Status
    peak_memory: float | None = None
    low: float | None = None
    high: float | None = None
    step: Times | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What decides predictions beside settings: engines for memory, profiles of devices for time, by name."""

    engines: Mapping[str, Engine] = field(default_factory=engines)
    profiles: Mapping[str, Profile] = field(default_factory=profiles)


def read_profile(path: str | PathLike[str]) -> Constants:
    """The shipped constants with those of a TOML file in their place; an entry may give some fields only.

    An entry has the name of an engine (`engine.toml`) or of a profile of devices ("hopper").
    """
    found, devices = dict(engines()), dict(profiles())
    for name, entry in read_toml(path).items():
        if name not in found and name not in devices:
            close = close_matches(name, {**found, **devices})
            hint = (
                f" Did you mean '{close[0]}'?"
                if close
                else f" Engines are {', '.join(sorted(found))}, profiles {', '.join(sorted(devices))}."
            )
            raise BadFile(f"{path}: no engine '{name[:60]}'.{hint}")
        if not isinstance(entry, dict):
            raise BadFile(f"{path}: '{name}' is no table of fields; write [{name}] and below it the fields to change.")
        try:
            if name in found:
                found[name] = msgspec.convert(_merged(msgspec.structs.asdict(found[name]), entry), Engine)
            else:
                devices[name] = msgspec.convert(_merged(msgspec.to_builtins(devices[name]), entry), Profile)
        except msgspec.ValidationError as error:
            raise BadFile(f"{path}: [{name}]: {error}") from error
    return Constants(engines=MappingProxyType(found), profiles=MappingProxyType(devices))


def _merged(base: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """`base` with the changes in its place, tables within tables too."""
    found = dict(base)
    for name, value in changes.items():
        own = found.get(name)
        found[name] = _merged(own, value) if isinstance(own, dict) and isinstance(value, dict) else value
    return found


def predict(row: Settings, library: tuple[Known, ...], constants: Constants | None = None) -> Prediction:
    """What a run with these settings takes; the reason where nothing can be said."""
    try:
        cases = cases_of(row, library)
        engine_of = (constants or Constants()).engines
        wrong = [faults(case.run, case.layout, engine_of[case.run.recipe.engine]) for case in cases.cases]
    except MissingData as error:
        return Prediction(status="refused", reason=str(error))
    except Contradiction as error:
        return Prediction(status="illegal", reason=str(error))
    except BadInput as error:
        return Prediction(status="refused", reason=f"columns of the shape: {error}")
    legal = [case for case, fault in zip(cases.cases, wrong, strict=True) if not fault]
    if not legal:
        return Prediction(status="illegal", reason="; ".join(wrong[0]))
    assumed = f"assumed: {', '.join(cases.assumed)}" if cases.assumed else ""
    made = constants or Constants()
    step, no_time = None, ""
    try:
        step = times_of(row, legal, made.profiles)
    except MissingData as error:
        no_time = str(error)
    if cases.no_memory:
        reason = "; ".join(filter(None, (f"no peak memory: {cases.no_memory}", no_time, assumed)))
        return Prediction(status="refused" if step is None else "ok", step=step, reason=reason)
    points = [_interval(case, kind, made.engines) for case in legal for kind in cases.kinds]
    middle = points[0][0]
    low = min(point[1] for point in points) / cases.widen
    high = max(point[2] for point in points) * cases.widen
    limit = _usable(row.gpu)
    over = limit is not None and low > limit
    said = f"column gpu: {row.gpu} has {(limit or 0) / 1e9:.1f} GB for use" if over else ""
    return Prediction(
        status="does_not_fit" if over else "ok",
        peak_memory=middle,
        low=low,
        high=high,
        step=step,
        reason="; ".join(filter(None, (said, no_time, assumed))),
    )


def _interval(case: Case, kind: str, made: Mapping[str, Engine]) -> tuple[float, float, float]:
    """(median, 10 %, 90 %)."""
    found = peak(case.run, case.layout, made[case.run.recipe.engine])
    middle, low, high = (float(value.item()) for value in found.of_kind(kind))
    low = max(low, middle * 1e-3)  # a context can be a large part of a tiny run
    return middle, middle * exp(TO_80 * log(low / middle)), middle * exp(TO_80 * log(high / middle))


@cache
def _usable(gpu: str) -> float | None:
    """Bytes that software can use of the row's device, None where it is not in the catalogue."""
    if not gpu:
        return None
    try:
        return device(gpu).memory_usable().value
    except (UnknownName, MissingData):
        return None
