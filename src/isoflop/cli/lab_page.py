"""The page of a study: its valleys and curves, its runs, predictions against what was measured, and the law if any."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from altair import TopLevelMixin

    from isoflop.lab import StudyFolder
    from isoflop.lab.export import Cell
    from isoflop.lab.sizes import Wanted
    from isoflop.laws import Runs
    from isoflop.report.chart_theme import Mode
    from isoflop.report.drawings import Draw

KINDS = (
    ("wall", "wall", 1, "s"),
    ("busy", "busy", 1, "s"),
    ("alone", "processor", 1, "s"),
    ("memory", "memory", 1e6, "MB"),
)
"""Key of a forecast, what it is held against, the unit it is said in."""

ALONE = "processor time of steps, training room alone"
NAMES = {"wall": "wall time", "busy": "time of steps", "alone": ALONE, "memory": "memory"}
HISTORY = ("round", "runs", "what", "predicted (90 %)", "measured", "off", "interval", "load")

ISOFLOP = "The same runs by the laws room: a curve through each budget, and the line through their bottoms."
FITTED = "L = E + A/N^alpha + B/D^beta, fitted to all runs that are over, good or not: see isoflop laws fit."

COLUMNS = ("Name", "flops", "params", "tokens", "seed", "status", "val_loss", "flops_per_second", "load")
TITLES = {"Name": "run", "flops": "FLOP", "val_loss": "held-out loss", "flops_per_second": "GFLOP/s"}
TEXT = {"Name", "status"}


def study_page(held: StudyFolder) -> str:
    """One HTML document that needs nothing beside itself; pictures follow the reader's light or dark mode and width."""
    from isoflop import report
    from isoflop.lab import rows
    from isoflop.report import Column

    asked = held.wanted()
    columns = [Column(name=name, title=TITLES.get(name, name), right=name not in TEXT) for name in COLUMNS]
    found = sorted(
        rows(held), key=lambda one: (float(f"{one['flops']:.1e}"), _number(one, "params"), _number(one, "seed"))
    )
    cells = [[_cell(name, one[name]) for name in COLUMNS] for one in found]
    done = f"{len(cells)} of {len(asked.specs)} runs are done; {held.corpus.tokens:,} tokens of text."
    verdicts = [(f"{one.budget:.3g}", "yes" if one.enclosed else f"no: {one.why}") for one in asked.brackets]
    return report.page(
        f"Study: {held.study.name}",
        f"<p>{done}</p>",
        f"<p>{_text(law_words(held))}</p>",
        *[_picture(name, draw, caption) for name, draw, caption in _pictures(held, asked)],
        report.table_html(["budget (FLOP)", "best size enclosed"], verdicts, caption="Budgets") if verdicts else "",
        report.table_html(list(HISTORY), history_rows(held), caption="Forecasts, and what was measured"),
        report.table_html(columns, cells, caption="Runs"),
    )


def _pictures(held: StudyFolder, asked: Wanted) -> Iterator[tuple[str, Draw, str]]:
    """Name, drawing and caption: those of the study, then those of the laws room on its runs."""
    from isoflop.lab import runs_of_study
    from isoflop.report.chart_lab import curves_chart, valleys_chart

    yield "valleys", lambda width, mode: valleys_chart(asked.brackets, width=width, mode=mode), ""
    yield "curves", lambda width, mode: curves_chart(held.folders(), width=width, mode=mode), ""
    if not held.results():
        return
    runs = runs_of_study(held)
    yield "isoflop", partial(_of_laws, "isoflop", runs), ISOFLOP
    for name in ("predicted", "residuals"):
        yield name, partial(_of_laws, name, runs), FITTED


def _of_laws(name: str, runs: Runs, width: int, mode: Mode) -> TopLevelMixin:
    from isoflop.report.chart_laws import runs_chart

    return runs_chart(name, runs, width=width, mode=mode)


def _picture(name: str, draw: Draw, caption: str) -> str:
    """The figure, or why it cannot be drawn."""
    from isoflop.report.chart_inline import figure

    try:
        return figure(draw, name, caption)
    except IsoflopError as error:
        return f"<p>No picture of {name}: {_text(str(error))}</p>"


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
    """Predicted against measured: time and memory of every round, with the share by which it was off."""
    found: list[tuple[str, ...]] = []
    for number, one in enumerate(held.history.read(), start=1):
        before, after = one.get("predicted"), one.get("measured")
        if not isinstance(before, dict) or not isinstance(after, dict):
            continue
        load = f"{before['load']:.1f}" + (f" to {after['load']:.1f}" if "load" in after else "")
        for name, of, scale, unit in KINDS:
            span, measured = before.get(name), after.get(of)
            if not isinstance(span, dict) or not measured or (name == "alone" and not before["own"]):
                continue
            said = f"{span['value'] / scale:,.0f} {unit} ({span['low'] / scale:,.0f} to {span['high'] / scale:,.0f})"
            came = (f"{measured / scale:,.0f} {unit}", f"{measured / span['value'] - 1:+.0%}")
            within = "inside" if span["low"] <= measured <= span["high"] else "OUTSIDE"
            found.append((str(number), str(after["runs"]), NAMES[name], said, *came, within, load))
    return found


def _number(row: Mapping[str, Cell], name: str) -> float:
    return float(str(row[name]))


def _cell(name: str, value: Cell) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if name == "flops_per_second":
        return f"{value / 1e9:.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2e}" if name == "flops" else f"{value:.4f}" if name == "val_loss" else f"{value:.1f}"


def _text(words: str) -> str:
    from html import escape

    return escape(words)
