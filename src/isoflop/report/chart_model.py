"""A model by component: its parameters, what a token costs, and the bytes of its weights, as shares side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.report.chart import CHARACTER, MARGIN, finished, library, titled
from isoflop.report.layout import clean
from isoflop.report.words import finite, percent, say

if TYPE_CHECKING:
    import altair as alt

    from isoflop.model.sheet import Sheet
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

_BAR = 34
_ROWS = {"parameters": "params", "active": "active_params", "FLOP a token": "flops", "bytes": "bytes"}
_UNITS = {"params": "params", "active_params": "active_params", "flops": "forward_flops_per_token",
          "bytes": "weight_bytes"}  # fmt: skip


def component_chart(sheet: Sheet, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """A bar each for parameters, active parameters (of experts), forward FLOP and bytes, split by component."""
    alt = library()
    names = [clean(one.part) for one in sheet.components]
    mixed = sheet.counts.active_params != sheet.counts.params
    bars = {label: key for label, key in _ROWS.items() if mixed or key != "active_params"}
    totals = {key: sum(_amount(one, key) for one in sheet.components) for key in bars.values()}
    labels = {key: f"{label}: {say(totals[key], _UNITS[key], 3)}" for label, key in bars.items()}
    inner = max(180, int(width - MARGIN - CHARACTER * max(map(len, labels.values()))))
    rows = [row for key in bars.values() for row in _rows(sheet, key, (labels[key], totals[key], inner))]
    y = alt.Y(
        "of:N", sort=[*labels.values()], axis=alt.Axis(title=None, labelLimit=0, domain=False, ticks=False, grid=False)
    )
    x = alt.X("start:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(title="share", format="%", tickCount=5))
    columns = max(1, int((inner + 150) // (CHARACTER * max(map(len, names)) + 45)))
    key = alt.Legend(orient="bottom", direction="vertical", columns=columns, title=None, symbolType="square")
    tint = alt.Color("part:N", sort=names, scale=alt.Scale(domain=names, range="ordinal"), legend=key)
    tip = [alt.Tooltip("part:N"), alt.Tooltip("amount:N"), alt.Tooltip("label:N", title="share")]
    base = alt.Chart(alt.Data(values=rows))
    labelled = alt.Chart(alt.Data(values=[row for row in rows if row["inside"]]))
    layers = [
        base.mark_bar(height=_BAR - 8).encode(x=x, x2="end:Q", y=y, color=tint, tooltip=tip),
        labelled.mark_text(style="bar-label").encode(x="middle:Q", y=y, text="inside:N"),
    ]
    title = titled(
        f"{sheet.spec.name} by component", f"FLOP of a forward pass at {sheet.at.sequence:,.0f} tokens", inner
    )
    return finished(alt.layer(*layers).properties(width=inner, height=_BAR * len(bars), title=title), mode)


def _amount(one: object, key: str) -> float:
    return finite(float(getattr(one, key) or 0.0), key)


def _rows(sheet: Sheet, key: str, bar: tuple[str, float, int]) -> list[Datum]:
    """The segments of one bar, each with its share inside where that fits."""
    label, total, inner = bar
    rows: list[Datum] = []
    start = 0.0
    for one in sheet.components:
        amount = _amount(one, key)
        share = amount / total if total else 0.0
        words = percent(share)
        rows.append(
            {
                "of": label,
                "part": clean(one.part),
                "start": start,
                "end": start + share,
                "middle": start + share / 2,
                "amount": say(amount, _UNITS[key], 3),
                "label": words,
                "inside": words if share * inner > CHARACTER * (len(words) + 1) else "",
            }
        )
        start += share
    return rows
