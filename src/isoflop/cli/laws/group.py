"""`isoflop laws fit|predict|check|published|forms|compare|plot`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from isoflop.cli.laws import compared, words
from isoflop.cli.laws.allocate import allocate
from isoflop.cli.laws.backtest import backtest
from isoflop.cli.laws.design import design
from isoflop.cli.laws.running import running
from isoflop.cli.manual import Group
from isoflop.cli.output import Output, output_options, print_chart, print_table
from isoflop.cli.side_by_side import echo_wrapped
from isoflop.errors import BadInput, UntrustworthyFit, shorten
from isoflop.flags import split

if TYPE_CHECKING:
    import altair as alt

    from isoflop.report.chart_theme import Mode

LOSSES = ("log-huber", "soft-l1", "squared", "asymmetric")
COUNTS = ("total", "active", "non_embedding")
HISTORY = ("tokens-per-param", "pf-days", "growth")
PICTURES = (
    "power-laws", "isoflop", "surface", "profiles", "residuals", "predicted", "pf-days", "tokens-per-param", "growth",
)  # fmt: skip


class _Hyphened(click.Choice[str]):
    """A choice that also takes names as SciPy writes them: soft_l1."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(super().convert(value.replace("_", "-"), param, ctx))


def _runs_options(function: click.decorators.FC) -> click.decorators.FC:
    for option in (
        click.option("--best", is_flag=True, help="Of rows with equal params and tokens only the best one."),
        click.option("--strict", is_flag=True, help="Refuse guesses about columns and conventions."),
        click.option("--counts", type=click.Choice(COUNTS), help="Which parameters N counts."),
        click.option("--set", "constants", multiple=True, metavar="QUANTITY=VALUE", help="One value for all rows."),
        click.option("--column", "columns", multiple=True, metavar="QUANTITY=COLUMN", help="What a column is."),
    ):
        function = option(function)
    return function


def _fit_options(function: click.decorators.FC) -> click.decorators.FC:
    for option in (
        click.option("--engine", type=click.Choice(("auto", "numpy", "numba")), default="auto", help="What resamples."),
        click.option(
            "--seed", type=click.IntRange(0), default=0, show_default=True, help="Makes resamples repeatable."
        ),
        click.option("--weights", default="", metavar="COLUMN", help="A column of weights, or sqrt-flops."),
        click.option("--bound", "bounds", multiple=True, metavar="CONSTANT=LOW:HIGH", help="The box of a constant."),
        click.option("--tie", "ties", multiple=True, metavar="CONSTANT=OTHER", help="Make two constants equal."),
        click.option("--fix", "fixed", multiple=True, metavar="CONSTANT=VALUE", help="Hold a constant."),
        click.option(
            "--delta", type=float, default=words.DELTA, show_default=True, help="Corner of the loss, in ln(loss)."
        ),
        click.option(
            "--loss", type=_Hyphened(LOSSES), default="log-huber", show_default=True, help="What is minimised."
        ),
        click.option(
            "--bootstrap", type=click.IntRange(0, 1_000_000), default=1000, show_default=True, help="Resamples."
        ),
    ):
        function = option(function)
    return function


@click.group("laws", cls=Group)
def command() -> None:
    """Fit scaling laws to runs, doubt them, predict with them; list the published ones.

    \b
    isoflop laws fit runs.csv --law chinchilla --bootstrap 4000 --out fit.json
    isoflop laws predict fit.json more.csv --interval 0.8 --out predictions.csv
    isoflop plan --budget '$4k' --on tpu-v4 --law ./fit.json
    """


@command.command("fit")
@click.argument("runs", type=click.Path())
@click.option(
    "--law",
    default="chinchilla",
    show_default=True,
    help="A form (isoflop laws forms), auto, envelope, isoflop, hyper.",
)
@_fit_options
@click.option(
    "--method", type=click.Choice(("parabola", "akima", "surface")), default="parabola", help="Of --law isoflop."
)
@click.option("--profile", "profiled", multiple=True, metavar="CONSTANT", help="Also the profile of this constant.")
@click.option(
    "--interval", type=click.FloatRange(0.01, 0.999), default=0.8, show_default=True, help="Level of intervals."
)
@click.option("--explain", is_flag=True, help="Every check, the certificate, and what was taken as what.")
@click.option("--check", is_flag=True, help="Leave with exit code 1 where a check fails.")
@click.option("--out", type=click.Path(), help="Write the fit to this JSON file.")
@_runs_options
@output_options(file=False)
def fit(
    runs: str, *, law: str, method: str, profiled: tuple[str, ...], interval: float, explain: bool, check: bool,
    out: str | None, columns: tuple[str, ...], constants: tuple[str, ...], counts: str | None, strict: bool, best: bool,
    output: Output, **options: object,
) -> None:  # fmt: skip
    """Fit a law to the runs of a table or folder; every fit is checked and says when it cannot be trusted.

    RUNS is CSV, TSV, JSON Lines, JSON, a trainer_state.json, Parquet, TensorBoard events, an MLflow store, or a folder
    of these. Exit codes: 0 fitted; 1 fitted, and with --check a check fails; 2 the runs or the words cannot be read; 3
    the runs cannot carry the law, and the message says which are missing.

    \b
    isoflop laws fit runs.csv --bootstrap 4000 --out fit.json
    isoflop laws fit runs.csv --law auto
    isoflop laws fit runs.csv --column loss=val_loss --counts non_embedding --check
    """
    from isoflop import laws
    from isoflop.cli.laws import tables

    form = output.form
    table = words.read(runs, columns, constants, counts, strict=strict, best=best)
    asked = words.fit_options(options)
    if law == "auto" and profiled:
        raise BadInput("--law auto averages several forms, which have no one constant to profile; name a form")
    if law in {"envelope", "isoflop", "hyper"}:
        words.refuse_ignored(law, options, out=out, profiled=profiled)
    if law in {"envelope", "isoflop"}:
        if check:
            raise BadInput(f"--check judges a fit, and --law {law} has no checks; isoflop laws check has them")
        tables.print_other(table, law, method, (interval, form), asked)
        return
    hyper = laws.fit_hyper(table, resamples=asked.bootstrap, seed=asked.seed) if law == "hyper" else None
    found = hyper or laws.fit(table, law, asked)
    if out is not None:
        words.write_fit(out, found, interval)
    if isinstance(found, laws.HyperFit):
        tables.print_hyper(found, (interval, form), explain=explain)
    else:
        profiles = [laws.profile(found, table, name, level=interval) for name in profiled]
        tables.print_fit(found, profiles, (interval, form), explain=explain)
    if check and any(one.status == "fail" for one in found.checks):
        raise SystemExit(1)


@command.command("predict")
@click.argument("law", metavar="LAW")
@click.argument("runs", nargs=-1, required=True, metavar="RUNS | QUANTITY=VALUE...")
@click.option(
    "--interval", type=click.FloatRange(0.01, 0.999), default=0.8, show_default=True, help="Level of the interval."
)
@click.option("--through", type=click.Path(), help="A fit of loss, for a law of errors that follows the loss.")
@click.option("--out", type=click.Path(), help="Write all columns with the predictions to this CSV file.")
@click.option("--column", "columns", multiple=True, metavar="QUANTITY=COLUMN", help="What a column is.")
@click.option("--set", "constants", multiple=True, metavar="QUANTITY=VALUE", help="One value for all rows.")
@output_options(file=False)
def predict(
    law: str, runs: tuple[str, ...], *, interval: float, through: str | None, out: str | None,
    columns: tuple[str, ...], constants: tuple[str, ...], output: Output,
) -> None:  # fmt: skip
    """Predict the loss of runs with an interval: loss_predicted, loss_low, loss_high beside the columns there are.

    The interval is for a new run: doubt of the constants, scatter of runs, and drift beyond the runs. Rows that lack an
    input get no prediction and are counted. LAW is the file of a fit, or a published law, which has no scatter and so
    no interval for a run.

    \b
    isoflop laws predict fit.json runs.csv --out predictions.csv
    isoflop laws predict fit.json N=70B D=1.4T
    isoflop laws predict error.json N=70B D=1.4T --through fit.json
    """
    from isoflop.cli.laws import predicted as tables

    if all("=" in word for word in runs):
        table = tables.table_of_values(words.values_of(runs))
    elif len(runs) == 1:
        from isoflop.laws.table import read_table

        table = read_table(runs[0])
    else:
        raise BadInput("give one table of runs, or values such as params=70B tokens=1.4T")
    predicted = tables.predicted(law, table, (split(columns), words.values_of(constants)), interval, through)
    for mind in predicted.minds:
        click.echo(mind, err=True)
    if out is not None:
        words.write(out, predicted.csv())
    if out is None or output.form != "text":
        predicted.show(output.form)
    predicted.score(interval)


@command.command("check")
@click.argument("runs", type=click.Path())
@click.option("--law", default="chinchilla", show_default=True, help="The form whose fit is checked too.")
@_fit_options
@_runs_options
@output_options()
def check(
    runs: str, *, law: str, columns: tuple[str, ...], constants: tuple[str, ...], counts: str | None, strict: bool,
    best: bool, output: Output, **options: object,
) -> None:  # fmt: skip
    """Hold runs against the sixteen pitfalls of fitting scaling laws: pass, warn or fail, with numbers and remedies.

    Exit code 1: a check failed, or the law cannot be fitted to these runs.

    \b
    isoflop laws check runs.csv
    """
    from isoflop import laws
    from isoflop.cli.laws import tables

    form = output.form
    table = words.read(runs, columns, constants, counts, strict=strict, best=best)
    refused = ""
    try:
        found = laws.fit(table, law, words.fit_options(options)).checks
    except UntrustworthyFit as error:
        refused = str(error)
        found = laws.check(table)
    if form == "text":
        tables.print_checks(found, explain=True)
    else:
        print_table(*tables.check_rows(found), form)
    if refused:
        click.echo(f"UntrustworthyFit: {refused}", err=True)
    if form == "text":
        tables.print_mapping(table)
    if refused or any(one.status == "fail" for one in found):
        raise SystemExit(1)


@command.command("published")
@click.argument("name", required=False)
@output_options()
def published(name: str | None, *, output: Output) -> None:
    """List the published laws whose constants were verified, or show one (or a fit.json) whole.

    \b
    isoflop laws published
    isoflop laws published besiroglu2024
    """
    from isoflop.cli.laws import tables

    form = output.form
    if name is None:
        tables.print_published(form)
    else:
        tables.print_law(name, form)


@command.command("forms")
@output_options()
def forms(*, output: Output) -> None:
    """List the forms that fit takes with --law: what they need, and their constants.

    \b
    isoflop laws forms
    """
    from isoflop.laws import SHAPES

    rows = [
        (name, getattr(shape, "title", ""), ", ".join(shape.inputs), ", ".join(shape.coordinates))
        for name, shape in SHAPES.items()
    ]
    print_table(("form", "is", "needs", "coordinates"), rows, output.form)


@command.command("compare")
@click.argument("laws", nargs=-1, required=True)
@click.option("--flops", multiple=True, metavar="FLOP", help="Budgets to split; 1e21 and 1e24 where none is given.")
@compared.difference_options
@output_options()
def compare(laws: tuple[str, ...], *, flops: tuple[str, ...], output: Output, **options: object) -> None:
    """Published laws and fits side by side: constants, exponents, and how each splits a budget.

    Losses stand there to be read, not ranked: each law has its own data and tokenizer. With --difference two laws, or
    two studies (tables of runs), are held against each other: what differs, with intervals from joint draws.

    \b
    isoflop laws compare fit.json besiroglu2024 hoffmann2022
    isoflop laws compare ours.csv theirs.csv --difference --bytes-per-token 4.2,3.9 --target N=7B,D=2T
    """
    from isoflop.cli.laws import tables
    from isoflop.quantity import quantity, read

    form = output.form
    budgets = [float(read(text, quantity("train_flops")).spread.median) for text in flops] or [1e21, 1e24]
    if compared.wants_difference(options):
        compared.print_difference(laws, budgets, options, output)
        return
    tables.print_compared(laws, budgets, form)


@command.command("history")
@click.option("--growth", is_flag=True, help="Doubling times of params, tokens, FLOP and cost instead.")
@click.option("--law", default="ratio20", show_default=True, help="Whose verdict.")
@output_options(charts=HISTORY)
def history(*, growth: bool, law: str, output: Output) -> None:
    """Published models by tokens per parameter, with a law's verdict; or how fast what they took has grown.

    \b
    isoflop laws history
    isoflop laws history --growth
    """
    from isoflop.report.chart_history import grown, verdicts

    form = output.form
    if form in {"svg", "png"}:
        print_chart({kind: partial(_drawn, kind) for kind in HISTORY}, output)
        return
    if growth:
        told = {name: line.high < float("inf") for name, line in grown().items()}  # else growth is not told from none
        rows = [
            (name, line.doubling if told[name] else None, line.low, line.high if told[name] else None, line.points)
            for name, line in grown().items()
        ]
        print_table(("quantity", "doubling (years)", "low (90 %)", "high (90 %)", "runs"), rows, form)
        return
    held = [(run.model, run.date, ratio, kind) for run, ratio, kind in verdicts(law)]
    print_table(("model", "date", "tokens per parameter", "verdict"), held, form)


def _drawn(kind: str, width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.report.chart_history import history_chart

    return history_chart(kind, width=width, mode=mode)


@command.command("plot")
@click.argument("picture", type=click.Choice(PICTURES))
@click.argument("runs", required=False, type=click.Path())
@click.option("--law", default="chinchilla", show_default=True, help="The form that is fitted for the picture.")
@click.option("--out", required=True, type=click.Path(), help="The file: .svg, .png, .html or .json (Vega-Lite).")
@click.option("--width", type=click.IntRange(240, 4000), default=720, show_default=True, help="Pixels.")
@_runs_options
def plot(
    picture: str, runs: str | None, *, law: str, out: str, width: int, columns: tuple[str, ...],
    constants: tuple[str, ...], counts: str | None, strict: bool, best: bool,
) -> None:  # fmt: skip
    """Draw a picture of runs and their law, or of published runs (pf-days, tokens-per-param, growth).

    \b
    isoflop laws plot power-laws runs.csv --out laws.svg
    isoflop laws plot growth --out growth.png
    """
    from isoflop import report
    from isoflop.report import chart_laws

    if picture in chart_laws.OF_HISTORY:
        chart = chart_laws.history_chart(picture, width=width)
    elif runs is None:
        raise BadInput(
            f"{picture} is drawn of runs; give a table: isoflop laws plot {picture} runs.csv --out {shorten(out)}"
        )
    else:
        chart = chart_laws.runs_chart(
            picture, words.read(runs, columns, constants, counts, strict=strict, best=best), law, width=width
        )
    report.save(chart, out)
    echo_wrapped(f"{picture} drawn to {out}")


for _further in (allocate, backtest, design, running):
    command.add_command(_further)
