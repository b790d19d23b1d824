"""The tables of step time on the accuracy page: fitted, kept apart by source and by model, after three own rows.

What was kept apart cannot be computed while the page is made, as every fold is a fit: `make profiles` writes it to
`rows/apart.csv`.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isoflop.accuracy.tables import table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from isoflop.accuracy.predict import Prediction
    from isoflop.accuracy.rows import Row
    from isoflop.accuracy.validate import Report

FILE = Path(__file__).with_name("rows") / "apart.csv"
THREE = "three:"

Pair = tuple["Row", "Prediction"]


class Aside(NamedTuple):
    """Residuals of rows by id, in logarithms, and the median error by source after calibration on three of its rows."""

    source: dict[str, float]
    model: dict[str, float]
    three: dict[str, float]


@cache
def aside() -> Aside:
    """What `make profiles` has written."""
    found = Aside({}, {}, {})
    with FILE.open(encoding="utf-8", newline="") as stream:
        for name, first, second in list(csv.reader(stream))[1:]:
            if name.startswith(THREE):
                found.three[name.removeprefix(THREE)] = float(first)
            else:
                found.source[name], found.model[name] = float(first), float(second)
    return found


def time_tables(report: Report) -> str:
    """The Markdown of step times: all sources alike, then each."""
    pairs = [
        (row, one)
        for row, one in zip(report.rows, report.predictions, strict=True)
        if one.step is not None and row.measured.step_time is not None
    ]
    return "\n\n".join((_summary(pairs), _by_source(pairs), _after_three()))


_KINDS: tuple[tuple[str, Callable[[Row], bool]], ...] = (
    ("dense", lambda row: not row.settings.experts),
    ("mixtures of experts", lambda row: bool(row.settings.experts)),
)


def _summary(pairs: Sequence[Pair]) -> str:
    """Dense and mixtures, by what was kept aside: over all rows, and every source alike."""
    lines = []
    for kind, holds in _KINDS:
        own = [pair for pair in pairs if holds(pair[0])]
        for said, errors in (
            ("all rows fitted", _fitted(own)),
            ("source kept apart", _apart(own, aside().source)),
            ("model kept apart", _apart(own, aside().model)),
        ):
            known = [(row, error) for (row, _), error in zip(own, errors, strict=True) if error is not None]
            sources = sorted({row.source for row, _ in known})
            each = [[error for row, error in known if row.source == source] for source in sources]
            medians = float(np.mean([np.median(one) for one in each]))
            values = [error for _, error in known]
            lines.append((kind, said, str(len(values)), *_figures(values), _percent(medians), *_coverage(own, said)))
    return table(("rows", "constants", "n", *_HEAD, "median, mean of sources", "coverage", "width"), lines)


_HEAD = ("median", "mean", "p90")


def _by_source(pairs: Sequence[Pair]) -> str:
    lines = []
    for source in dict.fromkeys(row.source for row, _ in pairs):
        own = [pair for pair in pairs if pair[0].source == source]
        apart = [error for error in _apart(own, aside().source) if error is not None]
        fitted = [error for error in _fitted(own) if error is not None]
        lines.append((source, str(len(own)), *_figures(fitted), *(_figures(apart) if apart else ("", "", ""))))
    return table(("source", "n", *_HEAD, *(f"{name} apart" for name in _HEAD)), lines)


def _after_three() -> str:
    lines = [(source, _percent(error)) for source, error in aside().three.items()]
    if not lines:
        return ""
    middle = float(np.median(list(aside().three.values())))
    return table(("source", "median after calibration on three of its rows"), [*lines, ("median", _percent(middle))])


def _fitted(pairs: Sequence[Pair]) -> list[float | None]:
    found: list[float | None] = []
    for row, one in pairs:
        assert one.step is not None
        assert row.measured.step_time is not None
        found.append(abs(one.step.middle / row.measured.step_time - 1))
    return found


def _apart(pairs: Sequence[Pair], residuals: dict[str, float]) -> list[float | None]:
    return [abs(float(np.expm1(residuals[row.id]))) if row.id in residuals else None for row, _ in pairs]


def _coverage(pairs: Sequence[Pair], said: str) -> tuple[str, str]:
    """Measured values in the 80 % interval, every source alike, and its median width."""
    residuals = {"source kept apart": aside().source, "model kept apart": aside().model}.get(said)
    inside: dict[str, list[bool]] = {}
    widths = []
    for row, one in pairs:
        assert one.step is not None
        assert row.measured.step_time is not None
        residual = float(np.log(one.step.middle / row.measured.step_time))
        if residuals is not None:
            if row.id not in residuals:
                continue
            residual = residuals[row.id]
        low, high = np.log(one.step.low / one.step.middle), np.log(one.step.high / one.step.middle)
        inside.setdefault(row.source, []).append(bool(low <= -residual <= high))
        widths.append((one.step.high - one.step.low) / one.step.middle)
    covered = float(np.mean([np.mean(one) for one in inside.values()]))
    return f"{100 * covered:.0f} %", f"{100 * float(np.median(widths)):.0f} %"


def _figures(errors: Sequence[float]) -> tuple[str, str, str]:
    return (
        _percent(float(np.median(errors))),
        _percent(float(np.mean(errors))),
        _percent(float(np.quantile(errors, 0.9))),
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
