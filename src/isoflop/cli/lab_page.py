"""The page of a study: its valleys and curves, its runs, predictions against what was measured, and the law if any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import IsoflopError, MissingData

if TYPE_CHECKING:
    from isoflop.lab import StudyFolder

COLUMNS = ("Name", "flops", "params", "tokens", "seed", "status", "val_loss", "flops_per_second", "load")


def study_page(held: StudyFolder) -> str:
    """One HTML document that needs nothing beside itself."""
    from isoflop import report
    from isoflop.lab import rows
    from isoflop.report import Column
    from isoflop.report.chart_lab import curves_chart, valleys_chart

    asked = held.wanted()
    pictures = []
    for name in ("valleys", "curves"):
        try:
            drawn = valleys_chart(asked.brackets) if name == "valleys" else curves_chart(held.folders())
            pictures.append(f"<figure>{report.chart_svg(drawn)}</figure>")
        except MissingData as error:
            pictures.append(f"<p>{_text(str(error))}</p>")
    columns = [Column(name=name, right=name not in {"Name", "status"}) for name in COLUMNS]
    cells = [[_cell(one[name]) for name in COLUMNS] for one in rows(held)]
    done = f"{len(cells)} of {len(asked.specs)} runs are done; {held.corpus.tokens:,} tokens of text."
    return report.page(
        f"Study: {held.study.name}",
        f"<p>{done}</p>",
        f"<p>{_text(law_words(held))}</p>",
        *pictures,
        report.table_html(columns, cells, caption="Runs"),
        report.table_html(["round", "runs", "what", "predicted", "measured"], history_rows(held), caption="Forecasts"),
    )


def law_words(held: StudyFolder) -> str:
    """The law of the best size, or why there is none."""
    from isoflop.lab import line_of_study

    try:
        line = line_of_study(held)
    except IsoflopError as error:
        return f"no law: {type(error).__name__}: {error}"
    low, high = line.interval(0.9)
    return f"best params ~ FLOP^{line.exponent:.3f} (90 %: {low:.3f} to {high:.3f}), {len(line.profiles)} budgets"


def history_rows(held: StudyFolder) -> list[tuple[str, ...]]:
    """Predicted against measured: time and memory of every round."""
    found: list[tuple[str, ...]] = []
    for number, one in enumerate(held.history.read(), start=1):
        before, after = one["predicted"], one["measured"]
        if not isinstance(before, dict) or not isinstance(after, dict):
            continue
        for name, scale, unit in (("wall", 1, "s"), ("busy", 1, "s"), ("memory", 1e6, "MB")):
            span, measured = before[name], after[name]
            within = "inside" if span["low"] <= measured <= span["high"] else "OUTSIDE"
            said = f"{span['value'] / scale:,.0f} {unit} ({span['low'] / scale:,.0f} to {span['high'] / scale:,.0f})"
            found.append((str(number), str(after["runs"]), name, said, f"{measured / scale:,.0f} {unit}: {within}"))
    return found


def _cell(value: str | int | float | None) -> str:  # noqa: PYI041 - whole numbers are written in full
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _text(words: str) -> str:
    from html import escape

    return escape(words)
