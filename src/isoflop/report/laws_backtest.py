"""A backtest of laws for scripts: how far each predictor was off the dearer runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isoflop.laws import Backtest
    from isoflop.report.json import Json


def backtest_json(found: Backtest) -> dict[str, Json]:
    """A backtest as plain data; errors, widths and coverage are shares."""
    auto = found.of("auto")
    assert auto is not None
    return {
        "schema_version": 1,
        "by": found.by,
        "train_below": found.below,
        "fitted": found.fitted,
        "predicted": found.predicted,
        "decades": found.decades,
        "interval": found.level,
        "error": auto.error,
        "covered": auto.covered,
        "width": auto.width,
        "predictors": [
            {
                "name": one.name,
                "kind": one.kind,
                "error": one.error,
                "median": one.median,
                "largest": one.largest,
                "bias": one.bias,
                "covered": one.covered,
                "width": one.width,
            }
            for one in found.held
        ],
        "weights": [{"form": one.form, "rolling_error": one.error, "weight": one.weight} for one in found.fit.tried],
        "warnings": list(found.notes),
    }
