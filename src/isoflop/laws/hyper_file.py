"""A fitted law of learning rate and batch as JSON, and back."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from isoflop.errors import BadFile, shorten
from isoflop.laws.checks import Check  # noqa: TC001 - msgspec reads it at run time
from isoflop.laws.entry import Published, Spread
from isoflop.laws.fit_file import MOST_DRAWS, OriginFile, origin_again, origin_object
from isoflop.laws.hyper_fit import COORDINATES, BatchUnit, HyperCertificate, HyperFit
from isoflop.laws.limits import FittedOn
from isoflop.quantity.json_file import read_json

if TYPE_CHECKING:
    from isoflop.quantity import FloatArray

KIND = "isoflop-hyper-fit"
VERSION = 1


class _File(msgspec.Struct, frozen=True):
    kind: str
    schema_version: int
    batch_unit: BatchUnit
    coordinates: dict[str, float]
    draws: list[tuple[float, float, float, float, float, float]]
    offsets: list[tuple[float, float]]
    curvature: tuple[float, float, float]
    cells: int
    rows: int
    resamples: int
    bottomless: int
    left_out: list[str]
    certificate: HyperCertificate
    runs: OriginFile
    checks: list[Check]


def hyper_object(fit: HyperFit, *, level: float = 0.8) -> dict[str, object]:
    """A fit as plain data: constants with their interval first, then all that made them."""
    ends = fit.interval(level)
    return {
        "schema_version": VERSION,
        "kind": KIND,
        "law": "hyper",
        "title": f"learning_rate and {fit.batch_unit} = coefficient * params^a * tokens^b",
        "batch_unit": fit.batch_unit,
        "constants": dict(fit.constants),
        "interval": level,
        "low": {name: one[0] for name, one in ends.items()},
        "high": {name: one[1] for name, one in ends.items()},
        "coordinates": dict(zip(COORDINATES, fit.at.tolist(), strict=True)),
        "curvature": list(fit.curvature),
        "factors_that_cost_a_thousandth": {"learning_rate": fit.breadth[0], "batch": fit.breadth[1]},
        "cells": fit.cells,
        "rows": fit.rows,
        "resamples": fit.resamples,
        "bottomless": fit.bottomless,
        "left_out": list(fit.left_out),
        "certificate": msgspec.to_builtins(fit.certificate),
        "runs": msgspec.to_builtins(origin_object(fit.origin)),
        "checks": [msgspec.to_builtins(one) for one in fit.checks],
        "draws": fit.draws[:MOST_DRAWS].tolist(),
        "offsets": fit.offsets.tolist(),
    }


def is_hyper(path: str | Path) -> bool:
    """Whether a file holds such a fit."""
    return read_json(path).get("kind") == KIND


def read_hyper(path: str | Path) -> HyperFit:
    """The fit that `isoflop laws fit --law hyper --out` wrote."""
    place = shorten(str(path), most=200)
    try:
        file = msgspec.convert(read_json(path), _File)
    except msgspec.ValidationError as error:
        raise BadFile(f"{place}: {shorten(str(error), most=200)}; fit the law anew.") from error
    held = (file.draws, file.offsets, [list(file.coordinates.values())], [list(file.curvature)])
    finite = all(np.isfinite(np.array(one, dtype=np.float64)).all() for one in held)
    wrong = file.kind != KIND or file.schema_version != VERSION or tuple(file.coordinates) != COORDINATES
    if wrong or not finite or not file.draws or not file.offsets or min(file.curvature[0], file.curvature[2]) <= 0:
        raise BadFile(
            f"{place}: not a fitted law of learning rate and batch of this version; write one with: isoflop laws fit"
            " RUNS --law hyper --out fit.json"
        )
    return HyperFit(
        at=_array(list(file.coordinates.values())),
        draws=_array(file.draws),
        offsets=_array(file.offsets),
        left_out=tuple(file.left_out),
        checks=tuple(file.checks),
        origin=origin_again(file.runs),
        batch_unit=file.batch_unit,
        curvature=file.curvature,
        cells=file.cells,
        rows=file.rows,
        resamples=file.resamples,
        bottomless=file.bottomless,
        certificate=file.certificate,
    )


def _array(rows: object) -> FloatArray:
    return np.array(rows, dtype=np.float64)


def fitted_settings(path: str | Path) -> Published:
    """A fit as a law of the house."""
    fit = read_hyper(path)
    bad = [one.name for one in fit.checks if one.status == "fail"]
    ranges = {name: fit.origin.ranges[name] for name in ("params", "tokens") if name in fit.origin.ranges}
    said = f"{fit.rows} rows of {fit.cells} grids in {fit.origin.source}"
    return Published(
        name=Path(path).stem,
        title=f"learning rate and batch, fitted to {said}",
        form=fit.law,
        source="fit",
        place=str(path),
        rounding="none",
        verified=f"{fit.cells} grids with their best run inside",
        note=f"Checks that failed: {', '.join(bad)}." if bad else "",
        fitted_on=FittedOn(of=said, ranges=MappingProxyType(ranges)),
        spread=Spread(covariance=(), of="draws of hyper are used by laws predict only"),
    )
