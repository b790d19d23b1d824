"""Loss against compute for one or more scaling laws, with a plan's point and the flat valley around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.errors import BadInput
from isoflop.report.chart import MARGIN, NARROW, finished, floats, legend, library, log_axis, loss_axis, padded, titled
from isoflop.report.layout import clean
from isoflop.report.words import finite, say, say_around, say_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

_HEIGHT = 300
_BETWEEN = 130  # pixels that axes and padding of two panels side by side take


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Loss (nat/token) that a law gives over compute (FLOP); `low` and `high`, where known, bound its band."""

    name: str
    compute: Sequence[float]
    loss: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPoint:
    """Where a plan stands: compute (FLOP), loss (nat/token) and the interval of that loss."""

    compute: float
    loss: float
    low: float
    high: float
    label: str = "this plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Valley:
    """Loss (nat/token) over model size (params) at the plan's compute.

    Between `low` and `high` params the loss is within the share `tolerance` of the best.
    """

    params: Sequence[float]
    loss: Sequence[float]
    best: float
    low: float
    high: float
    tolerance: float = 0.005


def loss_chart(
    curves: Sequence[Curve],
    point: PlanPoint | None = None,
    valley: Valley | None = None,
    *,
    width: int = 720,
    mode: Mode = "light",
) -> alt.TopLevelMixin:
    """Loss against compute with the plan's point; beside it (below, where narrow) the valley at the plan's compute."""
    alt = library()
    if not curves or not all(len(curve.compute) for curve in curves):
        raise BadInput("a loss chart needs at least one curve with points; give the law whose loss is to be drawn")
    beside = valley is not None and width >= NARROW
    inner = max(160, (width - _BETWEEN) * 3 // 5 - 20 if beside else width - MARGIN)
    left = _loss_panel(curves, point, inner)
    if valley is None:
        return finished(left, mode)
    right = _valley_panel(valley, max(120, width - _BETWEEN - inner - 20) if beside else inner)
    both = alt.hconcat(left, right, spacing=30) if beside else alt.vconcat(left, right, spacing=30)
    return finished(both.resolve_scale(color="independent", strokeDash="independent"), mode)


def _loss_panel(curves: Sequence[Curve], point: PlanPoint | None, width: int) -> alt.LayerChart:
    alt = library()
    rows, bands = _curve_rows(curves), _band_rows(curves)
    names = [clean(curve.name) for curve in curves]
    compute = [value for curve in curves for value in floats(curve.compute, "compute")]
    losses = [
        value for curve in curves for part in (curve.loss, curve.low, curve.high) for value in floats(part, "loss")
    ]
    if point:
        compute.append(finite(float(point.compute), "compute"))
        losses += floats((point.loss, point.low, point.high), "loss")
    domain = padded(compute, 0.02)
    x, y = log_axis("compute", "training compute (FLOP)", domain, width), loss_axis("loss", losses)
    key = legend(names, width, "stroke") if len(curves) > 1 or not point else None
    color = alt.Color("law:N", sort=names, scale=alt.Scale(range="category", domain=names), legend=key)
    dash = alt.StrokeDash("law:N", sort=names, scale=alt.Scale(domain=names), legend=key)
    tip = [alt.Tooltip("law:N"), alt.Tooltip("at:N", title="compute"), alt.Tooltip("reads:N", title="loss")]
    layers = []
    if bands:
        low = alt.Y("low:Q", scale=y["scale"])
        layers.append(alt.Chart(alt.Data(values=bands)).mark_area().encode(x=x, y=low, y2="high:Q", color=color))
    line = alt.Chart(alt.Data(values=rows)).mark_line(clip=True)
    layers.append(line.encode(x=x, y=y, color=color, strokeDash=dash, tooltip=tip))
    layers += _point_layers(point, domain, (x, y)) if point else []
    subtitle = f"{say(point.compute, 'train_flops')}: {_reads(point)}" if point else names[0] if len(names) == 1 else ""
    title = titled("Loss against compute", subtitle, width)
    return alt.layer(*layers).properties(width=width, height=_HEIGHT, title=title)


def _curve_rows(curves: Sequence[Curve]) -> list[Datum]:
    return [
        {"law": clean(curve.name), "compute": x, "loss": y, "at": say(x, "train_flops"), "reads": say(y, "loss")}
        for curve in curves
        for x, y in zip(floats(curve.compute, "compute"), floats(curve.loss, "loss"), strict=True)
    ]


def _band_rows(curves: Sequence[Curve]) -> list[Datum]:
    return [
        {"law": clean(curve.name), "compute": x, "low": low, "high": high}
        for curve in curves
        if len(curve.low) > 0
        for x, low, high in zip(
            floats(curve.compute, "compute"), floats(curve.low, "loss"), floats(curve.high, "loss"), strict=True
        )
    ]


def _reads(point: PlanPoint) -> str:
    """The point's loss and its interval."""
    return say_around(point.loss, point.low, point.high, "loss")


def _point_layers(point: PlanPoint, domain: tuple[float, float], axes: tuple[alt.X, alt.Y]) -> list[alt.Chart]:
    """The point, its interval, and its label, above: laws fall, and above them is room."""
    alt = library()
    row: Datum = {
        "compute": float(point.compute),
        "loss": float(point.loss),
        "low": float(point.low),
        "high": float(point.high),
        "label": [clean(point.label), say(point.loss, "loss")],
        "tip": f"{say(point.compute, 'train_flops')}, {_reads(point)}",
    }
    late = point.compute > domain[0] ** 0.3 * domain[1] ** 0.7  # near the right edge the label goes to the left
    place = {"align": "right" if late else "left", "dx": -2 if late else 10, "dy": -42 if late else -26}
    base = alt.Chart(alt.Data(values=[row]))
    x, y = axes
    text = base.encode(text=alt.Text("label:N"), x=x, y=y)
    return [
        base.mark_rule(style="plan-interval").encode(x=x, y=alt.Y("low:Q", scale=y["scale"]), y2="high:Q"),
        base.mark_point(style="plan", filled=True).encode(x=x, y=y, tooltip=alt.Tooltip("tip:N", title="plan")),
        text.mark_text(style="halo", lineHeight=15, **place),
        text.mark_text(style="label", lineHeight=15, **place),
    ]


def _valley_panel(valley: Valley, width: int) -> alt.LayerChart:
    alt = library()
    sizes, losses = floats(valley.params, "params"), floats(valley.loss, "loss")
    if not sizes:
        raise BadInput("a valley needs its curve: model sizes and the loss of each at the plan's compute")
    rows: list[Datum] = [
        {"params": size, "loss": loss, "at": say(size, "params"), "reads": say(loss, "loss")}
        for size, loss in zip(sizes, losses, strict=True)
    ]
    low, high, best = floats((valley.low, valley.high, valley.best), "params")
    x = log_axis("params", "model size (parameters)", padded([*sizes, low, high], 0.02), width)
    y = loss_axis("loss", losses, below=0.16)
    nearest = min(zip(sizes, losses, strict=True), key=lambda pair: abs(pair[0] - best))
    mark = alt.Chart(alt.Data(values=[{"params": best, "loss": nearest[1], "label": say(best, "params")}]))
    text = mark.encode(x=x, y=y, text=alt.Text("label:N"))
    tip = [alt.Tooltip("at:N", title="size"), alt.Tooltip("reads:N", title="loss")]
    band = alt.Chart(alt.Data(values=[{"low": low, "high": high}])).mark_rect(style="valley")
    layers = [
        band.encode(x=alt.X("low:Q", scale=x["scale"], axis=x["axis"]), x2="high:Q"),
        alt.Chart(alt.Data(values=rows)).mark_line(clip=True).encode(x=x, y=y, tooltip=tip),
        mark.mark_point(style="plan", filled=True).encode(x=x, y=y),
        text.mark_text(style="halo", dy=12, baseline="top"),
        text.mark_text(style="label", dy=12, baseline="top"),
    ]
    span = f"loss within {100 * valley.tolerance:g} %: {say_interval(low, high, 'params')}"
    title = titled("At this compute", span, width)
    return alt.layer(*layers).properties(width=width, height=_HEIGHT, title=title)
