"""A fit as JSON: written with everything that is needed to use it and to doubt it, read back with checks."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from isoflop.errors import BadFile, BadInput, shorten
from isoflop.laws.checks import Check  # noqa: TC001 - msgspec reads it at run time
from isoflop.laws.choose.blend import NAME, blend_object, blend_of
from isoflop.laws.entry import Published, Spread
from isoflop.laws.interface import Counts  # noqa: TC001 - msgspec reads it at run time
from isoflop.laws.limits import FittedOn
from isoflop.laws.objective import Kind, Objective  # msgspec reads Kind at run time
from isoflop.laws.result import Certificate, Doubt, Fit, Origin, Tried  # msgspec reads them at run time
from isoflop.laws.shapes import shape_of
from isoflop.laws.surface import DERIVED, Surface
from isoflop.quantity import quantities
from isoflop.quantity.json_file import read_json

if TYPE_CHECKING:
    from isoflop.laws.forms import Chinchilla, TiedChinchilla
    from isoflop.laws.shape import Shape
    from isoflop.quantity import FloatArray

KIND = "isoflop-law-fit"
VERSION = 1
MOST_DRAWS = 1000
MOST_RESIDUALS = 2000


def fit_object(fit: Fit, *, level: float = 0.8) -> dict[str, object]:
    """A fit as plain data: constants with their interval first, then all that made them."""
    low_high = fit.interval(level)
    residuals = np.sort(fit.doubt.residuals)
    if len(residuals) > MOST_RESIDUALS:
        residuals = np.quantile(residuals, (np.arange(MOST_RESIDUALS) + 0.5) / MOST_RESIDUALS)
    return {
        "schema_version": VERSION,
        "kind": KIND,
        "law": fit.shape.name,
        "title": getattr(fit.shape, "title", ""),
        "target": fit.target,
        "constants": dict(fit.constants),
        "interval": level,
        "low": {name: ends[0] for name, ends in low_high.items()},
        "high": {name: ends[1] for name, ends in low_high.items()},
        "params_exponent": _exponent(fit, level),
        "coordinates": dict(zip(fit.shape.coordinates, fit.at.tolist(), strict=True)),
        "objective": {"kind": fit.objective.kind, "delta": _finite(fit.objective.delta), "over": fit.objective.over},
        "fixed": dict(fit.fixed),
        "ties": dict(fit.ties),
        "certificate": msgspec.to_builtins(fit.certificate),
        "runs": msgspec.to_builtins(origin_object(fit.origin)),
        "checks": [msgspec.to_builtins(one) for one in fit.checks],
        "members": blend_object(fit.shape),
        "tried": [msgspec.to_builtins(one) for one in fit.tried],
        "notes": list(fit.notes),
        "doubt": {
            "of": fit.doubt.of,
            "covariance": fit.doubt.covariance.tolist(),
            "drift": fit.doubt.drift,
            "bias": fit.doubt.bias,
            "draws": fit.doubt.draws[:MOST_DRAWS].tolist(),
            "residuals": residuals.tolist(),
        },
    }


def origin_object(origin: Origin) -> dict[str, object]:
    """The runs behind a fit as plain data, without the folder they lay in."""
    return {
        "source": Path(origin.source).name,
        "fingerprint": origin.fingerprint,
        "rows": origin.rows,
        "used": origin.used,
        "groups": origin.groups,
        "flagged": dict(origin.flagged),
        "mapping": [list(one) for one in origin.mapping],
        "guesses": list(origin.guesses),
        "notes": list(origin.notes),
        "ranges": {name: list(ends) for name, ends in origin.ranges.items()},
        "counts": origin.counts,
    }


def _exponent(fit: Fit, level: float) -> dict[str, float] | None:
    found = fit.exponent_interval(level)
    return None if found is None else dict(zip(("value", "low", "high"), found, strict=True))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


class _Objective(msgspec.Struct, frozen=True):
    kind: Kind
    delta: float | None
    over: float


class _Doubt(msgspec.Struct, frozen=True):
    of: str
    covariance: list[list[float]]
    drift: float
    bias: float
    draws: list[list[float]]
    residuals: list[float]


class OriginFile(msgspec.Struct, frozen=True):
    """The runs behind a fit, as its file has them."""

    source: str
    fingerprint: str
    rows: int
    used: int
    groups: int
    flagged: dict[str, int]
    mapping: list[tuple[str, str, str]]
    guesses: list[str]
    notes: list[str]
    ranges: dict[str, tuple[float, float]]
    counts: Counts


class _Member(msgspec.Struct, frozen=True):
    law: str
    label: str
    weight: float
    units: dict[str, float]


class _File(msgspec.Struct, frozen=True):
    law: str
    coordinates: dict[str, float]
    objective: _Objective
    fixed: dict[str, float]
    ties: dict[str, str]
    certificate: Certificate
    runs: OriginFile
    checks: list[Check]
    doubt: _Doubt
    members: list[_Member] = []
    tried: list[Tried] = []
    notes: list[str] = []


def read_fit(path: str | Path) -> Fit:
    """The fit that `isoflop laws fit --out` wrote."""
    place = shorten(str(path), most=200)
    held = read_json(path)
    if held.get("kind") != KIND or held.get("schema_version") != VERSION:
        raise BadFile(
            f"{place}: not a fitted law of this version; write one with: isoflop laws fit RUNS --out fit.json"
        )
    try:
        file = msgspec.convert(held, _File)
    except msgspec.ValidationError as error:
        raise BadFile(f"{place}: {shorten(str(error), most=200)}; fit the law anew.") from error
    shape = _shape(file, place)
    names = shape.coordinates
    if tuple(file.coordinates) != names or not file.doubt.draws or not file.doubt.residuals:
        raise BadFile(f"{place}: coordinates must be {', '.join(names)}, with draws and residuals; fit the law anew.")
    draws, covariance = (_array(rows, len(names), place) for rows in (file.doubt.draws, file.doubt.covariance))
    return Fit(
        shape=shape,
        at=np.array(list(file.coordinates.values())),
        objective=_objective(file.objective),
        fixed=MappingProxyType(file.fixed),
        ties=MappingProxyType(file.ties),
        certificate=file.certificate,
        origin=origin_again(file.runs),
        doubt=Doubt(
            covariance=covariance,
            draws=draws,
            of=file.doubt.of,
            residuals=np.array(file.doubt.residuals),
            drift=file.doubt.drift,
            bias=file.doubt.bias,
        ),
        checks=tuple(file.checks),
        tried=tuple(file.tried),
        notes=tuple(file.notes),
    )


def _shape(file: _File, place: str) -> Shape:
    """The form, or the blend of forms."""
    if file.law != NAME:
        return shape_of(file.law)
    total = sum(one.weight for one in file.members)
    wrong = [
        one.label for one in file.members if not one.weight > 0 or any(not unit > 0 for unit in one.units.values())
    ]
    if wrong or not abs(total - 1.0) < 1e-6:
        raise BadFile(f"{place}: the weights of members must be positive and add up to 1; fit the law anew.")
    return blend_of([(one.law, one.label, one.weight, one.units) for one in file.members])


def _objective(held: _Objective) -> Objective:
    delta = float("inf") if held.delta is None else held.delta
    return Objective(kind=held.kind, delta=delta, over=held.over)


def origin_again(runs: OriginFile) -> Origin:
    """The runs behind a fit, from its file."""
    return Origin(
        **{name: getattr(runs, name) for name in ("source", "fingerprint", "rows", "used", "groups", "counts")},
        flagged=MappingProxyType(runs.flagged),
        mapping=tuple(runs.mapping),
        guesses=tuple(runs.guesses),
        notes=tuple(runs.notes),
        ranges=MappingProxyType(runs.ranges),
    )


def _array(rows: list[list[float]], size: int, place: str) -> FloatArray:
    if any(len(row) != size for row in rows):
        raise BadFile(f"{place}: draws and covariance must have {size} numbers a row; fit the law anew.")
    return np.array(rows, dtype=np.float64)


def fitted_law(path: str | Path) -> Published:
    """A fit as a law of the house: wherever a law is named, the path of its file will do."""
    from isoflop.laws import hyper_file

    if hyper_file.is_hyper(path):
        return hyper_file.fitted_settings(path)
    fit = read_fit(path)
    form = form_of(fit)
    bad = [one.name for one in fit.checks if one.status == "fail"]
    ranges = {"params": "params", "tokens": "tokens", "flops": "train_flops"}
    known = quantities()
    return Published(
        name=Path(path).stem,
        title=f"{fit.shape.name}, fitted to {fit.origin.used} rows of {fit.origin.source}",
        form=form,
        source="fit",
        place=str(path),
        rounding="none",
        verified=f"{fit.certificate.agree} of {fit.certificate.starts} starts agree",
        note=f"Checks that failed: {', '.join(bad)}." if bad else "",
        fitted_on=FittedOn(
            of=f"{fit.origin.used} rows of {fit.origin.source}",
            ranges=MappingProxyType(
                {ranges[name]: ends for name, ends in fit.origin.ranges.items() if ranges.get(name) in known}
            ),
        ),
        spread=_spread(fit),
    )


def form_of(fit: Fit) -> Chinchilla | TiedChinchilla | Surface:
    """The law of loss that a fit is; BadInput where it gives none, or none of what a plan knows."""
    if fit.shape.name in {"chinchilla", "chinchilla-tied"}:
        return fit.form
    known = quantities()
    strange = [name for name in fit.shape.inputs if name not in known and name not in DERIVED]
    if fit.target != "loss" or strange:
        follows = f"{fit.target} from {', '.join(fit.shape.inputs)}"
        raise BadInput(
            f"{fit.shape.name} gives {follows}, so nothing can be planned with it: ask isoflop laws predict, and fit"
            " one of chinchilla, chinchilla-tied, kaplan-joint, farseer, overtraining, data-constrained to plan."
        )
    return Surface(shape=fit.shape, at=fit.at, convention=fit.convention)


def _spread(fit: Fit) -> Spread:
    """The joint spread; fixed constants of a closed form get one of a billionth, for its covariance has no zero."""
    if fit.shape.name not in {"chinchilla", "chinchilla-tied"}:
        return Spread(covariance=(), of=fit.doubt.of, draws=tuple(tuple(row) for row in fit.doubt.draws.tolist()))
    matrix = fit.doubt.covariance
    matrix = 0.5 * (matrix + matrix.T) + np.eye(len(matrix)) * 1e-12
    return Spread(covariance=tuple(tuple(row) for row in matrix.tolist()), of=fit.doubt.of)
