"""The chain from compute to the error of a task: a law of loss, then a law of errors that follows the loss."""

from __future__ import annotations

from statistics import NormalDist
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws.result import Fit
    from isoflop.quantity import FloatArray

_DRAWS = 400

Ends = tuple["FloatArray", "FloatArray", "FloatArray"]


def chained(
    loss: Fit, error: Fit, columns: Mapping[str, FloatArray], level: float = 0.8, rng: np.random.Generator | None = None
) -> Mapping[str, Ends]:
    """Loss and error of new runs, each with its interval: middle, low, high by name.

    The loss is taken as log-normal over its own interval (constants, scatter, drift); the error adds the doubt of its
    constants and the scatter of tasks about its law. Neglects that both laws may err together. Source: [gadre2024 §4]
    """
    if tuple(error.shape.inputs) != ("loss",):
        raise BadInput(
            f"{error.shape.name} follows {', '.join(error.shape.inputs)}, not the loss alone; fit downstream"
        )
    rng = rng or np.random.default_rng(0)
    middle, low, high = loss.predict_interval(columns, level, rng)
    spread = (np.log(high) - np.log(low)) / (2.0 * NormalDist().inv_cdf(0.5 + level / 2))
    losses = middle * np.exp(spread * rng.standard_normal((_DRAWS, 1)))
    at = error.doubt.draws[rng.integers(0, len(error.doubt.draws), _DRAWS)]
    scatter = -rng.choice(error.doubt.residuals, size=(_DRAWS, 1))
    values = np.exp(np.asarray(error.shape.log_loss(at, {"loss": losses})) + scatter)
    point = error.predict({"loss": middle})
    ends = np.quantile(values, (0.5 - level / 2, 0.5 + level / 2), axis=0)
    return MappingProxyType(
        {"loss": (middle, low, high), error.target: (point, np.minimum(ends[0], point), np.maximum(ends[1], point))}
    )
