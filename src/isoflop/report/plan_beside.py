"""Plans side by side: a table, what they share above it, and what no other beats; and the same as a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.report.plan_words import say
from isoflop.report.table import Column, cell_text
from isoflop.report.words import percent

if TYPE_CHECKING:
    import altair as alt

    from isoflop.ask.vary import Beside, Varied
    from isoflop.report.chart import Datum
    from isoflop.report.chart_theme import Mode
    from isoflop.report.drawings import Drawn
    from isoflop.report.json import Json
    from isoflop.report.table import Cell

DAY = 86_400.0

_FIGURES = (
    ("cost", "train_cost"), ("price", "price"), ("chips", ""), ("time", "train_time"), ("MFU", "mfu"),
    ("params", "params"), ("tokens", "tokens"), ("loss", "loss"), ("of the active", "loss"),
    ("energy", "train_energy"), ("emissions", "train_emissions"),
)  # fmt: skip
"""Columns and their quantities; "of the active" is the loss of a dense model of a mixture's active parameters."""

_TOLD_APART = 8
"""Colours of a chart; more values than these shade into each other."""

_WIDE = frozenset({"price", "energy", "emissions"})
"""Columns that a terminal does without."""


def beside_rows(found: Beside, *, every: bool) -> tuple[list[Column], list[tuple[Cell, ...]], tuple[str, ...]]:
    """The table of those that could be planned: columns, rows in base units, and in words what all of them share.

    `every` keeps columns that are the same in all, and those that a terminal has no room for.
    """
    made = [one for one in found.every if one.plan is not None]
    columns = [Column(name=name) for name in found.names]
    cells: list[list[Cell]] = [[one.values[name] for name in found.names] for one in made]
    shared = []
    for title, name in _FIGURES:
        column = _column(title, name)
        values = [_number(one, title) for one in made]
        words = [cell_text(value, column) for value in values]
        if all(value is None for value in values) or (not every and title in _WIDE):
            continue
        if not every and len(made) > 1 and len(set(words)) == 1:
            shared.append(f"{title} {words[0]}")
            continue
        columns.append(column)
        for row, value in zip(cells, values, strict=True):
            row.append(value)
    columns.append(Column(name="best"))
    rows: list[tuple[Cell, ...]] = [(*row, "*" if one.best else "") for row, one in zip(cells, made, strict=True)]
    return columns, rows, tuple(shared)


def _column(title: str, name: str) -> Column:
    """A figure's column: scripts know it by its quantity, people by its title."""
    if title == "chips":
        return Column(name=title, right=True, written=lambda value: f"{value:,.0f}")
    if name == "loss":
        key = "loss" if title == "loss" else "active_loss"
        return Column(name=key, title=title, quantity=name, right=True, written=lambda value: f"{value:.4g}")
    return Column(name=name, title=title, quantity=name, right=True)


def _number(one: Varied, title: str) -> float | None:
    """A figure of a plan in base units."""
    plan = one.plan
    assert plan is not None
    if title == "of the active":
        return plan.active_loss
    if title in {"chips", "time"}:
        fleet = plan.fleet
        return None if fleet is None else float(fleet.chips) if title == "chips" else fleet.time
    name = dict(_FIGURES)[title]
    if name in plan.answers:
        return plan.answers[name].value
    return next((step.value for step in plan.steps if step.gives == name), None)


def beside_words(found: Beside) -> tuple[str, ...]:
    """What stands below the table: what the mark means, what is not comparable, what could not be planned."""
    compared = "cost and time" if found.loss_differs else "loss, cost and time"
    lines = [f"*: no other is as good in {compared} and better in one of them; loss in nats per token."]
    if found.loss_differs:
        lines.append(f"{found.loss_differs[0].upper()}{found.loss_differs[1:]}.")
    formats = {one.plan.question.dtype for one in found.every if one.plan is not None}
    if len(formats) > 1:
        lines.append("No law of loss knows number formats: the same loss for the same work is assumed in all of them.")
    guessed = [_said(one) for one in found.every if one.plan is not None and _assumed(one)]
    if guessed:
        lines.append(f"MFU assumed, not predicted: {'; '.join(guessed)}.")
    lines += [f"{_said(one)}: {one.refused}" for one in found.every if one.plan is None]
    lines += [f"{_said(one)}: the training state does not fit" for one in found.every if one.plan and not one.plan.fits]
    return tuple(lines)


def _said(one: Varied) -> str:
    return ", ".join(one.values.values())


def _assumed(one: Varied) -> bool:
    assert one.plan is not None
    step = next((step for step in one.plan.steps if step.gives == "mfu"), None)
    return step is not None and step.kind == "default" and one.plan.predicted is None


def beside_json(found: Beside) -> dict[str, Json]:
    """For scripts: base units; `refused` where there is no plan."""
    rows: list[Json] = []
    for one in found.every:
        row: dict[str, Json] = {"values": dict(one.values), "best": one.best, "refused": one.refused or None}
        if one.plan is not None:
            for title, name in _FIGURES:
                row[name if title not in {"chips", "of the active"} else title.replace(" ", "_")] = _number(one, title)
            row["active_loss"] = row.pop("of_the_active")
        rows.append(row)
    return {"schema_version": 1, "varied": list(found.names), "plans": rows, "loss_differs": found.loss_differs or None}


def drawn(found: Beside) -> Drawn:
    """Every form of plans side by side."""
    from isoflop.report.drawings import Drawn, Story

    title = f"Plans by {' and '.join(found.names)}"

    def table() -> tuple[list[Column], list[tuple[Cell, ...]]]:
        columns, rows, _ = beside_rows(found, every=True)
        return columns, rows

    def page() -> str:
        from isoflop.report.markup import html_escape
        from isoflop.report.table import table_html

        return table_html(*table()) + "".join(f"<p>{html_escape(line)}</p>" for line in beside_words(found))

    return Drawn(
        text=lambda **paper: beside_text(found, **{key: value for key, value in paper.items() if key != "explain"}),
        json=lambda: beside_json(found),
        markdown=lambda _: beside_markdown(found),
        story=lambda: Story(title=title, answer=page()),
        table=table,
        charts={"loss": lambda width, mode: beside_chart(found, title, width=width, mode=mode)},
    )


def beside_text(found: Beside, *, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
    """For a terminal: what all share, the table, what to mind."""
    from isoflop.report.layout import hang
    from isoflop.report.table import table_text

    columns, rows, shared = beside_rows(found, every=False)
    parts = [table_text(columns, rows, width=width, color=color, ascii_only=ascii_only).rstrip("\n")]
    if shared:
        parts.insert(0, "\n".join(hang(f"In all of them: {', '.join(shared)}.", width, "", "")))
    parts.append("\n".join(line for words in beside_words(found) for line in hang(words, width, "", "  ")))
    return "\n\n".join(parts)


def beside_markdown(found: Beside) -> str:
    """As Markdown, every column."""
    from isoflop.report.table import table_markdown

    columns, rows, _ = beside_rows(found, every=True)
    return "\n\n".join((table_markdown(columns, rows).rstrip("\n"), *beside_words(found)))


def beside_chart(found: Beside, title: str, *, width: int = 720, mode: Mode = "light") -> alt.TopLevelMixin:
    """Loss (or, where it does not differ or compare, money) against days; what no other beats is large."""
    from isoflop.report.chart import MARGIN, finished, library, titled

    alt = library()
    rows = [row for one in found.every if one.plan is not None and (row := _point(one)) is not None]
    if not rows:
        raise MissingData("no plan has both a time and a loss or cost, so there is nothing to draw")
    by_loss = not found.loss_differs and len({row["loss"] for row in rows}) > 1
    inner = max(160, width - MARGIN)
    days = [float(str(row["days"])) for row in rows]
    x = alt.X(
        "days:Q", scale=alt.Scale(type="log", nice=False, domain=[min(days) / 1.2, max(days) * 1.2]),
        axis=alt.Axis(title="days", format="~g", **_ticks(days)),
    )  # fmt: skip
    if by_loss:
        y = alt.Y("loss:Q", scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(title="loss (nats per token)"))
    else:
        costs = [float(str(row["cost"])) for row in rows]
        y = alt.Y(
            "cost:Q", scale=alt.Scale(type="log", nice=False, domain=[min(costs) / 1.2, max(costs) * 1.2]),
            axis=alt.Axis(title="cost ($)", format="~s", **_ticks(costs)),
        )  # fmt: skip
    last = found.names[-1]
    many = list(dict.fromkeys(str(row["last"]) for row in rows))
    several = len(found.names) > 1
    legend = alt.Legend(orient="bottom", title=last, columns=6) if several else None
    scale = alt.Scale(domain=many, range="category" if len(many) <= _TOLD_APART else "ramp")
    tint = alt.Color("last:N", sort=many, legend=legend, scale=scale) if legend is not None else alt.value("#0072B2")
    tip = [alt.Tooltip(f"{name}:N") for name in ("said", "chips", "cost_said", "loss_said")]
    base = alt.Chart(alt.Data(values=rows))
    best = alt.Chart(alt.Data(values=[row for row in rows if row["best"]]))
    layers = [
        base.mark_point(filled=True, size=30, opacity=0.7).encode(x=x, y=y, color=tint, tooltip=tip),
        best.mark_point(filled=True, size=100).encode(x=x, y=y, color=tint, tooltip=tip),
        best.mark_text(dy=-12, align="left", fontSize=11).encode(x=x, y=y, text="first:N"),
    ]
    if several:
        layers.insert(0, base.mark_line(opacity=0.5).encode(x=x, y=y, color=tint))
    words = "large: no other is as good in all and better in one"
    return finished(alt.layer(*layers).properties(width=inner, height=340, title=titled(title, words, inner)), mode)


def _ticks(values: list[float]) -> dict[str, list[float]]:
    """Ticks at 1, 2, 5; the library's own where fewer than three of them would stand there."""
    from isoflop.report.chart_theme import power_ticks

    found = power_ticks(min(values) / 1.2, max(values) * 1.2)
    return {"values": found} if len(found) > 2 else {}


def _point(one: Varied) -> Datum | None:
    loss, cost, time = (_number(one, name) for name in ("loss", "cost", "time"))
    if time is None or (loss is None and cost is None):
        return None
    mfu, chips = _number(one, "MFU"), _number(one, "chips")
    return {
        "days": time / DAY, "cost": cost or 0.0, "loss": round(loss, 5) if loss is not None else 0.0, "best": one.best,
        "last": list(one.values.values())[-1], "first": next(iter(one.values.values())), "said": _said(one),
        "chips": f"{chips or 0:,.0f} at MFU {percent(mfu or 0)}", "cost_said": say(cost or 0.0, "train_cost"),
        "loss_said": "" if loss is None else say(loss, "loss"),
    }  # fmt: skip
