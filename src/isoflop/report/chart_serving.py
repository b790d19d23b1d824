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
    x = alt.X("alone:Q", scale=alt.Scale(zero=True), axis=alt.Axis(title="tokens a second that one user sees"))
    y = alt.Y("cost:Q", scale=alt.Scale(type="log", nice=True), axis=alt.Axis(title=named, tickCount=6, format="~g"))
    tip = [alt.Tooltip("placement:N"), alt.Tooltip("load:Q", title="requests", format=",d")]
    tip += [alt.Tooltip("alone:Q", format=".3g"), alt.Tooltip("cost:Q", format=".3g")]
    base = alt.Chart(alt.Data(values=rows))
    label = alt.Chart(alt.Data(values=_ends(rows)))
    layers = [
        base.mark_line().encode(x=x, y=y, order=alt.Order("alone:Q")),
        base.mark_point(filled=True, size=60).encode(x=x, y=y, tooltip=tip),
        label.mark_text(align="left", dx=8, dy=-8).encode(x=x, y=y, text="label:N"),
    ]
    title = f"{service.deployment.model.name} on {service.chips:,} x {service.deployment.device.title}"
    words = f"placements and loads that none beats, of {service.searched.holding:,} that hold a request"
    return finished(alt.layer(*layers).properties(width=inner, height=320, title=titled(title, words, inner)), mode)


def _point(found: Candidate, price: float | None) -> Datum:
    cost = found.each if price is None else 1e6 * price * found.placement.chips / found.rate
    alone, value, load = floats([found.alone, cost, found.load], "placement")
    label = f"{found.placement.words()}, {found.load:,.0f} requests"
    return {"alone": alone, "cost": value, "load": load, "placement": found.placement.words(), "label": label}


def _ends(rows: list[Datum]) -> list[Datum]:
    """The first of each placement, so that every label stands once."""
    seen: set[str] = set()
    found = []
    for row in rows:
        if str(row["placement"]) not in seen:
            seen.add(str(row["placement"]))
            found.append(row)
    return found
