"""Signal to quantization noise of every weight, by the layer it is in: where a scheme hurts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.report.chart import MARGIN, finished, library, titled
from isoflop.report.words import finite

if TYPE_CHECKING:
    import altair as alt

    from isoflop.quantize import Report, TensorReport
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

_LAYER = re.compile(r"\.(\d+)\.")
_MOST_KINDS = 8


def quantize_chart(report: Report, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """A line for each kind of weight over the layers. Raises: MissingData where nothing was rounded."""
    alt = library()
    rows = [row for one in report.quantized if (row := _row(one)) is not None]
    if not rows:
        raise MissingData("no weight lost anything, so there is no noise to draw")
    kinds = _kinds(rows)
    rows = [row if row["kind"] in kinds else {**row, "kind": "others"} for row in rows]
    names = [*kinds, *(["others"] if any(row["kind"] == "others" for row in rows) else [])]
    inner = max(160, width - MARGIN)
    layers = sorted({int(str(row["layer"])) for row in rows})
    ticks = layers if len(layers) <= 16 else None
    x = alt.X("layer:Q", scale=alt.Scale(nice=False), axis=alt.Axis(title="layer", format="d", tickMinStep=1))
    if ticks is not None:
        x = x.axis(title="layer", format="d", values=ticks)
    y = alt.Y(
        "sqnr:Q",
        scale=alt.Scale(domain=_span(rows), nice=True),
        axis=alt.Axis(title="signal to quantization noise (dB)"),
    )
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=names, range="category"),
        legend=alt.Legend(orient="bottom", title=None, columns=4),
    )
    tip = [alt.Tooltip("name:N"), alt.Tooltip("sqnr:Q", format=".1f"), alt.Tooltip("error:Q", format=".3%")]
    base = alt.Chart(alt.Data(values=rows))
    marks = [
        base.transform_filter("datum.kind != 'others'").mark_line().encode(x=x, y=y, color=colour),
        base.mark_point(filled=True, size=45).encode(x=x, y=y, color=colour, tooltip=tip),
    ]
    words = f"{report.words.split(';')[0]}; {report.relative_error:.2%} relative error in all".replace("%", " %")
    title = titled(f"What {report.scheme} leaves of each weight", words, inner)
    return finished(alt.layer(*marks).properties(width=inner, height=300, title=title), mode)


def _row(one: TensorReport) -> Datum | None:
    """Layer, kind and noise of a weight; None for one that lost nothing or lies in no layer."""
    found = _LAYER.search(one.name)
    if found is None or one.sqnr is None:
        return None
    kind = one.name.removesuffix(".weight").rpartition(".")[2]
    return {
        "layer": int(found[1]),
        "kind": kind,
        "name": one.name,
        "sqnr": finite(one.sqnr, one.name),
        "error": finite(one.relative_error or 0.0, one.name),
    }


def _span(rows: list[Datum]) -> list[float]:
    """The decibels shown: all of them, at least four, so that chance differences do not look large."""
    values = [float(str(row["sqnr"])) for row in rows]
    middle, half = (max(values) + min(values)) / 2, max(2.0, (max(values) - min(values)) / 2)
    return [middle - half, middle + half]


def _kinds(rows: list[Datum]) -> list[str]:
    """The kinds that most weights are of, in the order they come."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[str(row["kind"])] = counts.get(str(row["kind"]), 0) + 1
    most = set(sorted(counts, key=lambda kind: -counts[kind])[:_MOST_KINDS])
    return [kind for kind in counts if kind in most]
