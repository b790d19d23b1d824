"""What moves an answer: whose uncertainty its interval is, or how steeply it follows each input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.report.chart import CHARACTER, MARGIN, finished, library, titled
from isoflop.report.outline import headline, interval_words
from isoflop.report.words import finite, percent, signed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import altair as alt

    from isoflop.relation.answer import Answer
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

_ROW = 30
_MOST = 8
_SMALLEST = 0.005


def answer_chart(answer: Answer, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """A bar an input. Raises: MissingData where the answer depends on nothing that was not exactly known."""
    uncertain = bool(answer.shares) and not answer.is_point
    parts = _largest(answer.shares if uncertain else answer.elasticities)
    if not parts:
        raise MissingData(
            f"{answer.quantity} follows from nothing that could be drawn: its inputs move it by less than 0.5 %"
        )
    axis = f"change of {answer.quantity} for 1 % more of an input (%)"
    axis = f"part of the variance of {answer.quantity} (%)" if uncertain else axis
    rows: list[Datum] = [
        {
            "input": name,
            "value": (100 if uncertain else 1) * finite(value, name),
            "label": percent(value) if uncertain else f"{signed(value)} %",
        }
        for name, value in parts
    ]
    return finished(_bars(rows, axis, answer, width), mode)


def _largest(parts: Mapping[str, float]) -> list[tuple[str, float]]:
    ordered = sorted(parts.items(), key=lambda part: (-abs(part[1]), part[0]))
    return [part for part in ordered if abs(part[1]) >= _SMALLEST][:_MOST]


def _bars(rows: list[Datum], axis: str, answer: Answer, width: int) -> alt.TopLevelMixin:
    alt = library()
    names = [str(row["input"]) for row in rows]
    inner = max(140, int(width - MARGIN - CHARACTER * max(map(len, names))))
    values = [float(str(row["value"])) for row in rows]
    low, high = min(0.0, *values), max(0.0, *values)
    room = (high - low) * CHARACTER * 9 / inner
    scale = alt.Scale(domain=[low - (room if low < 0 else 0), high + (room if high > 0 else 0)], nice=False)
    x = alt.X("value:Q", scale=scale, axis=alt.Axis(title=axis, tickCount=max(2, inner // 110)))
    y = alt.Y("input:N", sort=names, axis=alt.Axis(title=None, labelLimit=0, domain=False, ticks=False))
    base = alt.Chart(alt.Data(values=rows))
    layers = [base.mark_bar(height=_ROW - 12).encode(x=x, y=y, tooltip=["input:N", "label:N"])]
    for sign, align, shift in ((True, "left", 5), (False, "right", -5)):
        chosen = [row for row in rows if (float(str(row["value"])) >= 0) is sign]
        if chosen:
            text = alt.Chart(alt.Data(values=chosen)).mark_text(align=align, dx=shift)
            layers.append(text.encode(x=x, y=y, text="label:N"))
    title = titled(
        f"What moves {answer.quantity}", f"{headline(answer)}; {interval_words(answer)}".strip("; "), width - MARGIN
    )
    return alt.layer(*layers).properties(width=inner, height=_ROW * len(rows), title=title)
