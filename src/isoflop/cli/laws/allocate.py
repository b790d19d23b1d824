"""`isoflop laws allocate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import FORMATS, Output, output_options, print_table, show
from isoflop.errors import BadInput
from isoflop.flags.laws import aim_of, aim_options, budget_of, choices_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws import Estimate, Runs
    from isoflop.report.laws_allocate import Allocated


@click.command("allocate", cls=Command)
@click.argument("law", metavar="LAW")
@aim_options
@click.option("--params", help="A law of experts alone (moe-clark): what they are worth to a model of this size.")
@click.option("--fit", "fitted", default="chinchilla", show_default=True, help="The form for a table of runs, or auto.")
@click.option("--runs", type=click.Path(), help="The runs behind the law: approaches 1 and 2 beside it.")
@output_options(charts=("valley",), explain="Print the derivation.")
def allocate(
    law: str, *, runs: str | None, constants: tuple[str, ...], output: Output, **options: object,
) -> None:  # fmt: skip
    """What to train with the compute, money or time there is: the best params and tokens, with intervals.

    LAW is the file of a fit, a published law, a law.toml, or a table of runs, which a form is fitted to (--fit). Of
    budget, deadline and flops the smallest binds. A law with further inputs takes them with --set; several values, as
    in --set granularity=1,8,32, are compared.

    \b
    isoflop laws allocate fit.json --flops 1e24 --runs runs.csv
    isoflop laws allocate besiroglu2024 --budget '$2m' --on h100-sxm --demand 5T --serve-ratio 4
    isoflop laws allocate besiroglu2024 --flops 1e24 --unique-tokens 500B
    isoflop laws allocate besiroglu2024 --loss 2.0 --demand 10T
    """
    params = options.pop("params")
    if params is not None:
        _experts(law, str(params), constants, (float(str(options["interval"])), output.form))
        return
    found = _allocated(law, runs, constants, options)
    show(found, output)


def _experts(law: str, params: str, constants: tuple[str, ...], shown: tuple[float, str]) -> None:
    """What experts are worth, a row a number of them."""
    from isoflop.laws import worth_of_experts
    from isoflop.laws.fit_file import read_fit
    from isoflop.quantity import quantity, read

    level, form = shown
    if form not in FORMATS:
        raise BadInput(f"what experts are worth is a table: --format {', '.join(FORMATS)}")
    given = [choice["experts"] for choice in choices_of(constants) if set(choice) == {"experts"}]
    if not given or not law.lower().endswith(".json"):
        raise BadInput("--params asks what experts are worth: give the file of a moe-clark fit and --set experts=8,64")
    size = float(read(params, quantity("params")).spread.median)
    found = [worth_of_experts(read_fit(law), size, experts, level=level) for experts in given]
    if form in {"text", "md"}:
        head = ("experts", "loss", "as good as dense", "times")
        said = [
            (one.experts, _around(one.loss, "loss"), _around(one.dense, "params"), round(one.gain, 3)) for one in found
        ]
        print_table(head, said, form)
        return
    names = ("params", "experts", "loss", "loss_low", "loss_high", "dense_params", "dense_low", "dense_high", "times")
    rows = [(one.params, one.experts, *one.loss, *one.dense, one.gain) for one in found]
    print_table(names, rows, form)


def _around(one: Estimate, quantity: str) -> str:
    from isoflop.report.words import say_around

    return say_around(one.value, one.low, one.high, quantity).removesuffix(" nats/token")


def _allocated(law: str, runs: str | None, constants: tuple[str, ...], options: Mapping[str, object]) -> Allocated:
    from isoflop import laws
    from isoflop.report.laws_allocate import Allocated

    answers = budget_of(options)
    aim = aim_of(options, answers)
    choices = choices_of(constants)
    table = runs or (law if is_table(law) else None)
    held = _runs(table) if table else None
    believed = laws.fit(held, str(options["fitted"])) if held is not None and is_table(law) else law
    decided = [laws.allocate(believed, aim, given) for given in choices]
    decided.sort(key=lambda one: one.loss.value if aim.flops is not None else one.train_flops.value)
    sides = laws.approaches(held, decided[0]) if held is not None else ()
    return Allocated(
        decision=decided[0], sides=sides, budget=answers, choices=tuple(decided) if len(decided) > 1 else ()
    )


def is_table(law: str) -> bool:
    """Whether a law is named by the runs it is to be fitted to."""
    from pathlib import Path

    return law.lower().endswith((".csv", ".tsv", ".jsonl", ".parquet")) or Path(law).is_dir()


def _runs(path: str) -> Runs:
    from isoflop import laws

    return laws.read_runs(path)
