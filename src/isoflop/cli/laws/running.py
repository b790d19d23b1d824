"""`isoflop laws running`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.laws.shown import output_options, show
from isoflop.errors import BadInput, MissingData
from isoflop.flags import split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from isoflop.laws import Curve, Schedule


@click.command("running")
@click.argument("curve", type=click.Path())
@click.option("--total", help="How long the run is to be, in the curve's steps or tokens: 20000, 300B.")
@click.option("--schedule", "kind", type=click.Choice(("constant", "cosine", "linear", "wsd")), help="How it falls.")
@click.option("--warmup", help="Length of the warm-up, in the same measure.")
@click.option("--final", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Final rate over the peak.")
@click.option("--decay", type=click.FloatRange(0.001, 1), default=0.2, show_default=True, help="Share of a wsd run.")
@click.option("--like", "earlier", multiple=True, type=click.Path(), help="A complete run of this kind, its decay too.")
@click.option("--run", default="", help="Which run, where the log holds several.")
@click.option("--column", "columns", multiple=True, metavar="QUANTITY=COLUMN", help="What a column is.")
@click.option("--interval", type=click.FloatRange(0.01, 0.999), default=0.8, show_default=True, help="Its level.")
@output_options
def running(
    curve: str, *, earlier: tuple[str, ...], run: str, columns: tuple[str, ...], interval: float, form: str,
    as_json: bool, dark: bool, explain: bool, out: str | None, **options: object,
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
    schedule, said = _schedule(held, options)
    past = [laws.read_curve(path, columns=split(columns)) for path in earlier]
    known = [(one, _schedule(one, {**options, "total": str(one.end)})[0]) for one in past]
    outlook = laws.foresee(held, schedule, level=interval, prior=laws.prior_from(known), notes=(said,) if said else ())
    show(Foreseen(outlook=outlook, curve=held), (form, as_json, dark, explain, out), _drawings())


def _schedule(curve: Curve, options: Mapping[str, object]) -> tuple[Schedule, str]:
    """The schedule that is said, else the one that the logged rate follows; and what was assumed."""
    from isoflop import laws

    kind = options["kind"]
    if options["total"] is None:
        raise MissingData(
            f"how long is the run to be? The curve stands at {curve.end:g} {curve.measure}; say --total in these"
        )
    total = _length(str(options["total"]), curve.measure)
    if kind is None and not len(curve.rate):
        raise MissingData("the log has no learning rate: say --schedule constant, cosine, linear or wsd")
    if kind is None:
        return laws.schedule_of(curve.at, curve.rate, total)
    warmup = _length(str(options["warmup"]), curve.measure) if options["warmup"] is not None else 0.0
    if options["warmup"] is None and len(curve.rate):
        warmup = min(laws.warmup_of(curve.at, curve.rate), 0.5 * total)
    return laws.Schedule(
        kind=kind,  # type: ignore[arg-type]  # a choice
        total=total,
        warmup=warmup,
        final=float(options["final"]),  # type: ignore[arg-type]  # click read a number
        decay=float(options["decay"]),  # type: ignore[arg-type]  # click read a number
    ), ""


def _length(text: str, measure: str) -> float:
    from isoflop.quantity import quantity, read

    value = float(read(text, quantity(measure)).spread.median)
    if not value > 0:
        raise BadInput(f"a length must be positive; {text} was given")
    return value


def _drawings() -> Mapping[str, Callable[..., object]]:
    from isoflop.report import chart_progress, laws_running

    return {
        "text": laws_running.running_text,
        "json": laws_running.running_json,
        "md": laws_running.running_markdown,
        "html": laws_running.running_html,
        "chart": chart_progress.running_chart,
    }
