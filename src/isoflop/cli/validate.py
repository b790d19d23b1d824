"""`isoflop validate training ROWS.csv`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.knowns import terminal_width
from isoflop.cli.manual import Group
from isoflop.cli.output import Output, output_options, print_table
from isoflop.cli.predictions import write_predictions
from isoflop.cli.side_by_side import echo_wrapped
from isoflop.cli.validate_hours import hours
from isoflop.cli.validate_serving import serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.accuracy import Report, Score
    from isoflop.report import Cell
    from isoflop.report.json import Json

HEAD = (
    "id", "step_time", "step_time_low", "step_time_high", "peak_memory", "peak_memory_low", "peak_memory_high",
    "status", "reason",
)  # fmt: skip
"""Columns of the predictions, in base units; low and high bound the 80 % interval."""

NO_PREDICTION = {"refused": 3, "illegal": 4, "does_not_fit": 4}
"""Exit code where no row has a prediction, by the status of the first."""


@click.group("validate", cls=Group)
def command() -> None:
    """Hold predictions against measured rows: errors by source, and how honest the intervals are.

    \b
    isoflop validate training rows.csv
    isoflop validate training rows.csv --configs configs/ --out predictions.csv
    isoflop validate serving rows.csv --configs configs/ --out predictions.csv
    isoflop validate serving-memory rows.csv --configs configs/ --out predictions.csv
    isoflop validate hours
    """


command.add_command(serving)
command.add_command(hours)


@command.command("training")
@click.argument("rows", metavar="ROWS.csv", type=click.Path())
@click.option("--configs", type=click.Path(), help="A folder of config.json files, for shapes that columns cannot say.")
@click.option(
    "--profile",
    type=click.Path(),
    help="A TOML file whose entries replace fields of engines and of device profiles.",
)
@click.option("--out", type=click.Path(), help="Write a prediction for every row to this CSV file.")
@output_options(file=False)
def training(rows: str, *, configs: str | None, profile: str | None, out: str | None, output: Output) -> None:
    """Predict step time and peak memory of every row of a table of training runs, and hold them against measurements.

    The columns are those of the table that isoflop ships; any but id may be missing. Measured columns (step time,
    throughput, memory) are never read by a prediction. Each row gets a status: ok, refused (a setting is missing),
    illegal (settings contradict each other) or does_not_fit, with the reason.

    \b
    isoflop validate training rows.csv
    isoflop validate training rows.csv --profile mine.toml --out predictions.csv
    """
    from isoflop.accuracy import read_configs, read_profile, read_rows, validate_training

    form = output.form
    table = read_rows(rows)
    report = validate_training(table.rows, read_configs(configs), read_profile(profile) if profile else None)
    if table.unknown:
        click.echo(f"columns that are not read: {', '.join(table.unknown[:20])}", err=True)
    if out is not None:
        write_predictions(out, HEAD, _lines(report))
    if form == "json":
        _print_json(report)
    else:
        _print_scores(report, form)
    raise SystemExit(_exit_code(report))


@command.command("serving-memory")
@click.argument("rows", metavar="ROWS.csv", type=click.Path())
@click.option("--configs", type=click.Path(), help="A folder of config.json files; presets are known without.")
@click.option("--out", type=click.Path(), help="Write a prediction for every row to this CSV file.")
@output_options(file=False)
def serving_memory(rows: str, *, configs: str | None, out: str | None, output: Output) -> None:
    """Predict what a serving runtime prints at its start, and hold it against logs.

    Weights and cache on a device, tokens and sequences that fit. Columns that were printed are never read by a
    prediction. What no column says takes the version's default and is named in the reason.

    \b
    isoflop validate serving-memory rows.csv --configs configs/ --out predictions.csv
    """
    from isoflop.cli.validate_state import run

    raise SystemExit(run(rows, configs=configs, out=out, form=output.form))


def _exit_code(report: Report) -> int:
    """0 where any row has a prediction; else what stands in the way of the first."""
    statuses = [one.status for one in report.predictions]
    return 0 if "ok" in statuses else NO_PREDICTION[statuses[0]]


def _lines(report: Report) -> list[tuple[Cell, ...]]:
    """The rows of the predictions."""
    return [
        (row.id, *(one.step or (None, None, None)), one.peak_memory, one.low, one.high, one.status, one.reason)
        for row, one in zip(report.rows, report.predictions, strict=True)
    ]


_SCORE = ("rows", "median", "mean", "p90", "worst", "coverage", "width")


def _print_json(report: Report) -> None:
    from dataclasses import asdict

    from isoflop import report as rendering

    found: dict[str, Json] = {
        "schema_version": 1,
        "interval": 0.8,
        "sources": [asdict(score) for score in report.scores],
        "macro": asdict(report.macro) if report.macro else None,
        "step_time": {
            "sources": [asdict(score) for score in report.time_scores],
            "macro": asdict(report.time_macro) if report.time_macro else None,
        },
        "fits": asdict(report.fits) | {"false_fit_rate": report.fits.false_fit_rate},
        "statuses": dict(report.counts()),
        "predictions": [dict(zip(HEAD, line, strict=True)) for line in _lines(report)],
    }
    click.echo(rendering.dumps(found))


def _print_scores(report: Report, form: str) -> None:
    _print_table(report.time_scores, report.time_macro, form, "step time")
    _print_table(report.scores, report.macro, form, "peak memory")
    if form != "text":
        return
    if report.scores or report.time_scores:
        echo_wrapped(
            "\nErrors: |predicted - measured| / measured. inside: measured values in the 80 % interval. width: of that "
            "interval, against the prediction (median)."
        )
    if report.scores:
        _print_decisions(report)
    if not report.scores and not report.time_scores:
        click.echo("No row has both a prediction and a measured step time or peak memory.")
    counted = ", ".join(f"{number} {status}" for status, number in report.counts().items())
    click.echo(f"\n{len(report.rows)} row{'' if len(report.rows) == 1 else 's'}: {counted}.")
    _print_reasons(report)


def _print_table(scores: Sequence[Score], macro: Score | None, form: str, what: str) -> None:
    from isoflop.report import Column

    columns = [Column(name="source", title=what if form == "text" else "source"), Column(name="rows", right=True)]
    columns += [Column(name=name, title=_TITLES.get(name, name), right=True, written=_percent) for name in _SCORE[1:]]
    if form == "csv":
        columns.insert(1, Column(name="quantity"))
    listed = [*scores, *([macro] if macro and len(scores) > 1 else [])]
    if not listed:
        return
    rows: list[tuple[Cell, ...]] = [_cells(score, form) for score in listed]
    if form == "csv":
        rows = [(row[0], what, *row[1:]) for row in rows]
    print_table(columns, rows, form)
    if form == "text":
        click.echo()


_TITLES = {"worst": "max", "coverage": "inside"}


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _cells(score: Score, form: str) -> tuple[Cell, ...]:
    source = score.source
    room = terminal_width() - 60
    if form == "text" and len(source) > max(room, 20):
        source = source[: max(room, 20) - 3] + "..."
    return (source, score.rows, *(getattr(score, name) for name in _SCORE[1:]))


def _print_decisions(report: Report) -> None:
    fits = report.fits
    echo_wrapped(
        f'\nFalse "fits": {fits.false_fits} of {fits.too_large:,} pairs of a row and a device of the catalogue where '
        f"it does not fit ({_percent(fits.false_fit_rate)}); by the middle of the interval instead of its upper end "
        f"{fits.false_fits_middle} ({_percent(fits.false_fit_rate_middle)}). False refusals: {fits.false_refusals} of "
        f"{fits.fitting:,} pairs where it fits ({_percent(fits.false_refusal_rate)})."
    )


_MOST_REASONS = 12


def _print_reasons(report: Report) -> None:
    """Why rows have no prediction, the commonest first."""
    from collections import Counter

    reasons: dict[tuple[str, str], list[str]] = {}
    for row, one in zip(report.rows, report.predictions, strict=True):
        if one.status != "ok":
            reasons.setdefault((one.status, one.reason.partition("; assumed")[0]), []).append(row.id)
    counted = Counter({key: len(ids) for key, ids in reasons.items()}).most_common()
    for (status, reason), number in counted[:_MOST_REASONS]:
        ids = reasons[status, reason]
        listed = ", ".join(ids[:3]) + (f" and {number - 3} more" if number > 3 else "")
        echo_wrapped(f"  {status}: {reason} ({listed})")
    if len(counted) > _MOST_REASONS:
        click.echo(f"  and {len(counted) - _MOST_REASONS} more reasons; --out or --json has every row's.")
