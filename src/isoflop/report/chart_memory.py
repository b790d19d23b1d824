"""The terms of a memory ledger as one stacked bar, held against the device's limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadInput
from isoflop.quantity import quantity, unit
from isoflop.report.chart import CHARACTER, MARGIN, finished, legend, library, titled
from isoflop.report.layout import clean
from isoflop.report.terms import limit_words
from isoflop.report.words import finite, say

if TYPE_CHECKING:
    import altair as alt

    from isoflop.relation.answer import Ledger
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

_BAR = 44  # pixels


def memory_chart(ledger: Ledger, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """One stacked bar with a line at the limit; axis and labels in the display units of the ledger's quantity."""
    alt = library()
    if any(term.value < 0 for term in ledger.terms):
        raise BadInput("a bar cannot stack negative terms; draw this ledger as a table")
    scale, name = _display_unit(ledger)
    inner = max(160, width - MARGIN)
    end = max(ledger.total, ledger.limit or 0.0) * 1.04 / scale or 1.0
    rows = _segments(ledger, scale, inner / end)
    terms = [str(row["term"]) for row in rows]
    x_scale = alt.Scale(domain=[0.0, end], nice=False)
    axis = alt.Axis(title=f"{ledger.quantity.replace('_', ' ')} ({name})", tickCount=max(2, inner // 90))
    x = alt.X("start:Q", scale=x_scale, axis=axis)
    key = legend(terms, inner, "square")
    color = alt.Color("term:N", sort=terms, scale=alt.Scale(domain=terms, range="ordinal"), legend=key)
    tip = [alt.Tooltip("name:N", title="term"), alt.Tooltip("amount:N"), alt.Tooltip("note:N")]
    labels = alt.Chart(alt.Data(values=[row for row in rows if row["inside"]])).mark_text(style="bar-label")
    layers = [
        alt.Chart(alt.Data(values=rows)).mark_bar(height=_BAR).encode(x=x, x2="end:Q", color=color, tooltip=tip),
        labels.encode(x=alt.X("middle:Q", scale=x_scale), text="inside:N"),
        *_limit_layers(ledger, scale, x_scale, end),
    ]
    words = limit_words(ledger)[0] or f"{say(ledger.total, ledger.quantity)} in all"
    title = titled(ledger.title or "Memory", words, inner)
    return finished(alt.layer(*layers).properties(width=inner, height=_BAR + 40, title=title), mode)


def _display_unit(ledger: Ledger) -> tuple[float, str]:
    """Scale and name of the largest display unit in which the whole bar is at least 1."""
    whole = finite(max(ledger.total, ledger.limit or 0.0), ledger.quantity)
    units = [(unit(text).scale, text) for text in quantity(ledger.quantity).display]
    return max((one for one in units if whole >= one[0]), default=min(units))


def _segments(ledger: Ledger, scale: float, pixels: float) -> list[Datum]:
    """One row a term: where it starts and ends, and its amount as a label where that fits inside."""
    rows: list[Datum] = []
    start = 0.0
    for term in ledger.terms:
        end = start + finite(float(term.value), term.name) / scale
        amount = say(term.value, ledger.quantity)
        left, right = _visible(start, end, None if ledger.limit is None else ledger.limit / scale)
        fits = (right - left) * pixels > CHARACTER * (len(amount) + 1)
        rows.append(
            {
                "term": f"{clean(term.name)} {amount}",
                "name": clean(term.name),
                "amount": amount,
                "note": clean(term.note),
                "start": start,
                "end": end,
                "middle": (left + right) / 2,
                "inside": amount if fits else "",
            }
        )
        start = end
    return rows


def _visible(start: float, end: float, limit: float | None) -> tuple[float, float]:
    """The part of a segment that its label may use: the longer one, where the limit line cuts it."""
    if limit is None or not start < limit < end:
        return start, end
    return (start, limit) if limit - start >= end - limit else (limit, end)


def _limit_layers(ledger: Ledger, scale: float, x_scale: alt.Scale, end: float) -> list[alt.Chart]:
    """The line at the limit with its label, and a dashed outline where there is room left."""
    alt = library()
    if ledger.limit is None:
        return []
    limit, total = finite(float(ledger.limit), "limit") / scale, ledger.total / scale
    row: Datum = {"limit": limit, "total": total, "label": f"limit {say(ledger.limit, ledger.quantity)}"}
    base = alt.Chart(alt.Data(values=[row]))
    x = alt.X("limit:Q", scale=x_scale)
    place = {"align": "right", "dx": -5} if limit > end / 2 else {"align": "left", "dx": 5}
    free = base.mark_bar(style="free", filled=False, height=_BAR)
    return [
        *([free.encode(x=alt.X("total:Q", scale=x_scale), x2="limit:Q")] if limit > total else []),
        base.mark_rule(style="limit").encode(x=x),
        base.mark_text(style="limit-label", **place).encode(x=x, y=alt.value(4), text="label:N"),
    ]
