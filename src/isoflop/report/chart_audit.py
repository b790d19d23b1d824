"""Charts of an audit: what each uncertain input does to the result by itself, and whose uncertainty it is."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Literal

from isoflop.errors import MissingData, shorten
from isoflop.report.audit import amount, around, name_of
from isoflop.report.chart import CHARACTER, MARGIN, finished, library, titled
from isoflop.report.words import finite, percent

if TYPE_CHECKING:
    import altair as alt

    from isoflop.audit import Corrected, Driver, Report
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

AuditChart = Literal["tornado", "shares"]

_ROW = 34  # pixels an input takes
_MOST = 8
_LONGEST = 34
_SIDES = ("input at its low end", "input at its high end")


def audit_chart(
    report: Report, kind: AuditChart = "tornado", *, width: int = 720, mode: Mode = "light"
) -> alt.TopLevelMixin:
    """One of the charts of an audit. Raises: MissingData where nothing is computed, or nothing is uncertain."""
    found, result = report.sensitivity, report.result
    drivers = [] if found is None else [one for one in found.drivers if one.low != one.high]
    ends = [end for one in drivers for end in (one.low, one.high, one.share)]
    if result is not None and not all(isfinite(one) for one in (result.value, *ends)):
        raise MissingData("a result beyond all floats has no bars to draw; narrow the inputs that lead to it")
    if result is None or not drivers:
        raise MissingData(
            "no input of the result is uncertain, so there is nothing to draw; "
            "write a spread (value = '30% to 50%') or give --mfu '32% to 49%'"
        )
    draw = tornado_chart if kind == "tornado" else shares_chart
    return draw(drivers[:_MOST], result, width=width, mode=mode)


def tornado_chart(
    drivers: list[Driver], result: Corrected, *, width: int = 720, mode: Mode = "light"
) -> alt.TopLevelMixin:
    """A bar an input, between the results with it at its two ends: its 5 and 95 % points, or its bounds."""
    alt = library()
    labels = [shorten(one.label, most=_LONGEST) for one in drivers]
    inner = max(160, int(width - MARGIN - CHARACTER * max(map(len, labels))))
    rows = [row for one in drivers for row in _sides(one, result)]
    ends = [finite(one, "an end of the tornado") for driver in drivers for one in (driver.low, driver.high)]
    ends.append(result.value)
    room = CHARACTER * (max(len(str(row["label"])) for row in rows) + 2)  # pixels of a label beside its bar
    grow = (max(ends) - min(ends)) * room / max(inner - 2 * room, room) or abs(result.value)
    axis = alt.Axis(title=_axis(result), labels=False, ticks=False, grid=False)
    scale = alt.Scale(domain=[min(ends) - grow, max(ends) + grow], nice=False, zero=False)
    x = alt.X("from:Q", scale=scale, axis=axis)
    y = alt.Y("input:N", sort=labels, axis=alt.Axis(title=None, labelLimit=0, domain=False, ticks=False))
    key = alt.Legend(orient="bottom", title=None, columns=2 if inner > 420 else 1, labelLimit=0)
    tint = alt.Color("side:N", scale=alt.Scale(domain=list(_SIDES), range="category"), legend=key)
    tip = [alt.Tooltip("input:N"), alt.Tooltip("side:N"), alt.Tooltip("label:N", title="result")]
    bars = (
        alt.Chart(alt.Data(values=rows)).mark_bar(height=_ROW - 14).encode(x=x, x2="to:Q", y=y, color=tint, tooltip=tip)
    )
    layers = [bars]
    for side, align, shift in ((True, "left", 5), (False, "right", -5)):
        chosen = [row for row in rows if row["right"] is side]
        text = alt.Chart(alt.Data(values=chosen)).mark_text(align=align, dx=shift)
        layers.append(text.encode(x=alt.X("to:Q", scale=scale), y=y, text="label:N"))
    rule = alt.Chart(alt.Data(values=[{"from": result.value}])).mark_rule(style="limit")
    layers.append(rule.encode(x=alt.X("from:Q", scale=scale)))
    title = titled(f"What moves {name_of(result)}", around(result), width - MARGIN)
    return finished(alt.layer(*layers).properties(width=inner, height=_ROW * len(drivers), title=title), mode)


def _sides(driver: Driver, result: Corrected) -> list[Datum]:
    rows: list[Datum] = []
    for side, end in zip(_SIDES, (driver.low, driver.high), strict=True):
        rows.append(
            {
                "input": shorten(driver.label, most=_LONGEST),
                "side": side,
                "from": finite(result.value, result.label),
                "to": finite(end, result.label),
                "label": amount(end, result.unit).partition(" ")[0].partition("/")[0],
                "right": bool(end >= result.value),
            }
        )
    return rows


def _axis(result: Corrected) -> str:
    unit = result.unit.text if result.unit is not None else ""
    return f"{name_of(result)} ({unit})" if unit and unit != "1" else name_of(result)


def shares_chart(
    drivers: list[Driver], result: Corrected, *, width: int = 720, mode: Mode = "light"
) -> alt.TopLevelMixin:
    """A bar an input: the part of the variance of ln(result) that it brings, and what is left if it were known."""
    alt = library()
    labels = [shorten(one.label, most=_LONGEST) for one in drivers]
    inner = max(160, int(width - MARGIN - CHARACTER * max(map(len, labels))))
    rows: list[Datum] = [
        {
            "input": shorten(one.label, most=_LONGEST),
            "share": max(0.0, finite(one.share, one.label)),
            "label": f"{percent(one.share)}; known, {percent(round(one.left, 2))} is left",
        }
        for one in drivers
    ]
    end = max(1.0, *(float(str(row["share"])) for row in rows)) * (1 + CHARACTER * 26 / inner)
    x = alt.X(
        "share:Q",
        scale=alt.Scale(domain=[0.0, end], nice=False),
        axis=alt.Axis(title=f"part of the variance of {name_of(result)}", format="%", values=[0, 0.25, 0.5, 0.75, 1]),
    )
    y = alt.Y("input:N", sort=labels, axis=alt.Axis(title=None, labelLimit=0, domain=False, ticks=False))
    base = alt.Chart(alt.Data(values=rows))
    layers = [
        base.mark_bar(height=_ROW - 14).encode(x=x, y=y, tooltip=["input:N", "label:N"]),
        base.mark_text(align="left", dx=5).encode(x=x, y=y, text="label:N"),
    ]
    title = titled(f"Whose uncertainty it is: {name_of(result)}", around(result), width - MARGIN)
    return finished(alt.layer(*layers).properties(width=inner, height=_ROW * len(drivers), title=title), mode)
