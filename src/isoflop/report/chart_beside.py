"""Things beside each other as a chart: for each figure, how far every thing is from the first."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.report.chart import finished, legend, library, padded, titled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from isoflop.report.beside import Beside
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

_ROW = 22
_MOST = 30
_TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.2, 0.5, 0.8, 1.0, 1.25, 2.0, 5.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
_NAMES = 210  # pixels that the names of the figures take


def beside_chart(found: Beside, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """A row for each figure that differs, a mark a thing, at its ratio to the first; largest differences on top.

    Raises: MissingData where no figure that differs is a number.
    """
    alt = library()
    lines = [line for line in found.differing if any(ratio is not None for ratio in line.ratios[1:])]
    if not lines:
        raise MissingData("no figure that differs is a number: there is no chart; the table has the words")
    lines.sort(key=lambda line: -max(abs(log10(ratio)) for ratio in line.ratios[1:] if ratio is not None))
    lines = lines[:_MOST]
    rows: list[Datum] = [
        {"figure": line.title, "ratio": ratio, "thing": name, "said": text, "zero": 1.0}
        for line in lines
        for name, ratio, text in zip(found.names[1:], line.ratios[1:], line.texts[1:], strict=True)
        if ratio is not None
    ]
    inner = max(160, width - _NAMES)
    low, high = padded([*(float(str(row["ratio"])) for row in rows), 0.9, 1.1], 0.06)
    ticks = _ticks(low, high, max(3, inner // 70))
    x = alt.X(
        "ratio:Q",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(values=ticks, format="~g", title=f"times {found.names[0]}", grid=True),
    )
    y = alt.Y("figure:N", sort=[line.title for line in lines], axis=alt.Axis(title=None, labelLimit=_NAMES - 10))
    shown = legend(found.names[1:], inner, "circle")
    shown.symbolOpacity = 1
    color = alt.Color("thing:N", sort=list(found.names[1:]), legend=shown)
    tip = [alt.Tooltip(f"{field}:N") for field in ("figure", "thing", "said")]
    tip.append(alt.Tooltip("ratio:Q", format=".4~g"))
    base = alt.Chart(alt.Data(values=rows))
    zero = (
        alt.Chart(alt.Data(values=[{"zero": 1.0}])).mark_rule(strokeWidth=1).encode(x=alt.X("zero:Q", scale=x["scale"]))
    )
    stems = base.mark_rule(strokeWidth=1.5, opacity=0.5).encode(x=x, x2="zero:Q", y=y, color=color)
    marks = base.mark_circle(size=80, opacity=1).encode(x=x, y=y, color=color, tooltip=tip)
    title = titled(_listed(found.names[1:]) + f" beside {found.names[0]}", "right of the line is more", inner)
    layered = alt.layer(zero, stems, marks).properties(width=inner, height=_ROW * len(lines), title=title)
    return finished(layered, mode)


def _listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Ratios for the axis, 1 always among them, at most `most`."""
    shown = [tick for tick in _TICKS if low <= tick <= high]
    while len(shown) > most:
        kept = [tick for tick in shown if abs(log10(tick) - round(log10(tick))) < 1e-9]
        if len(kept) == len(shown):
            return [tick for place, tick in enumerate(shown) if place % 2 == shown.index(1.0) % 2]
        shown = kept
    return shown
