"""What may be asked of a law: how much to spend on what, where to be sure, and by which schedule a run goes on."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import click

from isoflop.errors import BadInput, MissingData, shorten
from isoflop.flags.words import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws import Aim, Curve, Schedule
    from isoflop.relation import Answer

MONEY = {
    "budget": "train_cost", "deadline": "train_time", "on": "on", "mfu": "mfu", "price": "price",
    "commitment": "commitment", "provider": "provider", "region": "region", "as_of": "as_of", "dtype": "dtype",
}  # fmt: skip
"""Options about money and time, and what they are called in a question."""

MOST_CHOICES = 200
NAMES = {"N": "params", "D": "tokens", "U": "unique_tokens", "G": "granularity"}


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


def aim_options(function: click.decorators.FC) -> click.decorators.FC:
    """What may be spent, or the loss to reach; serving, data and the level of intervals."""
    for option in (
        click.option(
            "--interval", type=click.FloatRange(0.01, 0.999), default=0.8, show_default=True, help="Level of intervals."
        ),
        click.option("--within", type=float, help="What is nearly as good: 0.005 of the loss, 0.1 of the compute."),
        click.option(
            "--set", "constants", multiple=True, metavar="INPUT=VALUE[,VALUE...]", help="Further inputs of the law."
        ),
        click.option("--epochs", type=float, help="How often they may be seen at most."),
        click.option("--unique-tokens", help="Different tokens there are: 300B."),
        click.option(
            "--serve-ratio", type=float, default=1.0, show_default=True, help="Cost of a FLOP served over one trained."
        ),
        click.option("--demand", help="Tokens that will be served over the model's life: 2T."),
        _money_options,
        click.option("--loss", help="A loss to reach with the least compute, in nats per token, instead."),
        click.option("--flops", help="What may be spent: 1e24, '3700 PF-days', '1e24 to 2e24'."),
    ):
        function = option(function)
    return function


def budget_of(options: Mapping[str, object]) -> tuple[Answer, ...]:
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


def aim_of(options: Mapping[str, object], answers: tuple[Answer, ...]) -> Aim:
    """The aim that `aim_options` say; of the budget's `answers` the first binds."""
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


def choices_of(constants: tuple[str, ...]) -> list[dict[str, float]]:
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


def target_of(text: str) -> dict[str, float]:
    """`N=70B,D=1.4T` in base units; names of the glossary do as well."""
    from isoflop.quantity import quantities, quantity, read

    found = {}
    for key, value in split(text.split(",")).items():
        name = NAMES.get(key, key)
        if name in quantities():
            found[name] = float(read(value, quantity(name)).spread.median)
            continue
        try:
            found[name] = float(value)
        except ValueError:
            raise BadInput(f"{key}={value} in a target is no number; write for example N=70B,D=1.4T") from None
    return found


def schedule_options(function: click.decorators.FC) -> click.decorators.FC:
    """How long a run is to be and how its learning rate falls."""
    for option in (
        click.option(
            "--decay", type=click.FloatRange(0.001, 1), default=0.2, show_default=True, help="Share of a wsd run."
        ),
        click.option(
            "--final", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Final rate over the peak."
        ),
        click.option("--warmup", help="Length of the warm-up, in the same measure."),
        click.option(
            "--schedule", "kind", type=click.Choice(("constant", "cosine", "linear", "wsd")), help="How it falls."
        ),
        click.option("--total", help="How long the run is to be, in the curve's steps or tokens: 20000, 300B."),
    ):
        function = option(function)
    return function


def schedule_for(curve: Curve, options: Mapping[str, object]) -> tuple[Schedule, str]:
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
