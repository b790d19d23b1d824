"""`isoflop laws backtest`: fit below a cut, predict above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.laws import words
from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table
from isoflop.cli.side_by_side import echo_wrapped

if TYPE_CHECKING:
    from isoflop.laws import Backtest
    from isoflop.report import Cell

BY = ("flops", "params", "tokens", "tokens_per_param", "experts", "unique_tokens")


@click.command("backtest", cls=Command)
@click.argument("runs", type=click.Path())
@click.option("--train-below", "below", required=True, metavar="VALUE", help="Fit to runs at most here: 3e20, 1B.")
@click.option("--by", type=click.Choice(BY), default="flops", show_default=True, help="What is cut.")
@click.option(
    "--interval", type=click.FloatRange(0.01, 0.999), default=0.8, show_default=True, help="Level of intervals."
)
@click.option("--bootstrap", type=click.IntRange(10, 100_000), default=1000, show_default=True, help="Resamples.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Makes resamples repeatable.")
@click.option("--column", "columns", multiple=True, metavar="QUANTITY=COLUMN", help="What a column is.")
@click.option("--set", "constants", multiple=True, metavar="QUANTITY=VALUE", help="One value for all rows.")
@click.option("--counts", type=click.Choice(("total", "active", "non_embedding")), help="Which parameters N counts.")
@output_options()
def backtest(
    runs: str, *, below: str, by: str, interval: float, bootstrap: int, seed: int, columns: tuple[str, ...],
    constants: tuple[str, ...], counts: str | None, output: Output,
) -> None:  # fmt: skip
    """Fit to the cheaper runs, predict the dearer ones, and show how far off --law auto, each form and baselines were.

    The error is the mean of |predicted / measured - 1| over the runs above the cut; "inside" is the share of them in
    the interval of --law auto. The forms by themselves are fitted to all runs below the cut.

    \b
    isoflop laws backtest runs.csv --train-below 1e20
    isoflop laws backtest runs.csv --by params --train-below 500M --json
    """
    from isoflop import laws

    table = words.read(runs, columns, constants, counts, strict=False, best=False)
    at = words.values_of((f"{by}={below}",))[by]
    found = laws.backtest(table, at, by=by, level=interval, options=laws.Options(bootstrap=bootstrap, seed=seed))
    form = output.form
    if form == "json":
        from isoflop.report import dumps
        from isoflop.report.laws_backtest import backtest_json

        click.echo(dumps(backtest_json(found)))
        return
    if form == "text":
        ahead = f", up to {found.decades:.1f} decades beyond" if found.decades > 0 else ""
        echo_wrapped(
            f"Fitted to {found.fitted} runs with {by} at most {found.below:.4g}; {found.predicted} above{ahead}.\n"
        )
    print_table(("predictor", "error", "median", "largest", "bias", "inside", "width"), _rows(found), form)
    if form == "text":
        _weights(found)


def _rows(found: Backtest) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for one in found.held:
        inside = None if one.covered is None else f"{one.covered:.0%}"
        width = None if one.width is None else f"{one.width:.2%}"
        rows.append(
            (one.name, f"{one.error:.2%}", f"{one.median:.2%}", f"{one.largest:.2%}", f"{one.bias:+.2%}", inside, width)
        )
    return rows


def _weights(found: Backtest) -> None:
    said = ", ".join(f"{one.form} {one.weight:.0%}" for one in found.fit.tried if one.weight > 0)
    echo_wrapped(f"\nauto is {said}; its interval is {found.level:.0%}.")
    for note in found.notes:
        echo_wrapped(f"Mind: {note}")
