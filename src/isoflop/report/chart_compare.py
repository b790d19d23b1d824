"""Laws over compute: what the best split of each reaches, how large it is, and a fit on beyond its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from isoflop.errors import BadInput
from isoflop.report.chart import MARGIN, finished, floats, legend, library, log_axis, padded, titled
from isoflop.report.chart_loss import Curve, loss_chart
from isoflop.report.chart_theme import POWER_LABELS, power_ticks
from isoflop.report.words import percent, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from isoflop.laws import Belief, Comparison, Decision, Fit, Runs
    from isoflop.quantity import FloatArray
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

CompareChart = Literal["curves", "sizes"]

POINTS = 13
BEYOND = 100.0
"""How far past the dearest run a fit is drawn, as a factor."""

_HEIGHT = 300
_MOST = 2000  # runs that are drawn
_WIDER = 10.0  # a picture of two laws begins and ends so far, as a factor, from the budgets they were asked at
_EXTENT = (1e18, 1e27)


def compare_chart(
    found: Comparison, kind: CompareChart = "curves", *, width: int = 720, mode: Mode = "light"
) -> alt.TopLevelMixin:
    """Two laws over compute: the loss of the best split, or its size; bands where their spread is known."""
    from isoflop import laws

    flops = np.geomspace(*_extent(found), POINTS)
    decided = [(one.name, [laws.allocate(one, float(c)) for c in flops]) for one in _told_apart(found)]
    if kind == "sizes":
        return finished(_sizes(decided, flops, width), mode)
    return loss_chart([_curve(name, flops, one) for name, one in decided], width=width, mode=mode)


def _told_apart(found: Comparison) -> tuple[Belief, Belief]:
    """Both laws, under names that differ."""
    from dataclasses import replace

    first, second = found.first, found.second
    return (first, second) if first.name != second.name else (first, replace(second, name=f"{second.name} (second)"))


def _extent(found: Comparison) -> tuple[float, float]:
    asked = [
        float(text) for one in found.differences for text in [one.name.rpartition(" at ")[2].split(" ")[0]] if _is(text)
    ]
    low, high = (min(asked), max(asked)) if asked else (1e21, 1e24)
    return max(low / _WIDER, _EXTENT[0]), min(high * _WIDER, _EXTENT[1])


def _is(text: str) -> bool:
    try:
        return float(text) > _EXTENT[0]
    except ValueError:
        return False


def _curve(name: str, flops: FloatArray, decided: Sequence[Decision]) -> Curve:
    low, high = [one.loss.low for one in decided], [one.loss.high for one in decided]
    sure = low == high
    return Curve(
        name=name,
        compute=flops.tolist(),
        loss=[one.loss.value for one in decided],
        low=() if sure else low,
        high=() if sure else high,
    )


def _sizes(decided: Sequence[tuple[str, list[Decision]]], flops: FloatArray, width: int) -> alt.TopLevelMixin:
    """Best params over compute, log-log, a line and a band a law."""
    alt = library()
    names = [name for name, _ in decided]
    rows: list[Datum] = [
        {
            "law": name,
            "compute": float(c),
            "params": float(one.params.value),
            "low": float(one.params.low),
            "high": float(one.params.high),
            "at": say(float(c), "train_flops"),
            "reads": f"{say(one.params.value, 'params')} on {say(one.tokens.value, 'tokens')}",
        }
        for name, several in decided
        for c, one in zip(flops, several, strict=True)
    ]
    inner = max(200, width - MARGIN)
    x = log_axis("compute", "training compute (FLOP)", padded(flops.tolist(), 0.02), inner)
    ends = padded(floats([float(str(row[key])) for row in rows for key in ("low", "high")], "params"), 0.04)
    scale = alt.Scale(type="log", domain=list(ends), nice=False)
    axis = alt.Axis(values=power_ticks(*ends, most=6), labelExpr=POWER_LABELS, title="best size (parameters)")
    key = legend(names, inner, "stroke")
    color = alt.Color("law:N", sort=names, scale=alt.Scale(range="category", domain=names), legend=key)
    dash = alt.StrokeDash("law:N", sort=names, scale=alt.Scale(domain=names), legend=key)
    tip = [alt.Tooltip("law:N"), alt.Tooltip("at:N", title="compute"), alt.Tooltip("reads:N", title="best")]
    base = alt.Chart(alt.Data(values=rows))
    layers = [
        base.mark_area().encode(x=x, y=alt.Y("low:Q", scale=scale, axis=axis), y2="high:Q", color=color),
        base.mark_line().encode(x=x, y=alt.Y("params:Q", scale=scale), color=color, strokeDash=dash, tooltip=tip),
    ]
    title = titled("Best size against compute", "bands: intervals, where a law's spread is known", inner)
    return alt.layer(*layers).properties(width=inner, height=_HEIGHT, title=title)


def ahead_chart(
    fit: Fit, runs: Runs, *, level: float = 0.8, width: int = 720, mode: Mode = "light"
) -> alt.TopLevelMixin:
    """The runs, and the loss of the fit's best split over compute with its band, on to `BEYOND` times the dearest run.

    BadInput for a law that does not follow params and tokens alone.
    """
    from isoflop.laws.surface import Surface

    if not follows_compute(fit):
        raise BadInput(f"{fit.shape.name} takes more than params and tokens; draw its residuals or predicted")
    alt = library()
    low, high = fit.origin.ranges["flops"]
    flops = np.geomspace(low, high * BEYOND, 25)
    split = Surface(shape=fit.shape, at=fit.at).allocate(flops)
    columns = {"params": np.asarray(split.params), "tokens": np.asarray(split.tokens), "flops": flops}
    middle, under, over = fit.predict_interval(columns, level)
    curve = Curve(
        name=fit.shape.name, compute=flops.tolist(), loss=middle.tolist(), low=under.tolist(), high=over.tolist()
    )
    kept = runs.where(runs.usable(("params", "tokens"), fit.target))
    thin = slice(None, None, max(1, -(-kept.rows // _MOST)))
    rows: list[Datum] = [
        {"compute": float(c), "loss": float(v)}
        for c, v in zip(kept.columns["flops"][thin], kept.columns[fit.target][thin], strict=True)
        if v <= 1.25 * float(middle.max())
    ]
    inner = max(160, width - MARGIN)
    drawn = loss_chart([curve], width=width, mode=mode)
    dots = alt.Chart(alt.Data(values=rows)).mark_point(filled=True, size=16, opacity=0.4, clip=True)
    rule = alt.Chart(alt.Data(values=[{"compute": float(high)}])).mark_rule(style="limit").encode(x="compute:Q")
    words = f"{percent(level)} interval of a new run; the line: the dearest run, {say(high, 'train_flops')}"
    title = titled("Where the law points", words, inner)
    both = alt.layer(dots.encode(x="compute:Q", y="loss:Q"), *drawn.layer, rule)
    return finished(both.properties(width=inner, height=_HEIGHT, title=title), mode)


def follows_compute(fit: Fit) -> bool:
    """Whether the law can be drawn over compute: it takes params and tokens, and nothing that has to be said."""
    return {"params", "tokens"} <= set(fit.shape.inputs) <= {"params", "tokens", "flops"}
