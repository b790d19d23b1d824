"""The charts of a training run: where a step's time goes, time against memory, utilisation against scale, memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from isoflop.errors import MissingData
from isoflop.quantity import quantity, unit
from isoflop.relation.answer import Term
from isoflop.report.chart import CHARACTER, MARGIN, finished, floats, library, titled
from isoflop.report.chart_memory import memory_chart
from isoflop.report.words import finite, percent, say

if TYPE_CHECKING:
    import altair as alt

    from isoflop.relation.answer import Ledger
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode
    from isoflop.training import Advice

TrainingChart = Literal["step", "memory", "pareto", "scale"]

SMALL = 0.001
"""Terms below this share of the step are drawn together."""

_ROW = 26  # pixels a term of the waterfall takes


def training_chart(
    advice: Advice, kind: TrainingChart = "step", *, width: int = 720, mode: Mode = "light"
) -> alt.TopLevelMixin:
    """One of the charts of a training run. Raises: MissingData where there is no layout, or no time is known."""
    if advice.memory is None or advice.held is None:
        raise MissingData("no layout fits, so there is nothing to draw; see the text for what would make it fit")
    if kind == "memory":
        return memory_chart(advice.memory, width=width, mode=mode)
    if advice.timing is None:
        raise MissingData(f"no time is predicted ({advice.place.untimed}), so only --chart memory can be drawn")
    if kind == "step":
        return step_chart(advice.timing.step, width=width, mode=mode)
    return (
        pareto_chart(advice, width=width, mode=mode)
        if kind == "pareto"
        else scale_chart(advice, width=width, mode=mode)
    )


def step_chart(ledger: Ledger, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """A waterfall: each term starts where the one above it ends; the last row is their sum."""
    alt = library()
    scale, name = _unit_of(ledger.total, ledger.quantity)
    inner = max(160, width - MARGIN - 150)
    rows, start = [], 0.0
    small = [term for term in ledger.terms if term.value < SMALL * ledger.total]
    shown = [term for term in ledger.terms if term not in small]
    rest = Term(name="everything else", value=sum(term.value for term in small))
    for term in (*shown, *([rest] if small else [])):
        value = finite(float(term.value), term.name) / scale
        rows.append(_bar(term.name, start, value, say(term.value, ledger.quantity), ledger.total / scale))
        start += value
    rows.append({**_bar("step", 0.0, start, say(ledger.total, ledger.quantity), start), "kind": "sum"})
    order = [str(row["term"]) for row in rows]
    end = start * (1 + CHARACTER * 21 / inner)
    x = alt.X(
        "start:Q",
        scale=alt.Scale(domain=[0.0, end], nice=False),
        axis=alt.Axis(title=f"time of a step ({name})", tickCount=5),
    )
    y = alt.Y("term:N", sort=order, axis=alt.Axis(title=None, labelLimit=0, domain=False, ticks=False))
    tint = alt.Color("kind:N", scale=alt.Scale(domain=["term", "sum"], range="category"), legend=None)
    tip = [alt.Tooltip("term:N"), alt.Tooltip("label:N", title="amount")]
    base = alt.Chart(alt.Data(values=rows))
    layers = [
        base.mark_bar(height=_ROW - 8).encode(x=x, x2="end:Q", y=y, color=tint, tooltip=tip),
        base.mark_text(align="left", dx=5).encode(x="end:Q", y=y, text="label:N"),
    ]
    largest = max(ledger.terms, key=lambda term: term.value)
    words = f"{largest.name} {percent(largest.value / ledger.total)} of {say(ledger.total, ledger.quantity)}"
    title = titled(ledger.title, words, inner + 150)
    return finished(alt.layer(*layers).properties(width=inner, height=_ROW * len(rows), title=title), mode)


def _bar(name: str, start: float, value: float, amount: str, whole: float) -> Datum:
    label = f"{amount}, {percent(value / whole)}"
    return {"term": name, "start": start, "end": start + value, "label": label, "kind": "term"}


def _unit_of(value: float, name: str) -> tuple[float, str]:
    """Scale and name of the largest display unit in which a value is at least 1."""
    units = [(unit(text).scale, text) for text in quantity(name).display]
    return max((one for one in units if value >= one[0]), default=min(units))


def pareto_chart(advice: Advice, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """Layouts that no other beats in both time and memory, and the fastest of each kind behind them."""
    alt = library()
    if not advice.pareto:
        raise MissingData("one layout was asked for, so there is no choice to draw; leave the degrees out")
    inner = max(160, width - MARGIN)
    best = [one for one in advice.pareto if one.pace]
    slowest = 2.5 * min(one.pace.step for one in best if one.pace)
    scale, name = _unit_of(min(one.pace.step for one in best if one.pace), "step_time")
    front = [_point(one, scale, "no other is faster and smaller") for one in best]
    others = [
        _point(one, scale, "the fastest of its kind") for one in advice.fits if one.pace and one.pace.step <= slowest
    ]
    front = [row for row in front if float(str(row["time"])) * scale <= slowest]
    x = alt.X("time:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=f"time of a step ({name})", tickCount=8))
    y = alt.Y("memory:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title="memory a chip, 95 % point (GiB)"))
    kinds = ["no other is faster and smaller", "the fastest of its kind"]
    colour = alt.Color(
        "kind:N", scale=alt.Scale(domain=kinds, range="category"), legend=alt.Legend(orient="bottom", title=None)
    )
    tip = [alt.Tooltip("layout:N"), alt.Tooltip("time:Q", format=".4g"), alt.Tooltip("memory:Q", format=".4g")]
    points = alt.Chart(alt.Data(values=[*others, *front]))
    capacity = advice.place.capacity / 2**30
    limit: list[Datum] = [{"memory": capacity, "label": f"{capacity:.1f} GiB a chip"}]
    rule = alt.Chart(alt.Data(values=limit))
    layers = [
        alt.Chart(alt.Data(values=front)).mark_line(interpolate="step-after").encode(x=x, y=y),
        points.mark_point(filled=True, size=55, opacity=0.9).encode(x=x, y=y, color=colour, tooltip=tip),
        rule.mark_rule(style="limit").encode(y=y),
        rule.mark_text(style="limit-label", align="right", dy=-8).encode(x=alt.value(inner), y=y, text="label:N"),
    ]
    title = f"Layouts of {advice.run.model.name} on {advice.place.chips:,} x {advice.place.title}"
    words = f"{advice.tried:,} legal layouts, {advice.fitting:,} fit"
    return finished(alt.layer(*layers).properties(width=inner, height=300, title=titled(title, words, inner)), mode)


def _point(one: object, scale: float, kind: str) -> Datum:
    from isoflop.training import Need

    assert isinstance(one, Need)
    assert one.pace is not None
    time, memory = floats([one.pace.step / scale, one.high / 2**30], "layout")
    return {"time": time, "memory": memory, "layout": one.layout.words(), "kind": kind}


def scale_chart(advice: Advice, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """Utilisation of the best layout against the number of chips, at the same batch, with its interval."""
    alt = library()
    inner = max(160, width - MARGIN)
    from isoflop.training import at_scales

    rows: list[Datum] = []
    for one in advice.scales or at_scales(advice):
        mfu, low, high = (100 * value for value in floats([one.mfu, one.low, one.high], "mfu"))
        said = one.need.layout.words()
        rows.append({"chips": float(one.chips), "mfu": mfu, "low": low, "high": high, "layout": said})
    if not rows:
        raise MissingData("no number of chips around this one has a layout that fits")
    held, timing = advice.held, advice.timing
    assert held is not None
    assert timing is not None
    counts = [float(str(row["chips"])) for row in rows]
    x = alt.X(
        "chips:Q",
        scale=alt.Scale(type="log", base=2, domain=[min(counts) / 1.15, max(counts) * 1.15], nice=False),
        axis=alt.Axis(title="chips", values=counts, format=",d"),
    )
    axis = alt.Axis(title="MFU of the best layout (%)")
    y = alt.Y("mfu:Q", scale=alt.Scale(zero=True), axis=axis)
    base = alt.Chart(alt.Data(values=rows))
    here: list[Datum] = [{"chips": float(held.layout.chips), "mfu": 100 * timing.rates.utilisation["model"]}]
    tip = [alt.Tooltip("layout:N"), alt.Tooltip("chips:Q", format=",d"), alt.Tooltip("mfu:Q", format=".3g")]
    layers = [
        base.mark_area().encode(x=x, y=alt.Y("low:Q", axis=axis), y2="high:Q"),
        base.mark_line().encode(x=x, y=y),
        base.mark_point(filled=True, size=60).encode(x=x, y=y, tooltip=tip),
        alt.Chart(alt.Data(values=here)).mark_point(style="plan", filled=True).encode(x=x, y=y),
    ]
    run = advice.run
    title = f"{run.model.name} on {advice.place.title}: utilisation against scale"
    words = f"a batch of {run.batch:,} x {run.sequence:,} tokens throughout; band: 5 to 95 %"
    return finished(alt.layer(*layers).properties(width=inner, height=280, title=titled(title, words, inner)), mode)
