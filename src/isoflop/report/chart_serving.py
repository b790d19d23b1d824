"""The charts of a deployment: cost against latency, memory of a chip, a step of decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from isoflop.errors import MissingData
from isoflop.report.chart import MARGIN, finished, floats, library, titled
from isoflop.report.chart_memory import memory_chart
from isoflop.report.chart_training import step_chart

if TYPE_CHECKING:
    import altair as alt

    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode
    from isoflop.serving.advice import Service
    from isoflop.serving.search import Candidate

ServingChart = Literal["pareto", "memory", "step"]

_HEIGHT = 320
_LINE = 14  # pixels that a label is high

LONGEST = 30.0
"""Times to the first token beyond this many seconds are queues without use: they are not drawn."""


def serving_chart(
    service: Service, kind: ServingChart = "pareto", *, width: int = 720, mode: Mode = "light"
) -> alt.TopLevelMixin:
    """One of the charts of a deployment. Raises: MissingData where there is nothing to draw."""
    if kind == "memory":
        return memory_chart(service.memory, width=width, mode=mode)
    if service.step is None or service.searched is None:
        raise MissingData(f"nothing is timed ({service.untimed or 'no placement holds'}), so only memory can be drawn")
    if kind == "step":
        return step_chart(service.step, width=width, mode=mode)
    return front_chart(service, width=width, mode=mode)


def front_chart(service: Service, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """Dollars a million tokens (tokens a second and chip where no price is known) against tokens that a user sees."""
    alt = library()
    assert service.searched is not None
    tariff = service.wish.tariff
    inner = max(160, width - MARGIN)
    shown = [found for found in service.searched.pareto if found.first <= LONGEST] or list(service.searched.pareto)
    rows = [_point(found, None if tariff is None else tariff.amount) for found in shown]
    named = "tokens written a second and chip" if tariff is None else "$ a million tokens written"
    alone, costs = ([float(str(row[name])) for row in rows] for name in ("alone", "cost"))
    x = alt.X(
        "alone:Q",
        scale=alt.Scale(domain=[0.0, 1.06 * max(alone)], nice=False),
        axis=alt.Axis(title="tokens a second that one user sees", tickCount=8),
    )
    ends = [0.75 * min(costs), 1.4 * max(costs)]
    axis = alt.Axis(title=named, format="~g", values=_ticks(*ends))
    y = alt.Y("cost:Q", scale=alt.Scale(type="log", domain=ends, nice=False), axis=axis)
    tip = [alt.Tooltip("placement:N"), alt.Tooltip("load:Q", title="requests", format=",d")]
    tip += [alt.Tooltip("alone:Q", format=".3g"), alt.Tooltip("cost:Q", format=".3g")]
    kinds = list(dict.fromkeys(str(row["placement"]) for row in rows))
    colour = alt.Color(
        "placement:N",
        scale=alt.Scale(domain=kinds, range="category"),
        legend=alt.Legend(orient="bottom", title=None, columns=3, labelLimit=0),
    )
    base = alt.Chart(alt.Data(values=rows))
    named_points = alt.Chart(
        alt.Data(values=_apart(list({str(row["load"]): row for row in rows}.values()), ends, inner))
    )
    layers = [
        base.mark_line(opacity=0.5).encode(x=x, y=y, order=alt.Order("alone:Q")),
        base.mark_point(filled=True, size=70, opacity=1).encode(x=x, y=y, color=colour, tooltip=tip),
        named_points.mark_text(align="left", dx=7, dy=9).encode(x=x, y=y, text=alt.Text("load:Q", format=",d")),
    ]
    title = f"{service.deployment.model.name} on {service.chips:,} x {service.deployment.device.title}"
    words = (
        f"none of {service.searched.holding:,} placements and loads beats these; beside each point: requests at once"
    )
    return finished(alt.layer(*layers).properties(width=inner, height=_HEIGHT, title=titled(title, words, inner)), mode)


def _apart(rows: list[Datum], ends: list[float], width: int) -> list[Datum]:
    """The points whose labels do not touch: from the quickest on, each far enough from the one named before."""
    from math import log

    most = 1.06 * max(float(str(row["alone"])) for row in rows)
    kept: list[Datum] = []
    last = (float("inf"), float("inf"))
    for row in sorted(rows, key=lambda row: -float(str(row["alone"]))):
        across = float(str(row["alone"])) / most * width
        up = log(float(str(row["cost"])) / ends[0]) / log(ends[1] / ends[0]) * _HEIGHT
        if last[0] - across > 7.0 * len(f"{float(str(row['load'])):,.0f}") + 4 or abs(last[1] - up) > _LINE:
            kept.append(row)
            last = (across, up)
    return kept


def _point(found: Candidate, price: float | None) -> Datum:
    cost = found.each if price is None else 1e6 * price * found.placement.chips / found.rate
    alone, value, load = floats([found.alone, cost, found.load], "placement")
    return {"alone": alone, "cost": value, "load": load, "placement": found.placement.words()}


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of every power of ten within the ends."""
    from math import floor, log10

    powers = range(floor(log10(low)), floor(log10(high)) + 1)
    return [one * 10.0**power for power in powers for one in (1, 2, 5) if low <= one * 10.0**power <= high]
