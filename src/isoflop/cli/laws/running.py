"""`isoflop laws running`."""

from __future__ import annotations

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, show
from isoflop.flags import split
from isoflop.flags.laws import schedule_for, schedule_options


@click.command("running", cls=Command)
@click.argument("curve", type=click.Path())
@schedule_options
@click.option("--like", "earlier", multiple=True, type=click.Path(), help="A complete run of this kind, its decay too.")
@click.option("--run", default="", help="Which run, where the log holds several.")
@click.option("--column", "columns", multiple=True, metavar="QUANTITY=COLUMN", help="What a column is.")
@click.option("--interval", type=click.FloatRange(0.01, 0.999), default=0.8, show_default=True, help="Its level.")
@output_options(charts=("outlook",), explain="Print the derivation.")
def running(
    curve: str, *, earlier: tuple[str, ...], run: str, columns: tuple[str, ...], interval: float,
    output: Output, **options: object,
) -> None:  # fmt: skip
    """Where a run that is under way will end: its final loss with an interval, from its curve and its schedule.

    CURVE is the log of the run: CSV, JSON Lines, trainer_state.json, TensorBoard events, W&B export. A logged learning
    rate tells the schedule; else say it. Losses are in the units of the log.

    \b
    isoflop laws running trainer_state.json --total 20000
    isoflop laws running log.csv --total 20000 --schedule wsd --decay 0.1 --like last-run.csv --out outlook.svg
    """
    from isoflop import laws
    from isoflop.report.laws_running import Foreseen

    held = laws.read_curve(curve, columns=split(columns), run=run)
    schedule, said = schedule_for(held, options)
    past = [laws.read_curve(path, columns=split(columns)) for path in earlier]
    known = [(one, schedule_for(one, {**options, "total": str(one.end)})[0]) for one in past]
    outlook = laws.foresee(held, schedule, level=interval, prior=laws.prior_from(known), notes=(said,) if said else ())
    show(Foreseen(outlook=outlook, curve=held), output)
