"""Pictures of decisions: the valley at a compute with its band and the three approaches' sizes in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.report.chart import MARGIN, finished, library, log_axis, loss_axis, titled
from isoflop.report.words import percent, say, say_interval

if TYPE_CHECKING:
    import altair as alt

    from isoflop.laws import Decision
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode
    from isoflop.report.laws_allocate import Allocated

_HEIGHT = 320
_POINTS = 81
_HIGHEST = 6.0  # losses above the best that are drawn, in widths of the valley
_NEAR = 0.1  # of the valley's width, in logs: two marks nearer than this share a label
_WIDER = 2.2  # how far beyond the valley, in logs, a picture looks


def allocate_chart(found: Allocated, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """Loss over params at the decision's compute: the curve with its band, the valley, the best size, the approaches.

    Where a loss is asked for, the picture is that of the compute reaching it takes.
    """
    alt = library()
    one = found.decision.at_its_compute()
    low, high = one.valley
    span = np.log(high / low) * (_WIDER - 1.0) / 2.0
    params = np.geomspace(low * np.exp(-span), high * np.exp(span), _POINTS)
    middle, under, over = one.losses(params)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(middle) & (middle < np.nanmin(middle) * (1.0 + _HIGHEST * one.aim.slack))
    rows: list[Datum] = [
        {"params": float(n), "loss": float(v), "low": float(a), "high": float(b), "at": say(n, "params")}
        for n, v, a, b in zip(params[good], middle[good], under[good], over[good], strict=True)
    ]
    inner = max(200, width - MARGIN)
    # The law's floor is uncertain for all sizes alike: the band decides the picture at the best size only.
    lowest = int(np.nanargmin(middle))
    shown = [*middle[good].tolist(), float(under[lowest]), float(over[lowest])]
    x = log_axis("params", "model size (parameters)", (float(params[good][0]), float(params[good][-1])), inner)
    y = loss_axis("loss", shown, below=0.12)
    layers = [*_ground(one, rows, (x, y)), *_sides(found, one, (x, y)), *_best(one, (x, y))]
    said = f"within {100 * one.aim.slack:g} % of the best: {say_interval(low, high, 'params')}"
    if len(one.belief.draws):
        said += f"; band: {percent(one.aim.level)} of the law's own doubt"
    flops = one.aim.flops or one.train_flops.value
    title = titled(f"Loss at {say(flops, 'train_flops')} under {one.belief.name}", said, inner)
    return finished(alt.layer(*layers).properties(width=inner, height=_HEIGHT, title=title), mode)


def _ground(one: Decision, rows: list[Datum], axes: tuple[alt.X, alt.Y]) -> list[alt.Chart]:
    alt = library()
    x, y = axes
    base = alt.Chart(alt.Data(values=rows))
    low, high = one.valley
    ground = alt.Chart(alt.Data(values=[{"low": float(low), "high": float(high)}])).mark_rect(style="valley")
    tip = [alt.Tooltip("at:N", title="size"), alt.Tooltip("loss:Q", format=".4f")]
    found = [ground.encode(x=alt.X("low:Q", scale=x["scale"], axis=x["axis"]), x2="high:Q")]
    if len(one.belief.draws):
        found.append(base.mark_area(clip=True).encode(x=x, y=alt.Y("low:Q", scale=y["scale"]), y2="high:Q"))
    return [*found, base.mark_line(clip=True).encode(x=x, y=y, tooltip=tip)]


def _best(one: Decision, axes: tuple[alt.X, alt.Y]) -> list[alt.Chart]:
    alt = library()
    x, y = axes
    row: Datum = {
        "params": float(one.params.value),
        "loss": float(one.losses(np.array([one.params.value]))[0][0]),
        "low": float(one.params.low),
        "high": float(one.params.high),
        "label": [f"{say(one.params.value, 'params')} on {say(one.tokens.value, 'tokens')}"],
    }
    base = alt.Chart(alt.Data(values=[row]))
    text = base.encode(x=x, y=y, text=alt.Text("label:N"))
    return [
        base.mark_rule(style="plan-interval").encode(
            x=alt.X("low:Q", scale=x["scale"], axis=x["axis"]), x2="high:Q", y=y
        ),
        base.mark_point(style="plan", filled=True).encode(x=x, y=y),
        text.mark_text(style="halo", dy=16, baseline="top"),
        text.mark_text(style="label", dy=16, baseline="top"),
    ]


def _sides(found: Allocated, one: Decision, axes: tuple[alt.X, alt.Y]) -> list[alt.Chart]:
    """The sizes of approaches 1 and 2 on the curve of approach 3."""
    alt = library()
    x, y = axes
    rows: list[Datum] = [
        {
            "params": float(side.params.value),
            "loss": float(one.losses(np.array([side.params.value]))[0][0]),
            "label": side.approach.partition(",")[0],
        }
        for side in found.sides[:2]
        if side.params is not None
    ]
    if not rows:
        return []
    low, high = one.valley
    if len(rows) > 1 and abs(np.log(float(rows[0]["params"]) / float(rows[1]["params"]))) < _NEAR * np.log(high / low):  # type: ignore[arg-type]  # numbers
        rows[0]["label"], rows[1]["label"] = f"{rows[0]['label']}, {rows[1]['label']}", ""
    base = alt.Chart(alt.Data(values=rows))
    text = base.encode(x=x, y=y, text=alt.Text("label:N"))
    return [
        base.mark_point(style="limit", filled=True, size=70, clip=True).encode(x=x, y=y),
        text.mark_text(style="halo", dy=-12, clip=True),
        text.mark_text(style="limit-label", dy=-12, clip=True),
    ]
