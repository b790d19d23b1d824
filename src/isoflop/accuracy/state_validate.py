"""Predictions of start-up logs held against what was printed: errors by source, for each of the four figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from isoflop.accuracy.state_predict import StatePrediction, predict_state
from isoflop.accuracy.validate import macro_of, score_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from isoflop.accuracy.state_rows import StateRow
    from isoflop.accuracy.validate import Score
    from isoflop.model.names import Description

Figure = Literal["weights", "state", "tokens", "concurrency"]
FIGURES: tuple[Figure, ...] = get_args(Figure)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateReport:
    """A prediction for every row, and scores of those with a printed value: by framework, and all together.

    Rows whose settings were inferred from what was printed are predicted, but not scored.
    """

    rows: tuple[StateRow, ...]
    predictions: tuple[StatePrediction, ...]
    scores: dict[Figure, tuple[Score, ...]]
    macro: dict[Figure, Score | None]

    def counts(self) -> dict[str, int]:
        """How many rows have which status."""
        found: dict[str, int] = {}
        for one in self.predictions:
            found[one.status] = found.get(one.status, 0) + 1
        return found


def validate_state(rows: Iterable[StateRow], library: dict[str, Description]) -> StateReport:
    """Predict every row, and hold it against what its runtime printed."""
    every = tuple(rows)
    predictions = tuple(
        StatePrediction(status="refused", reason=f"{row.fault} (row {row.id})")
        if row.fault
        else predict_state(row.settings, library)
        for row in every
    )
    scores = {figure: state_scores(every, predictions, figure) for figure in FIGURES}
    macro = {figure: macro_of(found) for figure, found in scores.items()}
    return StateReport(rows=every, predictions=predictions, scores=scores, macro=macro)


def state_scores(rows: Sequence[StateRow], predictions: Sequence[StatePrediction], figure: Figure) -> tuple[Score, ...]:
    """A score for each framework that has rows with a prediction and a printed value."""
    by_framework: dict[str, list[tuple[float, ...]]] = {}
    for row, one in zip(rows, predictions, strict=True):
        measured, predicted = getattr(row.measured, figure), getattr(one, figure)
        if measured is None or predicted is None or row.inferred:
            continue
        by_framework.setdefault(row.settings.framework, []).append((measured, *predicted))
    return tuple(score_of(framework, np.array(found)) for framework, found in by_framework.items())
