"""Devices and numbers of chips by time and money: each device a line, and what no other beats marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.report.chart import MARGIN, finished, floats, legend, library, titled
from isoflop.report.chart_theme import DOLLARS, power_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode
    from isoflop.training import Offer

DAY = 86_400.0
EDGE = 1.15
"""Room about the outermost points, as a factor."""

MOST_DEVICES = 5
"""Lines that can be told apart: the devices with the cheapest offers."""


def offers_chart(
    offers: Sequence[Offer], title: str, *, width: int = 720, mode: Mode = "light"
) -> alt.TopLevelMixin:  # fmt: skip
    """Money against time, both logarithmic. Raises: MissingData where there is no offer."""
    alt = library()
    if not offers:
        raise MissingData("no device and number of chips is left, so there is nothing to draw")
    names = list(dict.fromkeys(one.device for one in sorted(offers, key=lambda one: one.cost)))[:MOST_DEVICES]
    rows = [_row(one) for one in offers if one.device in names]
    inner = max(160, width - MARGIN)
    days, costs = ([float(str(row[key])) for row in rows] for key in ("days", "cost"))
    x = alt.X(
        "days:Q", scale=alt.Scale(type="log", nice=False, domain=[min(days) / EDGE, max(days) * EDGE]),
        axis=alt.Axis(title="time of the run (days)", values=power_ticks(min(days), max(days)), format="~g"),
    )  # fmt: skip
    y = alt.Y(
        "cost:Q", scale=alt.Scale(type="log", nice=False, domain=[min(costs) / EDGE, max(costs) * EDGE]),
        axis=alt.Axis(title="cost ($)", values=power_ticks(min(costs) / EDGE, max(costs) * EDGE), labelExpr=DOLLARS),
    )  # fmt: skip
    tint = alt.Color(
        "device:N",
        scale=alt.Scale(domain=names, range="category"),
        legend=legend(names, inner, "circle"),
    )
    tip = [alt.Tooltip(f"{name}:N") for name in ("device", "chips", "price", "layout")]
    base = alt.Chart(alt.Data(values=rows))
    best = alt.Chart(alt.Data(values=[row for row in rows if row["best"]]))
    layers = [
        base.mark_line(opacity=0.5).encode(x=x, y=y, color=tint),
        base.mark_point(filled=True, size=25, opacity=0.7).encode(x=x, y=y, color=tint, tooltip=tip),
        best.mark_point(filled=True, size=90).encode(x=x, y=y, color=tint, tooltip=tip),
    ]
    words = "large: no other is both sooner and cheaper; one line a device, from one node up"
    return finished(alt.layer(*layers).properties(width=inner, height=320, title=titled(title, words, inner)), mode)


def _row(one: Offer) -> Datum:
    days, cost = floats([one.bill.time / DAY, one.cost], "offer")
    return {
        "device": one.device, "days": days, "cost": cost, "chips": f"{one.bill.chips:,}", "price": one.price,
        "layout": one.layout, "best": one.best,
    }  # fmt: skip
