"""Predictions of serving held against what was measured: errors by source, and of the plain roofline beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.accuracy.serving import ServingPrediction, predict_serving
from isoflop.accuracy.validate import score_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isoflop.accuracy.serving_rows import ServingRow
    from isoflop.accuracy.validate import Quadruple, Score
    from isoflop.model.names import Description
    from isoflop.serving.rates import Constants

SCORED = ("tpot", "ttft", "output_rate", "prompt_rate", "energy")
"""Quantities in the order of the tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingReport:
    """A prediction for every row, and scores of what was measured, by quantity: all rows, and by source."""

    rows: tuple[ServingRow, ...]
    predictions: tuple[ServingPrediction, ...]

    def counts(self) -> dict[str, int]:
        """How many rows have which status."""
        found: dict[str, int] = {}
        for one in self.predictions:
            found[one.status] = found.get(one.status, 0) + 1
        return found

    def pairs(self, quantity: str, source: str | None = None) -> list[Quadruple]:
        """(measured, predicted, low, high) of every row that has both; of one source where it is given."""
        found = []
        for row, one in zip(self.rows, self.predictions, strict=True):
            measured = getattr(row.measured, quantity)
            if measured is not None and quantity in one.bands and source in {None, row.source}:
                middle, low, high = (float(np.asarray(end)) for end in one.bands[quantity])
                found.append((measured, middle, low, high))
        return found

    def score(self, quantity: str, source: str | None = None) -> Score | None:
        """Errors of a quantity, None where nothing of it was measured."""
        pairs = self.pairs(quantity, source)
        return score_of(source or "all rows", np.array(pairs, dtype=np.float64)) if pairs else None

    def sources(self, quantity: str) -> list[str]:
        """Sources that measured a quantity, in the order of their rows."""
        return [source for source in dict.fromkeys(row.source for row in self.rows) if self.pairs(quantity, source)]


def validate_serving(
    rows: Iterable[ServingRow], library: dict[str, Description], own: Constants | None = None
) -> ServingReport:
    """Predict every row."""
    every = tuple(rows)
    predictions = tuple(
        ServingPrediction(status="refused", bands={}, reason=row.fault)
        if row.fault
        else predict_serving(row.settings, library, own)
        for row in every
    )
    return ServingReport(rows=every, predictions=predictions)
