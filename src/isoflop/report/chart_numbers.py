"""How far a value is off in each number format, drawn on a logarithmic axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.report.chart import CHARACTER, MARGIN, finished, library, titled
from isoflop.report.chart_theme import POWER_LABELS, power_ticks
from isoflop.report.quantize import error_text, number_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from isoflop.quantize.formats import Stored
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

_ROW = 22
_SMALLEST = 1e-17  # errors below are drawn here: a double knows no less of a number near 1


def stored_chart(found: Sequence[Stored], *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """The error of each format as a share of the value, most precise first; exact ones stand at the left end."""
    alt = library()
    shown = [one for one in found if one.relative is not None]
    if not shown:
        raise MissingData("zero is exact in every format, so there is nothing to draw")
    rows = sorted((_row(one) for one in shown), key=lambda row: float(str(row["off"])))
    labels = [str(row["format"]) for row in rows]
    inner = max(160, int(width - MARGIN - CHARACTER * max(map(len, labels)) - 10 * CHARACTER))
    ends = (min(float(str(row["off"])) for row in rows) / 2, max(1.0, *(float(str(row["off"])) for row in rows)) * 2)
    scale = alt.Scale(type="log", domain=list(ends), nice=False)
    ticks = power_ticks(*ends, most=max(2, inner // 70))
    axis = alt.Axis(values=ticks, labelExpr=POWER_LABELS, title="error as a share of the value")
    x = alt.X("off:Q", scale=scale, axis=axis)
    y = alt.Y("format:N", sort=labels, axis=alt.Axis(title=None, labelLimit=0, domain=False, ticks=False))
    tip = [alt.Tooltip("format:N"), alt.Tooltip("reads:N", title="reads back as"), alt.Tooltip("said:N", title="error")]
    base = alt.Chart(alt.Data(values=[{**row, "start": ends[0]} for row in rows]))
    kinds = ["as it is", "with a scale"]
    tint = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=kinds, range="category"),
        legend=alt.Legend(orient="bottom", title=None, columns=2),
    )
    layers = [
        base.mark_rule(opacity=0.35).encode(x=x, x2="start:Q", y=y, color=tint),
        base.mark_point(filled=True, size=70).encode(x=x, y=y, color=tint, tooltip=tip),
        base.mark_text(align="left", dx=8).encode(x=x, y=y, text="said:N"),
    ]
    title = titled(f"{number_text(shown[0].given)} in every format", "what is left of it, as an error", width - MARGIN)
    return finished(alt.layer(*layers).properties(width=inner, height=_ROW * len(rows), title=title), mode)


def _row(one: Stored) -> Datum:
    return {
        "format": one.format.title + (f" / {one.scale:.3g}" if one.scale != 1 else ""),
        "off": max(abs(one.relative or 0.0), _SMALLEST),
        "kind": "with a scale" if one.scale != 1 else "as it is",
        "reads": number_text(one.read),
        "said": error_text(one).replace("beyond the range: its end", "out of range"),
    }
