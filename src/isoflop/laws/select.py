"""Which form for these runs: the one whose fits to the cheaper runs predict the dearer ones best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import UntrustworthyFit
from isoflop.laws.backtest import ahead
from isoflop.laws.shapes import SHAPES

if TYPE_CHECKING:
    from isoflop.laws.fitting import Options
    from isoflop.laws.runs import Runs
    from isoflop.quantity import FloatArray

SIMPLER = 1.1
"""A form with more constants has to predict this much better."""

FAMILIES = (
    (("unique_tokens",), ("data-constrained",)),
    (("experts",), ("moe-clark",)),
    (("granularity",), ("moe-fine-grained",)),
    (("weight_bits", "activation_bits", "kv_bits"), ("precision",)),
    (("params", "tokens"), ("chinchilla-tied", "chinchilla", "kaplan-joint", "farseer")),
    (("width", "depth", "tokens"), ("width-depth",)),
    (("flops",), ("power-flops", "kaplan-flops")),
    (("params",), ("power-params", "kaplan-params")),
    (("tokens",), ("power-tokens", "kaplan-tokens")),
)
"""Columns, and the forms that are tried where the runs have them: the first family that fits."""

_FARSEER_ROWS = 60


def best_form(runs: Runs, options: Options) -> tuple[str, tuple[tuple[str, float], ...]]:
    """The form that predicts best, and the error of each that was tried: the median of |ln(loss)| beyond the cuts."""
    names = next((forms for columns, forms in FAMILIES if _vary(runs, columns)), ())
    if not names:
        raise UntrustworthyFit("no column varies that a law could follow.", missing=("runs of several sizes and data",))
    tried = []
    for name in names:
        if name == "farseer" and runs.rows < _FARSEER_ROWS:
            continue
        cuts = _cuts(name, runs, options)
        if cuts:
            tried.append((name, float(np.median(np.abs(np.concatenate(cuts))))))
    if not tried:
        return names[0], ()
    best = tried[0]
    for one in tried[1:]:
        if one[1] * SIMPLER < best[1]:
            best = one
    return best[0], tuple(tried)


def _vary(runs: Runs, columns: tuple[str, ...]) -> bool:
    """Whether the runs have all of these columns, and none of them is the same everywhere."""
    return all(name in runs.columns and np.ptp(np.nan_to_num(runs.columns[name])) > 0 for name in columns)


def _cuts(name: str, runs: Runs, options: Options) -> list[FloatArray]:
    try:
        return [one.errors for one in ahead(runs, SHAPES[name], options)]
    except UntrustworthyFit:
        return []
