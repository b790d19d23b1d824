"""Charts of one solved answer: what each known does to it by itself, and its course over each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import MissingData
from isoflop.quantity import quantity, unit
from isoflop.report.chart import CHARACTER, MARGIN, NARROW, finished, library, log_axis, padded, titled
from isoflop.report.chart_theme import POWER_LABELS, power_ticks
from isoflop.report.words import finite, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from isoflop.ask.sensitivity import Course, Moved
    from isoflop.relation import Answer
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

_ROW = 34  # pixels a known takes
_MOST = 8
_SIDES = ("known at its low end", "known at its high end")
_PANELS = 4
_STEEP = 30.0  # an answer that moves more than so many times is drawn on a logarithmic axis


def moved_chart(answer: Answer, found: Sequence[Moved], *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """A tornado: a bar a known, between the answers with it at its two ends. Raises: MissingData where none moves."""
    alt = library()
    shown = list(found)[:_MOST]
    if not shown:
        raise MissingData("nothing that is known moves this answer, so there is nothing to draw")
    labels = [_label(one) for one in shown]
    inner = max(160, int(width - MARGIN - CHARACTER * max(map(len, labels))))
    rows = [row for one, label in zip(shown, labels, strict=True) for row in _sides(one, label, answer)]
    ends = [*(finite(end, "an end") for one in shown for end in one.gives), answer.value]
    room = CHARACTER * (max(len(str(row["label"])) for row in rows) + 2)
    grow = (max(ends) - min(ends)) * room / max(inner - 2 * room, room) or abs(answer.value)
    scale = alt.Scale(domain=[min(ends) - grow, max(ends) + grow], nice=False, zero=False)
    axis = alt.Axis(title=answer.quantity.replace("_", " "), labels=False, ticks=False, grid=False)
    x = alt.X("from:Q", scale=scale, axis=axis)
    y = alt.Y("known:N", sort=labels, axis=alt.Axis(title=None, labelLimit=0, domain=False, ticks=False))
    key = alt.Legend(orient="bottom", title=None, columns=2 if inner > 420 else 1, labelLimit=0)
    tint = alt.Color("side:N", scale=alt.Scale(domain=list(_SIDES), range="category"), legend=key)
    tip = [alt.Tooltip("known:N"), alt.Tooltip("at:N", title="at"), alt.Tooltip("label:N", title="gives")]
    bars = alt.Chart(alt.Data(values=rows)).mark_bar(height=_ROW - 14)
    layers = [bars.encode(x=x, x2="to:Q", y=y, color=tint, tooltip=tip)]
    for side, align, shift in ((True, "left", 5), (False, "right", -5)):
        text = alt.Chart(alt.Data(values=[row for row in rows if row["right"] is side]))
        layers.append(text.mark_text(align=align, dx=shift).encode(x=alt.X("to:Q", scale=scale), y=y, text="label:N"))
    rule = alt.Chart(alt.Data(values=[{"from": answer.value}])).mark_rule(style="limit")
    layers.append(rule.encode(x=alt.X("from:Q", scale=scale)))
    how = "each known moved by 10 %, all else as it stands" if shown[0].nudged else "each known between its ends alone"
    title = titled(f"What moves {answer.quantity.replace('_', ' ')}", how, width - MARGIN)
    return finished(alt.layer(*layers).properties(width=inner, height=_ROW * len(shown), title=title), mode)


def _label(one: Moved) -> str:
    low, high = (say(end, one.quantity, 3) for end in one.at)
    return f"{one.quantity.replace('_', ' ')}: {low} to {high}"


def _sides(one: Moved, label: str, answer: Answer) -> list[Datum]:
    return [
        {
            "known": label,
            "side": side,
            "from": finite(answer.value, answer.quantity),
            "to": finite(gives, answer.quantity),
            "at": say(at, one.quantity, 3),
            "label": say(gives, answer.quantity, 3),
            "right": bool(gives >= answer.value),
        }
        for side, at, gives in zip(_SIDES, one.at, one.gives, strict=True)
    ]


def course_chart(
    answer: Answer, found: Sequence[Course], *, width: int = 720, mode: Mode = "light"
) -> alt.TopLevelMixin:
    """The answer over each of up to four knowns, all else as it stands; the point is where it stands now.

    Read from the answer back to the known, each is the inverse too. Raises: MissingData where there is none.
    """
    alt = library()
    shown = list(found)[:_PANELS]
    if not shown:
        raise MissingData("no known has a range to draw this answer over")
    beside = 2 if width >= NARROW and len(shown) > 1 else 1
    inner = max(150, width // beside - MARGIN - 10)
    panels = [_panel(answer, one, inner) for one in shown]
    return finished(alt.concat(*panels, columns=beside, spacing=24), mode)


def _panel(answer: Answer, one: Course, inner: int) -> alt.LayerChart:
    alt = library()
    known = np.isfinite(one.gives)
    size, name = _unit_of(answer)
    scale_x, name_x = _unit(one.quantity, one.now)
    rows: list[Datum] = [
        {"x": float(x / scale_x), "y": float(y / size), "at": say(float(x), one.quantity, 3),
         "reads": say(float(y), answer.quantity, 3)}
        for x, y in zip(one.at[known], one.gives[known], strict=True)
    ]  # fmt: skip
    x = _log_axis([float(str(row["x"])) for row in rows], _titled(one.quantity, name_x), inner)
    values = [float(str(row["y"])) for row in rows]
    tip = [alt.Tooltip("at:N", title=one.quantity), alt.Tooltip("reads:N", title=answer.quantity)]
    y = _axis(values, _titled(answer.quantity, name))
    line = alt.Chart(alt.Data(values=rows)).mark_line(clip=True).encode(x=x, y=y, tooltip=tip)
    now: Datum = {"x": one.now / scale_x, "y": answer.value / size}
    point = alt.Chart(alt.Data(values=[now])).mark_point(style="plan", filled=True).encode(x=x, y=y)
    said = f"now {say(one.now, one.quantity, 3)}"
    title = titled(f"Over {one.quantity.replace('_', ' ')}", said, inner)
    return alt.layer(line, point).properties(width=inner, height=190, title=title)


def _log_axis(values: list[float], title: str, inner: int) -> alt.X:
    """A logarithmic axis; numbers that people read as such are written out, others as powers of ten."""
    alt = library()
    ends = padded(values, 0.01)
    if not 1e-3 < ends[0] < ends[1] < 1e5:
        return log_axis("x", title, ends, inner)
    axis = alt.Axis(values=power_ticks(*ends, most=max(2, inner // 60)), format="~g", title=title)
    return alt.X("x:Q", scale=alt.Scale(type="log", domain=list(ends), nice=False), axis=axis)


def _axis(values: list[float], title: str) -> alt.Y:
    alt = library()
    low, high = min(values), max(values)
    if low > 0 and high / low > _STEEP:
        ends = padded(values, 0.04)
        axis = alt.Axis(values=power_ticks(*ends, most=5), labelExpr=POWER_LABELS, title=title)
        return alt.Y("y:Q", scale=alt.Scale(type="log", domain=list(ends), nice=False), axis=axis)
    span = high - low or abs(high) or 1.0
    scale = alt.Scale(domain=[low - 0.05 * span, high + 0.05 * span], nice=False, zero=False)
    label = "replace(format(datum.value, '~s'), 'G', 'B')" if high >= 1e4 else "format(datum.value, '~g')"
    return alt.Y("y:Q", scale=scale, axis=alt.Axis(title=title, tickCount=5, labelExpr=label))


def _unit_of(answer: Answer) -> tuple[float, str]:
    return _unit(answer.quantity, answer.value)


def _unit(name: str, value: float) -> tuple[float, str]:
    """Scale and name of the largest display unit in which the value is at least 1; base units where there is none."""
    units = [(unit(text).scale, text) for text in quantity(name).display]
    if not units:
        return 1.0, ""
    return max((one for one in units if abs(value) >= one[0]), default=min(units))


def _titled(name: str, unit_name: str) -> str:
    words = name.replace("_", " ")
    return words if not unit_name or words.startswith(unit_name) else f"{words} ({unit_name})"
