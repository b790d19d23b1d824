"""Pictures of published runs: PF-days, tokens per parameter with verdicts, growth over the years."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput
from isoflop.report.chart import finished, legend, library, padded, titled
from isoflop.report.chart_theme import POWER_LABELS, power_ticks
from isoflop.report.words import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from isoflop.laws import Growth
    from isoflop.model import Run
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode

OF_HISTORY = ("pf-days", "tokens-per-param", "growth")
PF_DAY = 8.64e19
FAMILIES = ("BERT", "RoBERTa", "T5", "GPT-3")
GROWN = ("params", "tokens", "flops", "cost")
_GROWN_TITLES = {"params": "Parameters", "tokens": "Training tokens", "flops": "Training compute", "cost": "Cost"}
_GROWN_IN = {"params": "parameters", "tokens": "tokens", "flops": "FLOP", "cost": "USD"}
_LABELS = 120  # pixels that the names of models take
_FIGURE = 48  # pixels that a figure beside its bar takes


def history_chart(picture: str, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """The picture of that name, of the published runs."""
    if picture == "pf-days":
        return finished(_pf_days(width), mode)
    if picture == "tokens-per-param":
        return finished(_tokens_per_param(width), mode)
    if picture == "growth":
        return finished(_growth(width), mode)
    raise BadInput(f"no picture '{picture}'; known are {', '.join(OF_HISTORY)}")


def _bars(rows: list[Datum], names: Sequence[str], titles: tuple[str, str, str], width: int) -> alt.LayerChart:
    """Horizontal bars on a logarithmic axis, coloured by kind; `titles` are of the axis, the chart, and below it."""
    alt = library()
    inner = max(160, width - _LABELS - 60)
    low, high = padded([float(row["value"]) for row in rows], 0.06)  # type: ignore[arg-type]  # numbers
    high *= (high / low) ** (_FIGURE / inner)  # room for the figure beside the longest bar
    kinds = list(dict.fromkeys(str(row["kind"]) for row in rows))
    x = alt.X(
        "value:Q",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(values=power_ticks(low, high), labelExpr=POWER_LABELS, title=titles[0]),
    )
    y = alt.Y("model:N", sort=list(names), axis=alt.Axis(title=None, labelLimit=_LABELS))
    key = legend(kinds, inner, "square")
    color = alt.Color("kind:N", sort=kinds, scale=alt.Scale(domain=kinds, range="ordinal"), legend=key)
    tip = [alt.Tooltip("model:N"), alt.Tooltip("reads:N", title="value"), alt.Tooltip("kind:N")]
    base = alt.Chart(alt.Data(values=[{**row, "from": low} for row in rows]))
    bars = base.mark_bar(clip=True).encode(x=x, x2="from:Q", y=y, color=color, tooltip=tip)
    figures = base.mark_text(align="left", dx=4, fontSize=11).encode(x=x, y=y, text="figure:N")
    title = titled(titles[1], titles[2], inner)
    return alt.layer(bars, figures).properties(width=inner, height=18 * len(rows), title=title)


def _short(value: float) -> str:
    """Three digits, thousands marked."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def pf_days() -> list[Datum]:
    """PF-days of BERT, RoBERTa, T5 and GPT-3 models as GPT-3's table D.1 prints their FLOP."""
    from isoflop import model

    rows: list[Datum] = []
    for run in model.table("gpt3-table-d1"):
        family = next((name for name in FAMILIES if run.model.startswith(name)), None)
        if family is not None and run.work.flops_printed:
            days = run.work.flops_printed / PF_DAY
            row: Datum = {"model": run.model, "value": days, "kind": family, "reads": f"{days:.3g} PF-days"}
            rows.append({**row, "figure": _short(days)})
    order = {name: place for place, name in enumerate(FAMILIES)}
    return sorted(rows, key=lambda row: (order[str(row["kind"])], float(row["value"])))  # type: ignore[arg-type]  # numbers


def _pf_days(width: int) -> alt.LayerChart:
    rows = pf_days()
    titles = ("PF-days", "Training compute", "1 PF-day = 8.64e19 FLOP; GPT-3 paper, table D.1")
    return _bars(rows, [str(row["model"]) for row in rows], titles, width)


def verdicts(law: str = "ratio20") -> list[tuple[Run, float, str]]:
    """Published language models with params and tokens: tokens per active parameter, and the law's verdict."""
    from isoflop import laws, model

    allocator = laws.published(law).allocator
    found = []
    for run in model.runs():
        params, tokens = run.work.active_params or run.work.params, run.work.tokens
        if params and tokens:
            found.append((run, tokens / params, laws.verdict(allocator, params, tokens).kind))
    return sorted(found, key=lambda one: one[1])


def _tokens_per_param(width: int) -> alt.LayerChart:
    rows: list[Datum] = [
        {"model": run.model, "value": ratio, "kind": kind, "reads": f"{ratio:.3g} a parameter", "figure": _short(ratio)}
        for run, ratio, kind in verdicts()
    ]
    said = "verdict against 20 tokens for each (active) parameter; over-trained is cheaper to serve"
    titles = ("tokens per parameter", "Tokens per parameter", said)
    return _bars(rows, [str(row["model"]) for row in rows], titles, width)


def year_of(date: str) -> float | None:
    """A date such as 2022-03-29, 2022-03 or 2022 as a decimal year; None where it is none."""
    parts = date.split("-")
    if not parts[0].isdigit() or len(parts[0]) != 4:
        return None
    months = int(parts[1]) - 1 if len(parts) > 1 and parts[1].isdigit() else 6
    days = int(parts[2]) - 1 if len(parts) > 2 and parts[2].isdigit() else 15
    return int(parts[0]) + months / 12 + days / 365.25


def history() -> dict[str, list[tuple[float, float, str]]]:
    """Year, value and model of every published run, by quantity: params, tokens, flops (6 N D), cost."""
    from isoflop import model

    found: dict[str, list[tuple[float, float, str]]] = {name: [] for name in GROWN}
    for run in model.runs():
        year = year_of(run.date)
        if year is None:
            continue
        flops = run.work.flops_nd or run.work.flops_printed
        for name, value in zip(GROWN, (run.work.params, run.work.tokens, flops, run.cost), strict=True):
            if value:
                found[name].append((year, float(value), run.model))
    return found


def grown() -> dict[str, Growth]:
    """Doubling times of what published runs took, of those quantities with four dates and more."""
    from isoflop import laws

    return {
        name: laws.growth([one[0] for one in points], [one[1] for one in points])
        for name, points in history().items()
        if len({one[0] for one in points}) >= 4
    }


def _growth(width: int) -> alt.TopLevelMixin:
    alt = library()
    columns = 2 if width >= 640 else 1
    inner = max(180, width // columns - 90)
    fitted, held = grown(), history()
    shown = _year_ticks([year for name in fitted for year, _, _ in held[name]])
    panels = []
    for name, points in held.items():
        if name not in fitted:
            continue
        line = fitted[name]
        quantity = {"flops": "train_flops", "cost": "train_cost"}.get(name, name)
        rows: list[Datum] = [
            {"year": year, "value": value, "model": who, "reads": say(value, quantity)} for year, value, who in points
        ]
        ends = padded([one[1] for one in points], 0.05)
        x = alt.X(
            "year:Q", scale=alt.Scale(domain=[shown[0], shown[-1]]), axis=alt.Axis(title=None, format="d", values=shown)
        )
        y = alt.Y(
            "value:Q",
            scale=alt.Scale(type="log", domain=list(ends), nice=False),
            axis=alt.Axis(values=power_ticks(*ends, most=6), labelExpr=POWER_LABELS, title=_GROWN_IN[name]),
        )
        tip = [alt.Tooltip("model:N"), alt.Tooltip("reads:N", title=name)]
        dots = (
            alt.Chart(alt.Data(values=rows)).mark_point(filled=True, size=28, opacity=0.7).encode(x=x, y=y, tooltip=tip)
        )
        years = [min(one[0] for one in points), max(one[0] for one in points)]
        drawn = alt.Chart(alt.Data(values=[{"year": year, "value": line.at(year)} for year in years]))
        rule = drawn.mark_line(style="limit", clip=True).encode(x=x, y=y)
        layers = (dots, rule) if np.isfinite(line.high) else (dots,)  # no line where growth is not told from none
        panels.append(
            alt.layer(*layers).properties(
                width=inner, height=200, title=titled(_GROWN_TITLES[name], growth_words(line), inner)
            )
        )
    return alt.concat(*panels, columns=columns, spacing=25)


def _year_ticks(years: Sequence[float]) -> list[int]:
    """Years to write under all panels alike: every second where there are many, for they must not touch."""
    first, last = int(np.floor(min(years))), int(np.ceil(max(years)))
    step = 1 if last - first <= 5 else 2
    return list(range(first - first % step, last + last % step + 1, step))


def growth_words(line: Growth) -> str:
    """The doubling time with its interval."""
    if line.high == float("inf"):
        return f"{line.points} runs do not tell growth from none"
    high = f"{line.high:.2f}"
    return f"doubles every {line.doubling:.2f} years ({line.low:.2f} to {high}, 90 %); {line.points} runs"
