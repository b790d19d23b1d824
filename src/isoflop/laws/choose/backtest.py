"""Backtests: fit below a cut, predict above it, hold every form, the blend and plain baselines against what came."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from isoflop.errors import MissingData, UntrustworthyFit
from isoflop.laws.choose.auto import fit_auto
from isoflop.laws.choose.candidate import candidates, form_label, varies
from isoflop.laws.fitting import Options, fit_point
from isoflop.laws.shapes import SHAPES

if TYPE_CHECKING:
    from isoflop.laws.result import Fit
    from isoflop.laws.runs import BoolArray, Runs
    from isoflop.quantity import FloatArray

BASELINES = ("chinchilla", "power-flops", "nearest run", "dearest runs")
"""Chinchilla's form by Huber's loss, a power of compute with a floor, the loss of the run most alike, and the middle
loss of the dearest twentieth: what needs no choice of form."""

_DEAREST = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How one predictor met the runs above the cut: relative errors of the loss, as shares.

    `error` is their mean size, `bias` their mean; `covered` the share of runs inside the interval and `width` the
    median of its width over the prediction, where the predictor has one.
    """

    name: str
    kind: Literal["auto", "form", "baseline"]
    error: float
    median: float
    largest: float
    bias: float
    covered: float | None = None
    width: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """One cut: `by` and `below` say where, `rows` are those fitted and those predicted, `level` is of intervals."""

    by: str
    below: float
    fitted: int
    predicted: int
    decades: float
    level: float
    held: tuple[Held, ...]
    fit: Fit
    notes: tuple[str, ...]

    def of(self, name: str) -> Held | None:
        """What that predictor did, if it could be fitted."""
        return next((one for one in self.held if one.name == name), None)

    @property
    def best_form(self) -> Held | None:
        """The form that did best, which is known only afterwards."""
        forms = [one for one in self.held if one.kind == "form"]
        return min(forms, key=lambda one: one.error) if forms else None


def backtest(
    runs: Runs, below: float, *, by: str = "flops", level: float = 0.8, options: Options | None = None
) -> Backtest:
    """Fit to the runs whose `by` is at most `below`, predict the others. MissingData where either side is empty."""
    runs.need((by, "loss"))
    values = runs.columns[by]
    usable = runs.usable(tuple(name for name in ("params", "tokens") if name in runs.columns))
    low, high = usable & (values <= below), usable & (values > below)
    if not low.any() or not high.any():
        side = "above" if low.any() else "at or below"
        ends = f"{values[usable].min():.4g} to {values[usable].max():.4g}" if usable.any() else "none can be used"
        raise MissingData(f"no run lies {side} {by} {below:g}; the runs have {ends}.")
    return held_out(runs, low, high, cut=(by, below), level=level, options=options)


def held_out(
    runs: Runs, low: BoolArray, high: BoolArray, *, cut: tuple[str, float], level: float, options: Options | None = None
) -> Backtest:
    """As `backtest`, with the rows to fit and those to predict given."""
    asked = options or Options()
    cheap, dear = runs.where(low), runs.where(high)
    fit = fit_auto(cheap, asked)
    middle, bottom, top = fit.predict_interval(dear.columns, level)
    held = [_held("auto", "auto", middle, dear.loss, (bottom, top)), *_forms(cheap, dear, asked)]
    held += _baselines(cheap, dear, {one.name for one in held}, asked)
    by, below = cut
    return Backtest(
        by=by,
        below=below,
        fitted=cheap.rows,
        predicted=dear.rows,
        decades=float(np.log10(dear.columns[by].max() / cheap.columns[by].max())),
        level=level,
        held=tuple(held),
        fit=fit,
        notes=fit.notes,
    )


def _held(
    name: str,
    kind: Literal["auto", "form", "baseline"],
    said: FloatArray,
    seen: FloatArray,
    ends: tuple[FloatArray, FloatArray] | None = None,
) -> Held:
    off = said / seen - 1.0
    covered = width = None
    if ends is not None:
        covered = float(((ends[0] <= seen) & (seen <= ends[1])).mean())
        width = float(np.median((ends[1] - ends[0]) / said))
    size = np.abs(off)
    return Held(
        name=name,
        kind=kind,
        error=float(size.mean()),
        median=float(np.median(size)),
        largest=float(size.max()),
        bias=float(off.mean()),
        covered=covered,
        width=width,
    )


def _forms(cheap: Runs, dear: Runs, options: Options) -> list[Held]:
    """Every form by itself, fitted to all of the cheaper runs."""
    quick, found = replace(options, bootstrap=0, strict=False), []
    for one in candidates(cheap):
        if one.trim or not set(one.shape.inputs) <= set(dear.columns):
            continue
        try:
            fit = fit_point(cheap, one.shape, quick)
        except UntrustworthyFit:
            continue
        with np.errstate(over="ignore"):
            found.append(_held(form_label(one.shape), "form", fit.predict(dear.columns), dear.loss))
    return found


def _baselines(cheap: Runs, dear: Runs, there: set[str], options: Options) -> list[Held]:
    found = []
    for name in BASELINES[:2]:
        if name not in there and varies(cheap, SHAPES[name].inputs):
            try:
                fit = fit_point(cheap, SHAPES[name], replace(options, bootstrap=0, strict=False))
            except UntrustworthyFit:
                continue
            found.append(_held(name, "baseline", fit.predict(dear.columns), dear.loss))
    inputs = [name for name in ("params", "tokens", "unique_tokens", "experts", "flops") if varies(cheap, (name,))]
    near, far = (np.stack([np.log(one.columns[name]) for name in inputs], axis=1) for one in (cheap, dear))
    step = max(1, 4_000_000 // max(1, near.shape[0] * near.shape[1]))
    like = [
        ((far[start : start + step, None] - near[None]) ** 2).sum(axis=2).argmin(axis=1)
        for start in range(0, len(far), step)
    ]
    found.append(_held(BASELINES[2], "baseline", cheap.loss[np.concatenate(like)], dear.loss))
    work = near.sum(axis=1) if "flops" not in cheap.columns else cheap.columns["flops"]
    last = np.argsort(work)[-max(1, int(np.ceil(_DEAREST * cheap.rows))) :]
    constant = np.full(dear.rows, float(np.median(cheap.loss[last])))
    return [*found, _held(BASELINES[3], "baseline", constant, dear.loss)]
