"""`isoflop validate serving-memory ROWS.csv`: what a runtime prints at its start, predicted and held against logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.output import print_table
from isoflop.cli.predictions import write_predictions
from isoflop.cli.side_by_side import echo_wrapped

if TYPE_CHECKING:
    from isoflop.accuracy.state_validate import StateReport
    from isoflop.report import Cell
    from isoflop.report.json import Json

NAMES = {
    "weights": "weights_bytes_per_device", "state": "state_bytes_per_device", "tokens": "state_tokens",
    "concurrency": "max_concurrency",
}  # fmt: skip
"""Figures -> columns of the predictions, in base units."""

HEAD = ("id", *(f"{name}{end}" for name in NAMES.values() for end in ("", "_low", "_high")), "status", "reason")
NO_PREDICTION = {"refused": 3, "illegal": 4, "does_not_fit": 4}
_SCORE = ("rows", "median", "mean", "p90", "worst", "coverage", "width")
_TITLES = {"worst": "max", "coverage": "inside"}
_MOST_REASONS = 8


def run(rows: str, *, configs: str | None, out: str | None, form: str) -> int:
    """Predict, write, print; the exit code."""
    from isoflop.accuracy.state_models import read_library
    from isoflop.accuracy.state_rows import read_state_rows
    from isoflop.accuracy.state_validate import validate_state

    table = read_state_rows(rows)
    report = validate_state(table.rows, read_library(configs))
    if table.unknown:
        click.echo(f"columns that are not read: {', '.join(table.unknown[:20])}", err=True)
    if out is not None:
        write_predictions(out, HEAD, _lines(report))
    if form == "json":
        _print_json(report)
    else:
        _print(report, form)
    statuses = [one.status for one in report.predictions]
    return 0 if "ok" in statuses else NO_PREDICTION[statuses[0]]


def _lines(report: StateReport) -> list[tuple[Cell, ...]]:
    return [
        (row.id, *(cell for name in NAMES for cell in getattr(one, name) or (None,) * 3), one.status, one.reason)
        for row, one in zip(report.rows, report.predictions, strict=True)
    ]


def _print_json(report: StateReport) -> None:
    from dataclasses import asdict

    from isoflop import report as rendering

    found: dict[str, Json] = {
        "schema_version": 1,
        "interval": 0.8,
        "figures": {
            NAMES[figure]: {
                "frameworks": [asdict(score) for score in scores],
                "macro": None if (macro := report.macro[figure]) is None else asdict(macro),
            }
            for figure, scores in report.scores.items()
        },
        "statuses": dict(report.counts()),
        "predictions": [dict(zip(HEAD, line, strict=True)) for line in _lines(report)],
    }
    click.echo(rendering.dumps(found))


def _print(report: StateReport, form: str) -> None:
    from isoflop.report import Column

    titled = [Column(name=name, title=_TITLES.get(name, name), right=True, written=_percent) for name in _SCORE[1:]]
    rows: list[tuple[Cell, ...]] = []
    for figure, scores in report.scores.items():
        listed = [(score.source, NAMES[figure], *(getattr(score, name) for name in _SCORE)) for score in scores]
        rows += listed
        if form == "text" and listed:
            columns = [Column(name="framework", title=NAMES[figure]), Column(name="rows", right=True), *titled]
            print_table(columns, [(line[0], *line[2:]) for line in listed], form)
            click.echo()
    if form != "text":
        print_table(
            [Column(name="framework"), Column(name="quantity"), Column(name="rows", right=True), *titled], rows, form
        )
    if form != "text":
        return
    if not rows:
        click.echo("No row has both a prediction and a printed figure.")
    else:
        echo_wrapped(
            "Errors: |predicted - printed| / printed. inside: printed values in the 80 % interval. width: of that "
            "interval, against the prediction (median). Rows whose settings were inferred are not scored."
        )
    counted = ", ".join(f"{number} {status}" for status, number in report.counts().items())
    click.echo(f"\n{len(report.rows)} row{'' if len(report.rows) == 1 else 's'}: {counted}.")
    _print_reasons(report)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _print_reasons(report: StateReport) -> None:
    """Why rows have no prediction."""
    shown = 0
    for row, one in zip(report.rows, report.predictions, strict=True):
        if one.status == "ok":
            continue
        if shown == _MOST_REASONS:
            click.echo("  and more; --out or --json has every row's")
            return
        echo_wrapped(f"  {row.id}: {one.status}: {one.reason.partition('; assumed')[0]}")
        shown += 1
