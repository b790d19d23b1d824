"""Accuracy: how far predictions have been from what was measured, source by source of the public record."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from isoflop.accuracy import committed_rows, read_configs, validate_training
from isoflop.accuracy.serving_rows import committed_serving_rows
from isoflop.accuracy.serving_validate import SCORED, validate_serving
from isoflop.accuracy.state_models import read_library
from isoflop.errors import UnknownName
from isoflop.report import Blocks, Column, Row, Section, page, table_csv, table_html, table_json
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.names import guarded
from isoflop.web.views.common import table_part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.accuracy import Report, Score
    from isoflop.accuracy.serving_validate import ServingReport
    from isoflop.report import Cell

OF = ("training", "serving")
TITLES = {
    "tpot": "time a token",
    "ttft": "time to first token",
    "output_rate": "tokens written a second",
    "prompt_rate": "prompt tokens a second",
    "energy": "energy a token",
}
MIND = Section(
    heading="Mind",
    lines=(
        "The shipped profiles were fitted to these rows.",
        "What they miss on sources and models kept apart is more: docs/accuracy.md, docs/accuracy_serving.md.",
    ),
)
MEDIAN = (
    "Median of |predicted / measured - 1|. A prediction sees no measured figure of its row: a test blanks them all and "
    "gets the same numbers."
)
FITS = "peak memory"
Table = tuple["list[Column | str]", "list[tuple[Cell, ...]]"]


def answer(given: Mapping[str, str]) -> Shown:
    """Errors of training (step time, peak memory) or of serving, by source."""
    guarded(given)
    of, source = given.get("of", OF[0]), given.get("source", "").lower()
    if of not in OF:
        raise UnknownName("record", of, OF, hint=f"There are: {', '.join(OF)}.")
    return serving(_serving(), source) if of == "serving" else training(_training(), source)


@cache
def _training() -> Report:
    """Every committed row predicted again: some seconds, once for a process."""
    return validate_training(committed_rows(), read_configs(None))


@cache
def _serving() -> ServingReport:
    """The same of serving."""
    return validate_serving(committed_serving_rows(), read_library(None))


def training(report: Report, source: str) -> Shown:
    """The record of training; only sources whose name holds `source`."""
    fits = report.fits
    rows = [
        *_summary("step time", report.time_macro, "sources alike"),
        *_summary("peak memory", report.macro, "sources alike"),
    ]
    remark = "pairs of a measured run and a device that does not hold it"
    rows.append(Row(label='false "fits"', value=f"{fits.false_fits:,} of {fits.too_large:,}", remark=remark))
    tables = {"step time": _table(report.time_scores, source), "peak memory": _table(report.scores, source)}
    return _shown(rows, tables)


def serving(report: ServingReport, source: str) -> Shown:
    """The record of serving, a table a quantity."""
    rows: list[Row] = []
    tables: dict[str, Table] = {}
    for name in SCORED:
        rows += _summary(TITLES[name], report.score(name), "all rows")
        scores = [report.score(name, one) for one in report.sources(name)]
        tables[TITLES[name]] = _table([one for one in scores if one is not None], source)
    return _shown(rows, tables)


def _shown(rows: Sequence[Row], tables: Mapping[str, Table]) -> Shown:
    anchors = {title: f"of-{number}" for number, title in enumerate(tables, start=1)}
    last = list(anchors.values())[-1]
    return Shown(
        blocks=(Blocks(rows=tuple(rows), sections=(MIND,)),),
        json=lambda: {
            "schema_version": 1,
            **{title.replace(" ", "_"): table_json(*table) for title, table in tables.items()},
        },
        parts=tuple(
            table_part(f"{title[:1].upper()}{title[1:]} by source", anchors[title], table, unfolded=True)
            for title, table in tables.items()
        ),
        links={row.label: anchors.get(row.label, last) for row in rows},
        hovers={
            **dict.fromkeys(anchors.values(), MEDIAN),
            last: f"{MEDIAN} A false fit: said to fit, and did not." if FITS in tables else MEDIAN,
        },
        page=lambda: page("Accuracy", *(table_html(*table, caption=title) for title, table in tables.items())),
        csv=partial(table_csv, *next(iter(tables.values()))),
    )


def _summary(what: str, score: Score | None, over: str) -> list[Row]:
    if score is None:
        return []
    inside, width = _percent(score.coverage), _percent(score.width)
    words = f"{over}; {inside} of measured values inside the 80 % interval, whose width is {width}"
    return [Row(label=what, value=f"{_percent(score.median)} median error", remark=words)]


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _table(scores: Sequence[Score], source: str) -> Table:
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
    lead="Predictions held against measured runs and servers: errors by source, and how honest the intervals are.",
    button="Show",
    slow=True,
    groups=(
        Group(
            title="Which",
            open=True,
            fields=(
                Field(name="of", label="Predictions of", kind="choice", choices=OF),
                Field(name="source", label="Source", hint="Any part of its name."),
            ),
        ),
    ),
    answer=answer,
    examples=(("Serving", {"of": "serving"}), ("Training", {"of": "training"})),
)
