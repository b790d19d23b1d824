"""`isoflop validate serving ROWS.csv`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table
from isoflop.cli.predictions import write_predictions
from isoflop.cli.side_by_side import echo_wrapped

if TYPE_CHECKING:
    from isoflop.accuracy.serving_validate import ServingReport
    from isoflop.accuracy.validate import Score
    from isoflop.report import Cell
    from isoflop.report.json import Json

COLUMNS = {
    "tpot": "tpot",
    "ttft": "ttft",
    "output_rate": "output_tokens_per_s",
    "prompt_rate": "prefill_tokens_per_s",
    "energy": "energy_per_output_token",
}
"""Quantities -> their columns in the predictions, in base units."""

HEAD = (
    "id",
    *(
        f"{name}{end}"
        for name in (*COLUMNS.values(), "weights_bytes_per_device", "state_tokens")
        for end in ("", "_low", "_high")
    ),
    "status",
    "reason",
)
"""Columns of the predictions; low and high bound the 80 % interval."""

TITLES = {
    "tpot": "time a token",
    "ttft": "time to first token",
    "output_rate": "tokens written a second",
    "prompt_rate": "prompt tokens a second",
    "energy": "energy a token",
}


@click.command("serving", cls=Command)
@click.argument("rows", metavar="ROWS.csv", type=click.Path())
@click.option("--configs", type=click.Path(), help="A folder of config.json files, for models that are no preset.")
@click.option("--profile", type=click.Path(), help="A TOML file of constants, as calibrate serving writes it.")
@click.option("--out", type=click.Path(), help="Write a prediction for every row to this CSV file.")
@output_options(file=False)
def serving(rows: str, *, configs: str | None, profile: str | None, out: str | None, output: Output) -> None:
    """Predict latency, throughput and energy of every row of a table of measured serving, and hold them against it.

    The columns are those of the table that isoflop ships; any but id may be missing. What a row leaves open (lengths,
    batch, layout) is assumed, named in its reason, and widens its interval. Measured columns are never read by a
    prediction.

    \b
    isoflop validate serving rows.csv --configs configs/ --out predictions.csv
    """
    from isoflop.accuracy.serving_rows import read_serving_rows
    from isoflop.accuracy.serving_validate import validate_serving
    from isoflop.accuracy.state_models import read_library
    from isoflop.serving.rates import read_own

    form = output.form
    table = read_serving_rows(rows)
    report = validate_serving(table.rows, read_library(configs), read_own(profile) if profile else None)
    if table.unknown:
        click.echo(f"columns that are not read: {', '.join(table.unknown[:20])}", err=True)
    if out is not None:
        write_predictions(out, HEAD, _lines(report))
    if form == "json":
        _print_json(report)
    else:
        _print_scores(report, form)
    raise SystemExit(0 if "ok" in report.counts() else 3)


def _lines(report: ServingReport) -> list[tuple[Cell, ...]]:
    """The rows of the predictions."""
    lines: list[tuple[Cell, ...]] = []
    nothing = (None, None, None)
    for row, one in zip(report.rows, report.predictions, strict=True):
        bands = [one.bands.get(name) or nothing for name in COLUMNS]
        bands += [one.weights or nothing, one.tokens or nothing]
        lines.append((row.id, *(_number(value) for band in bands for value in band), one.status, one.reason))
    return lines


def _number(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]


_SCORE = ("rows", "median", "mean", "p90", "worst", "coverage", "width")
_NAMES = {"worst": "max", "coverage": "inside"}


def _scores(report: ServingReport) -> dict[str, list[Score]]:
    """By quantity: sources, and all rows where there are several."""
    from isoflop.accuracy.serving_validate import SCORED

    found: dict[str, list[Score]] = {}
    for quantity in SCORED:
        sources = report.sources(quantity)
        listed = [report.score(quantity, source) for source in (*sources, *([None] if len(sources) > 1 else []))]
        found[quantity] = [one for one in listed if one is not None]
    return found


def _print_json(report: ServingReport) -> None:
    from dataclasses import asdict

    from isoflop import report as rendering

    found: dict[str, Json] = {
        "schema_version": 1,
        "interval": 0.8,
        "scores": {COLUMNS[name]: [asdict(one) for one in scores] for name, scores in _scores(report).items()},
        "statuses": dict(report.counts()),
        "predictions": [dict(zip(HEAD, line, strict=True)) for line in _lines(report)],
    }
    click.echo(rendering.dumps(found))


def _print_scores(report: ServingReport, form: str) -> None:
    from isoflop.report import Column

    for quantity, scores in _scores(report).items():
        if not scores:
            continue
        title = TITLES[quantity]
        columns = [Column(name="source", title=title if form == "text" else "source"), Column(name="rows", right=True)]
        columns += [
            Column(name=name, title=_NAMES.get(name, name), right=True, written=_percent) for name in _SCORE[1:]
        ]
        rows: list[tuple[Cell, ...]] = [(one.source, *(getattr(one, name) for name in _SCORE)) for one in scores]
        if form == "csv":
            columns.insert(1, Column(name="quantity"))
            rows = [(row[0], COLUMNS[quantity], *row[1:]) for row in rows]
        print_table(columns, rows, form)
        if form == "text":
            click.echo()
    if form == "text":
        echo_wrapped(
            "Errors: |predicted - measured| / measured. inside: measured values in the 80 % interval. width: of that "
            "interval, against the prediction (median)."
        )
        counted = ", ".join(f"{number} {status}" for status, number in report.counts().items())
        click.echo(f"\n{len(report.rows)} row{'' if len(report.rows) == 1 else 's'}: {counted}.")


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
