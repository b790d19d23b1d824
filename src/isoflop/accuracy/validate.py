"""Predictions held against what was measured: errors by source, honesty of the intervals, false "fits".

A source counts as much as any other in the averages (macro), however many rows it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.accuracy.predict import Constants, Prediction, predict
from isoflop.hardware import devices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from isoflop.accuracy.rows import Row
    from isoflop.accuracy.shapes import Known
    from isoflop.quantity.types import FloatArray

    Pair = Callable[[Row, Prediction], "Quadruple | None"]

LEVEL = 0.8
"""What the interval of a prediction should cover."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Errors of peak memory or of step time over `rows` rows as shares (0.02 = 2 %): |predicted - measured| / measured.

    `coverage`: rows whose measured value lies in the 80 % interval. `width`: median of (high - low) / prediction.
    """

    source: str
    rows: int
    median: float
    mean: float
    p90: float
    worst: float
    coverage: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fits:
    """Every measured row against the usable memory of every device of the catalogue.

    Of `too_large` pairs where the measured peak is more than the device has, `false_fits` are predicted to fit by the
    upper end of the interval, and `false_fits_middle` by its middle. Of `fitting` pairs `false_refusals` are predicted
    not to fit, by its lower end. Every row with a prediction ran on its own device, measured for memory or not: of
    these `ran`, `ran_refused` are predicted not to fit there.
    """

    too_large: int
    false_fits: int
    false_fits_middle: int
    fitting: int
    false_refusals: int
    ran: int
    ran_refused: int

    @property
    def false_fit_rate(self) -> float:
        """Share of the pairs that do not fit and are predicted to."""
        return self.false_fits / self.too_large if self.too_large else 0.0

    @property
    def false_fit_rate_middle(self) -> float:
        """The same, judged by the middle of the interval."""
        return self.false_fits_middle / self.too_large if self.too_large else 0.0

    @property
    def false_refusal_rate(self) -> float:
        """Share of the pairs that fit and are predicted not to."""
        return self.false_refusals / self.fitting if self.fitting else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A prediction for every row, and scores of those that were measured: by source, and all sources alike.

    `scores` and `macro` are of peak memory, `time_scores` and `time_macro` of step time.
    """

    rows: tuple[Row, ...]
    predictions: tuple[Prediction, ...]
    scores: tuple[Score, ...]
    macro: Score | None
    fits: Fits
    time_scores: tuple[Score, ...]
    time_macro: Score | None

    def counts(self) -> dict[str, int]:
        """How many rows have which status."""
        found: dict[str, int] = {}
        for one in self.predictions:
            found[one.status] = found.get(one.status, 0) + 1
        return found


def validate_training(rows: Iterable[Row], library: tuple[Known, ...], constants: Constants | None = None) -> Report:
    """Predict every row, and hold against its measured step time and peak memory where it has them."""
    every = tuple(rows)
    predictions = tuple(
        Prediction(status="refused", reason=f"{row.fault} (row {row.id})")
        if row.fault
        else predict(row.settings, library, constants)
        for row in every
    )
    scores, times = scores_of(every, predictions), scores_of(every, predictions, time_pair)
    return Report(
        rows=every,
        predictions=predictions,
        scores=scores,
        macro=macro_of(scores),
        fits=fits_of(every, predictions),
        time_scores=times,
        time_macro=macro_of(times),
    )


def scores_of(rows: Sequence[Row], predictions: Sequence[Prediction], pair: Pair | None = None) -> tuple[Score, ...]:
    """A score for each source that has rows with a prediction and a measured value, of peak memory or of `pair`."""
    of = pair or memory_pair
    by_source: dict[str, list[tuple[float, ...]]] = {}
    for row, one in zip(rows, predictions, strict=True):
        found = of(row, one)
        if found is not None:
            by_source.setdefault(row.source, []).append(found)
    return tuple(score_of(source, np.array(found)) for source, found in by_source.items())


Quadruple = tuple[float, float, float, float]


def memory_pair(row: Row, one: Prediction) -> Quadruple | None:
    """(measured, predicted, low, high) of peak memory, None where one of them is missing."""
    measured = row.measured.peak_memory
    if measured is None or one.peak_memory is None or one.low is None or one.high is None:
        return None
    return measured, one.peak_memory, one.low, one.high


def time_pair(row: Row, one: Prediction) -> Quadruple | None:
    """(measured, predicted, low, high) of step time, None where one of them is missing."""
    measured = row.measured.step_time
    return None if measured is None or one.step is None else (measured, *one.step)


def score_of(source: str, found: FloatArray) -> Score:
    """Errors of rows of (measured, predicted, low, high)."""
    measured, middle, low, high = found.T
    errors = np.abs(middle / measured - 1)
    return Score(
        source=source,
        rows=len(errors),
        median=float(np.median(errors)),
        mean=float(errors.mean()),
        p90=float(np.quantile(errors, 0.9)),
        worst=float(errors.max()),
        coverage=float(((low <= measured) & (measured <= high)).mean()),
        width=float(np.median((high - low) / middle)),
    )


_AVERAGED = ("median", "mean", "p90", "worst", "coverage", "width")


def macro_of(scores: Sequence[Score]) -> Score | None:
    """The mean over sources of each figure, None without any."""
    if not scores:
        return None
    means = {name: float(np.mean([getattr(score, name) for score in scores])) for name in _AVERAGED}
    return Score(source="mean of sources", rows=sum(score.rows for score in scores), **means)


def fits_of(rows: Sequence[Row], predictions: Sequence[Prediction]) -> Fits:
    """Every row with a measured peak against every device whose usable memory is known."""
    usable = np.array([one.memory.usable.value for one in devices().values() if one.memory.usable is not None])
    pairs = (memory_pair(row, one) for row, one in zip(rows, predictions, strict=True))
    found = np.array([pair for pair in pairs if pair is not None]).reshape(-1, 4)
    measured, middle, low, high = (column[:, None] for column in found.T)
    over = measured > usable
    return Fits(
        too_large=int(over.sum()),
        false_fits=int((over & (high <= usable)).sum()),
        false_fits_middle=int((over & (middle <= usable)).sum()),
        fitting=int((~over).sum()),
        false_refusals=int((~over & (low > usable)).sum()),
        ran=sum(one.peak_memory is not None for one in predictions),
        ran_refused=sum(one.status == "does_not_fit" for one in predictions),
    )
