"""`isoflop validate hours [ROWS.csv]`: chip-hours of published runs, predicted and held against what was stated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table
from isoflop.cli.predictions import write_predictions
from isoflop.cli.side_by_side import echo_wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.accuracy.published_hours import Hours
    from isoflop.report import Cell
    from isoflop.report.json import Json

HEAD = (
    "model", "device", "chips", "chip_time", "chip_time_low", "chip_time_high", "stated", "mfu", "use", "shape",
    "layouts", "reason",
)  # fmt: skip
"""Columns of the predictions, in base units; low and high bound the 80 % interval."""

HOUR = 3600.0


@click.command("hours", cls=Command)
@click.argument("rows", metavar="[ROWS.csv]", type=click.Path(), required=False)
@click.option("--configs", type=click.Path(), help="A folder of config.json files that the column config names.")
@click.option("--out", type=click.Path(), help="Write a prediction for every row to this CSV file.")
@output_options(file=False)
def hours(rows: str | None, *, configs: str | None, out: str | None, output: Output) -> None:
    """Predict chip-hours of whole training runs, and hold them against what their makers state.

    From model, device, number of chips, tokens and year alone, by what was usual in the year; no stated hours are read.
    Without a table: the published runs that isoflop ships. Columns of one: model, year, params_total, params_active,
    train_tokens, hardware, chips, days, chip_hours; config, seq and global_batch where they are known. A model whose
    name is a preset's has its shape. Runs without a number of chips are taken to last about a month, and do not count.

    \b
    isoflop validate hours
    isoflop validate hours runs.csv --configs configs/ --out predictions.csv
    """
    from isoflop.accuracy.hours_rows import HoursReport, validate_hours
    from isoflop.accuracy.published_hours import all_hours

    report = validate_hours(rows, configs) if rows is not None else HoursReport(rows=all_hours(), unknown=())
    if report.unknown:
        click.echo(f"columns that are not read: {', '.join(report.unknown[:20])}", err=True)
    if out is not None:
        write_predictions(out, HEAD, [_line(one) for one in report.rows])
    if output.form == "json":
        _print_json(report.counted, report.rows)
    else:
        _print(report.counted, report.further, output.form)
    if output.form == "text":
        _print_reasons(report.rows)
    raise SystemExit(0 if any(one.point is not None for one in report.rows) else 3)


def _line(one: Hours) -> tuple[Cell, ...]:
    share = None if one.point is None or not one.peak else (one.flops or 0.0) / (one.peak * one.point)
    return (
        *(one.name, one.device, one.chips, one.point, one.low, one.high, one.stated, share),
        *(one.use, one.shape, one.layouts, one.reason),
    )


def _print_json(counted: Sequence[Hours], rows: Sequence[Hours]) -> None:
    from isoflop import report as rendering
    from isoflop.accuracy.hours_scores import scores

    found: dict[str, Json] = {
        "schema_version": 1,
        "interval": 0.8,
        "scores": [
            {"name": one.name, "median": one.median, "mean": one.mean, "p90": one.p90, "worst": one.worst,
             "coverage": one.coverage}
            for one in (scores(counted) if counted else ())
        ],
        "predictions": [dict(zip(HEAD, _line(one), strict=True)) for one in rows],
    }  # fmt: skip
    click.echo(rendering.dumps(found))


def _print(counted: Sequence[Hours], further: Sequence[Hours], form: str) -> None:
    from isoflop.accuracy.hours_scores import scores
    from isoflop.report import Column

    columns = [Column(name="run"), Column(name="device"), Column(name="chips", right=True)]
    columns += [Column(name=name, title=title, right=True) for name, title in TITLES.items()]
    listed = [*counted, *further]
    if form == "text":
        columns = [one for one in columns if one.name not in {"low", "high"}]
    if form == "csv":
        print_table(HEAD, [_line(one) for one in listed], form)
        return
    if listed:
        print_table(columns, [_shown(one, [column.name for column in columns]) for one in listed], form)
    if form != "text":
        return
    for name, own in (("runs that state their chips", counted), ("runs that state no chips", further)):
        if not own:
            continue
        click.echo()
        head = [Column(name="from", title=f"{len(own)} {name}")]
        head += [Column(name=one, title=one, right=True) for one in ("median", "mean", "p90", "largest", "inside")]
        found = scores(own)
        print_table(head, [(one.name, *one.written()) for one in found], form)
    if not listed:
        click.echo("No row has both a prediction and stated chip-hours.")


TITLES = {
    "stated": "stated h", "predicted": "predicted h", "low": "10 %", "high": "90 %", "off": "off", "inside": "80 %",
}  # fmt: skip
"""Columns of hours for people."""


def _shown(one: Hours, names: Sequence[str]) -> tuple[Cell, ...]:
    real, found = one.stated or 1.0, one.point or 0.0
    inside = (one.low or 0.0) <= real <= (one.high or 0.0)
    every = {
        "run": one.name,
        "device": one.device,
        "chips": "" if one.chips is None else f"{one.chips:,.0f}",
        "stated": _hours(real),
        "predicted": _hours(found),
        "low": _hours(one.low or 0.0),
        "high": _hours(one.high or 0.0),
        "off": f"{100 * (found / real - 1):+.0f} %",
        "inside": "" if inside else "outside",
    }
    return tuple(every[name] for name in names)


def _hours(seconds: float) -> str:
    hours = seconds / HOUR
    return f"{hours / 1e6:.3g}M" if hours >= 1e6 else f"{hours / 1e3:.3g}k" if hours >= 1e3 else f"{hours:.3g}"


def _print_reasons(rows: Sequence[Hours]) -> None:
    """Rows with stated hours that have no prediction, or do not count."""
    out = [one for one in rows if one.use == "left out" and one.stated is not None]
    if out:
        click.echo("\nLeft out:")
    for one in out:
        echo_wrapped(f"  {one.name}: {one.reason}")
