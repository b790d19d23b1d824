"""Accuracy: how far predictions have been from what was measured, row by row of the public record."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from isoflop.accuracy import committed_rows, read_configs, validate_training
from isoflop.report import Blocks, Column, Row, page, table_csv, table_html, table_json
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.names import guarded
from isoflop.web.views.common import table_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.accuracy import Report, Score
    from isoflop.report import Cell

Table = tuple["list[Column | str]", "list[tuple[Cell, ...]]"]


def answer(given: Mapping[str, str]) -> Shown:
    """Errors of step time and peak memory, by source."""
    guarded(given)
    return shown(_report(), given.get("source", "").lower())


@cache
def _report() -> Report:
    """Every committed row predicted again: some seconds, once for a process."""
    return validate_training(committed_rows(), read_configs(None))


def shown(report: Report, source: str) -> Shown:
    """The record on the page; only sources whose name holds `source`."""
    time, memory = (_table(scores, source) for scores in (report.time_scores, report.scores))
    fits = report.fits
    rows = [*_summary("step time", report.time_macro), *_summary("peak memory", report.macro)]
    rows.append(
        Row(
            label='false "fits"',
            value=f"{fits.false_fits:,} of {fits.too_large:,}",
            remark="pairs of a measured run and a device that does not hold it",
        )
    )
    places = {"step time": "time", "peak memory": "memory"}
    return Shown(
        blocks=(Blocks(rows=tuple(rows)),),
        json=lambda: {"schema_version": 1, "step_time": table_json(*time), "peak_memory": table_json(*memory)},
        parts=(
            table_part("Step time by source", "time", time, unfolded=True),
            table_part("Peak memory by source", "memory", memory, unfolded=True),
        ),
        links={row.label: places.get(row.label, "memory") for row in rows},
        page=lambda: page("Accuracy", table_html(*time), table_html(*memory)),
        csv=partial(table_csv, *time),
    )


def _summary(what: str, macro: Score | None) -> list[Row]:
    if macro is None:
        return []
    inside, width = _percent(macro.coverage), _percent(macro.width)
    words = f"{inside} of measured values inside the 80 % interval, whose width is {width}"
    return [Row(label=what, value=f"{_percent(macro.median)} median error", remark=f"sources alike; {words}")]


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _table(scores: tuple[Score, ...], source: str) -> Table:
    names = ("median", "mean", "p90", "worst", "coverage", "width")
    columns: list[Column | str] = ["source", Column(name="rows", right=True)]
    columns += [Column(name=name, right=True, written=_percent) for name in names]
    rows: list[tuple[Cell, ...]] = [
        (score.source, str(score.rows), *(float(getattr(score, name)) for name in names))
        for score in scores
        if source in score.source.lower()
    ]
    return columns, rows


VIEW = View(
    name="accuracy",
    title="Accuracy",
    lead="Predictions held against measured training runs: errors by source, and how honest the intervals are.",
    button="Show",
    slow=True,
    groups=(
        Group(title="Which", open=True, fields=(Field(name="source", label="Source", hint="Any part of its name."),)),
    ),
    answer=answer,
)
