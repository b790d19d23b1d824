"""`isoflop laws allocate`."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import click

from isoflop.cli.knowns import TABLE_FORMATS
from isoflop.cli.laws.shown import output_options, show
from isoflop.errors import BadInput, shorten
from isoflop.flags import split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from isoflop.laws import Aim, Estimate, Runs
    from isoflop.relation import Answer
    from isoflop.report.laws_allocate import Allocated

MONEY = {
    "budget": "train_cost", "deadline": "train_time", "on": "on", "mfu": "mfu", "price": "price",
    "commitment": "commitment", "provider": "provider", "region": "region", "as_of": "as_of", "dtype": "dtype",
}  # fmt: skip
"""Options about money and time, and what they are called in a question."""

MOST_CHOICES = 200


def _money_options(function: click.decorators.FC) -> click.decorators.FC:
    for name, text in (
        ("dtype", "Number format whose dense peak counts."),
        ("as-of", "The date of the price."),
        ("region", "Where."),
        ("provider", "Whose price."),
        ("commitment", "on-demand, 1y, 3y or spot."),
        ("price", "A price of your own: '$2/chip/h'."),
        ("mfu", "Model FLOP utilisation: 40%, '0.3 to 0.5'."),
        ("on", "Devices: tpu-v4, 64xh100-sxm."),
        ("deadline", "When it must be done: '30 days'."),
        ("budget", "What may be spent: '$4k'."),
    ):
        function = click.option(f"--{name}", help=text)(function)
    return function


@click.command("allocate")
@click.argument("law", metavar="LAW")
@click.option("--flops", help="What may be spent: 1e24, '3700 PF-days', '1e24 to 2e24'.")
@click.option("--loss", help="A loss to reach with the least compute, in nats per token, instead.")
@_money_options
@click.option("--params", help="A law of experts alone (moe-clark): what they are worth to a model of this size.")
@click.option("--demand", help="Tokens that will be served over the model's life: 2T.")
@click.option(
    "--serve-ratio", type=float, default=1.0, show_default=True, help="Cost of a FLOP served over one trained."
)
@click.option("--unique-tokens", help="Different tokens there are: 300B.")
@click.option("--epochs", type=float, help="How often they may be seen at most.")
@click.option("--set", "constants", multiple=True, metavar="INPUT=VALUE[,VALUE...]", help="Further inputs of the law.")
@click.option("--fit", "fitted", default="chinchilla", show_default=True, help="The form for a table of runs, or auto.")
@click.option("--runs", type=click.Path(), help="The runs behind the law: approaches 1 and 2 beside it.")
@click.option("--within", type=float, help="What is nearly as good: 0.005 of the loss, 0.1 of the compute.")
@click.option(
    "--interval", type=click.FloatRange(0.01, 0.999), default=0.8, show_default=True, help="Level of intervals."
)
@output_options
def allocate(
    law: str, *, runs: str | None, constants: tuple[str, ...], form: str, as_json: bool, dark: bool, explain: bool,
    out: str | None, **options: object,
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
        _experts(law, str(params), constants, (float(str(options["interval"])), "json" if as_json else form))
        return
    found = _allocated(law, runs, constants, options)
    show(found, (form, as_json, dark, explain, out), _drawings())


def _experts(law: str, params: str, constants: tuple[str, ...], shown: tuple[float, str]) -> None:
    """What experts are worth, a row a number of them."""
    from isoflop.cli.knowns import print_table
    from isoflop.laws import worth_of_experts
    from isoflop.laws.fit_file import read_fit
    from isoflop.quantity import quantity, read

    level, form = shown
    if form not in TABLE_FORMATS:
        raise BadInput(f"what experts are worth is a table: --format {', '.join(TABLE_FORMATS)}")
    given = [choice["experts"] for choice in _choices(constants) if set(choice) == {"experts"}]
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

    answers = _budget(options)
    aim = _aim(options, answers)
    choices = _choices(constants)
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


def _budget(options: Mapping[str, object]) -> tuple[Answer, ...]:
    """FLOP that money and time allow, the fewer first; nothing where neither is given."""
    from isoflop.ask import bind, solve_question

    known = {MONEY[key]: str(value) for key, value in options.items() if key in MONEY and value is not None}
    limits = [key for key in ("train_cost", "train_time") if key in known]
    if not limits:
        if known:
            raise BadInput(
                f"--{next(iter(known))} needs what it limits: --budget, or --deadline with a number of chips"
            )
        return ()
    if options["loss"] is not None:
        raise BadInput("a loss and a budget or deadline: give one of them; isoflop plan weighs both")
    found = [
        solve_question(bind({k: v for k, v in known.items() if k == one or k not in limits}), "train_flops")
        for one in limits
    ]
    return tuple(sorted(found, key=lambda one: one.value))


def _aim(options: Mapping[str, object], answers: tuple[Answer, ...]) -> Aim:
    from isoflop.laws import Aim
    from isoflop.quantity import quantity, read

    def number(key: str, name: str) -> float | None:
        text = options[key]
        return None if text is None else float(read(str(text), quantity(name)).spread.median)

    flops, samples = number("flops", "train_flops"), None
    if options["flops"] is not None:
        import numpy as np

        spread = read(str(options["flops"]), quantity("train_flops")).spread
        samples = None if spread.is_point else spread.sample(np.random.default_rng(1), 1000)
    if answers and (flops is None or answers[0].value < flops):
        flops, samples = answers[0].value, answers[0].samples
    serve = number("demand", "serve_tokens")
    ratio, epochs, within, level = (options[key] for key in ("serve_ratio", "epochs", "within", "interval"))
    return Aim(
        flops=flops,
        flops_samples=samples,
        loss=number("loss", "loss"),
        serve_tokens=serve or 0.0,
        serve_ratio=float(ratio),  # type: ignore[arg-type]  # click read a number
        unique_tokens=number("unique_tokens", "unique_tokens"),
        epochs=epochs if epochs is None else float(epochs),  # type: ignore[arg-type]  # click read a number
        within=within if within is None else float(within),  # type: ignore[arg-type]  # click read a number
        level=float(level),  # type: ignore[arg-type]  # click read a number
    )


def _choices(constants: tuple[str, ...]) -> list[dict[str, float]]:
    """Every combination of the values given for further inputs."""
    lists: dict[str, list[float]] = {}
    for key, text in split(constants).items():
        try:
            lists[key] = [float(word) for word in text.split(",")]
        except ValueError:
            raise BadInput(f"--set {key}={shorten(text)}: give a number, or several as 1,8,32") from None
    found = [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]
    if len(found) > MOST_CHOICES:
        raise BadInput(f"{len(found)} combinations of --set; at most {MOST_CHOICES} are compared")
    return found


def _drawings() -> Mapping[str, Callable[..., object]]:
    from isoflop.report import chart_decide, laws_allocate

    return {
        "text": laws_allocate.allocate_text,
        "json": laws_allocate.allocate_json,
        "md": laws_allocate.allocate_markdown,
        "html": laws_allocate.allocate_html,
        "chart": chart_decide.allocate_chart,
    }
