"""Pictures over progress: the interval at a target against compute spent, and a run's curve with its outlook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.report.chart import MARGIN, finished, legend, library, titled
from isoflop.report.words import percent, say

if TYPE_CHECKING:
    import altair as alt

    from isoflop.laws import Design, Outlook
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode
    from isoflop.report.laws_running import Foreseen

_HEIGHT = 320
_MOST = 1500  # logged losses that are drawn


def design_chart(found: Design, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """Half-width at the target against FLOP spent: the design, and the same compute spent otherwise."""
    alt = library()
    tracks = {"design": found.track, **found.others}
    rows: list[Datum] = [
        {"how": name, "flops": float(x), "width": float(100 * y)}
        for name, one in tracks.items()
        for x, y in zip(one.flops, one.width, strict=True)
    ]
    rows += [
        {"how": name, "flops": float(found.track.flops[-1]), "width": float(100 * one.width[-1])}
        for name, one in tracks.items()
    ]
    inner = max(200, width - MARGIN)
    names = list(tracks)
    key = legend(names, inner, "stroke")
    highest = max(float(row["width"]) for row in rows)  # type: ignore[arg-type]  # a number
    label = "datum.value == 0 ? '0' : format(datum.value, '.2~e')"
    axis = alt.Axis(title="training compute of the new runs (FLOP)", labelExpr=label, tickCount=5)
    x = alt.X("flops:Q", axis=axis)
    y = alt.Y(
        "width:Q",
        scale=alt.Scale(domain=[0, 1.06 * highest], nice=False),
        axis=alt.Axis(title="± at the target (%)", tickCount=6),
    )
    color = alt.Color("how:N", sort=names, scale=alt.Scale(range="category", domain=names), legend=key)
    dash = alt.StrokeDash("how:N", sort=names, scale=alt.Scale(domain=names), legend=key)
    lines = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(interpolate="step-after")
        .encode(x=x, y=y, color=color, strokeDash=dash)
    )
    target = found.targets[0]
    said = f"{say(target['params'], 'params')} on {say(target['tokens'], 'tokens')}, {percent(found.level)} interval"
    title = titled("Interval at the target as runs are added", said, inner)
    return finished(lines.properties(width=inner, height=_HEIGHT, title=title), mode)


def running_chart(found: Foreseen, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """The logged losses, the law through them and on to the end of the run, with its band."""
    alt = library()
    one, curve = found.outlook, found.curve
    inner = max(200, width - MARGIN)
    shown = curve.at >= one.at[0]
    step = max(1, int(shown.sum()) // _MOST)
    dots: list[Datum] = [
        {"at": float(a), "loss": float(v)}
        for a, v in zip(curve.at[shown][::step], curve.loss[shown][::step], strict=True)
    ]
    rows: list[Datum] = [
        {"at": float(a), "loss": float(v), "low": float(lo), "high": float(hi)}
        for a, v, lo, hi in zip(one.at, one.middle, one.low, one.high, strict=True)
    ]
    logged = np.quantile(curve.loss[shown], (0.005, 0.995))
    low, high = min(float(one.low.min()), float(logged[0])), float(max(logged[1], one.middle.max()))
    pad = 0.05 * (high - low)
    x = alt.X(
        "at:Q", scale=alt.Scale(domain=[0, float(one.schedule.total)], nice=False), axis=_progress_axis(curve.measure)
    )
    scale = alt.Scale(domain=[low - pad, high + pad], zero=False, nice=False, clamp=False)
    y = alt.Y("loss:Q", scale=scale, axis=alt.Axis(title=curve.column.replace("_", " "), tickCount=6, format="~g"))
    base = alt.Chart(alt.Data(values=rows))
    layers = [
        alt.Chart(alt.Data(values=dots)).mark_point(filled=True, size=10, opacity=0.35, clip=True).encode(x=x, y=y),
        base.mark_area(clip=True, opacity=0.28).encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q"),
        base.mark_line(clip=True).encode(x=x, y=y),
        alt.Chart(alt.Data(values=[{"at": float(curve.end)}])).mark_rule(style="limit").encode(x=x),
        *_ending(one, (x, y)),
    ]
    said = f"{one.schedule.kind}, {percent(one.share)} done; band: {percent(one.level)} interval of the smoothed loss"
    title = titled("Where the run will end", said, inner)
    return finished(alt.layer(*layers).properties(width=inner, height=_HEIGHT, title=title), mode)


def _ending(one: Outlook, axes: tuple[alt.X, alt.Y]) -> list[alt.Chart]:
    """The final loss with its interval, at the end of the run."""
    alt = library()
    x, y = axes
    row: Datum = {
        "at": float(one.schedule.total),
        "loss": float(one.final.value),
        "low": float(one.final.low),
        "high": float(one.final.high),
        "label": f"{one.final.value:.4g}",
    }
    mark = alt.Chart(alt.Data(values=[row]))
    text = mark.encode(x=x, y=y, text=alt.Text("label:N"))
    return [
        mark.mark_rule(style="plan-interval").encode(x=x, y=alt.Y("low:Q", scale=y["scale"]), y2="high:Q"),
        mark.mark_point(style="plan", filled=True).encode(x=x, y=y),
        text.mark_text(style="halo", align="right", dx=-10, dy=-12),
        text.mark_text(style="label", align="right", dx=-10, dy=-12),
    ]


def _progress_axis(measure: str) -> alt.Axis:
    return library().Axis(title=measure, tickCount=6, format="~s")
