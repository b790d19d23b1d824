"""`isoflop plan`."""

from __future__ import annotations

import click

from isoflop.cli.knowns import sampling_options
from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, show
from isoflop.errors import BadInput, Infeasible, shorten
from isoflop.flags import ask, split

CHARTS = ("loss", "memory", "tornado")

WORDS = {
    "budget": ("train_cost", "What may be spent: '$4k'."),
    "deadline": ("train_time", "When it must be done: '30 days'."),
    "on": ("on", "Devices: tpu-v4, 64xh100-sxm, or a device.toml."),
    "model": ("model", "A preset, a size (7B), a config.json, hf:org/name."),
    "params": ("params", "Parameters, where no model is named."),
    "tokens": ("tokens", "Training tokens: 1.4T."),
    "loss": ("loss", "The loss to reach, in nats per token."),
    "demand": ("serve_tokens", "Tokens that will be served over the model's life."),
    "mfu": ("mfu", "Model FLOP utilisation: 40%, '0.3 to 0.5'."),
    "law": ("law", "The scaling law that decides and predicts."),
    "price": ("price", "A price of your own: '$2/chip/h'."),
    "commitment": ("commitment", "on-demand, 1y, 3y or spot."),
    "provider": ("provider", "Whose price."),
    "region": ("region", "Where."),
    "as-of": ("as_of", "The date of the price."),
    "grid": ("grid", "Whose electricity: usa, france, ..."),
    "dtype": ("dtype", "Number format whose dense peak counts."),
}
"""Every option that is a known: the quantity or choice it stands for, and its help."""


def _word_options(function: click.decorators.FC) -> click.decorators.FC:
    for name, (_, text) in reversed(WORDS.items()):
        function = click.option(f"--{name}", help=text)(function)
    return function


@click.command("plan", cls=Command)
@_word_options
@click.argument("knowns", nargs=-1, metavar="[NAME=VALUE]...")
@click.option(
    "--vary",
    multiple=True,
    metavar="NAME=A,B,...",
    help="Plans side by side: dtype=bf16,fp8; on=priced; 'deadline=30 days,60 days'; twice: every pair.",
)
@click.option("--check", is_flag=True, help="Exit with 1 where the run does not keep its budget or deadline.")
@output_options("methods", "bibtex", "card", charts=CHARTS, explain="Print the numbered derivation too.")
@sampling_options
def command(
    *, knowns: tuple[str, ...], vary: tuple[str, ...], samples: int, seed: int, check: bool, output: Output,
    **options: str | None,
) -> None:  # fmt: skip
    """From any of budget, deadline, devices, model, tokens, loss and demand to the rest of the run.

    Further knowns of the glossary go as NAME=VALUE (pue=1.1, flops_per_param_token=6.3).

    \b
    isoflop plan --budget '$4k' --on tpu-v4 --commitment 3y
    isoflop plan --on 64xh100-sxm --deadline '30 days' --mfu 40%
    isoflop plan --model llama-2-7b --tokens 2T --on 512xa100-80gb --explain
    isoflop plan --budget '$100m' --on h100-sxm --vary 'deadline=30 days,60 days,90 days'
    """
    from isoflop.ask import DEFAULT_GRID, DEFAULT_LAW, plan_question

    flags = {WORDS[name.replace("_", "-")][0]: value for name, value in options.items() if value is not None}
    further = split(knowns)
    twice = sorted(flags.keys() & further.keys())
    if twice:
        key = twice[0]
        said = shorten(str(flags[key])), shorten(further[key])
        raise BadInput(f"'{key}' is given twice: as a flag ({said[0]}) and as {key}={said[1]}")
    if vary:
        _beside({**flags, **further}, vary, output)
        return
    question = ask({**flags, **further}, usual={"law": DEFAULT_LAW, "grid": DEFAULT_GRID})
    result = plan_question(question, samples=samples, seed=seed)
    show(result, output)
    if not result.fits:
        raise SystemExit(Infeasible.exit_code)
    if check and result.broken:
        raise SystemExit(1)


def _beside(knowns: dict[str, str], vary: tuple[str, ...], output: Output) -> None:
    """The plans of every value, side by side."""
    from isoflop.ask import plans_of
    from isoflop.flags import settings

    named: dict[str, list[str | float]] = {}
    for text in vary:
        name, equals, values = text.partition("=")
        name = name.strip()
        if not equals:
            raise BadInput(f"--vary '{shorten(text)}': say what, and the values: --vary dtype=bf16,fp8")
        apart = ";" if ";" in values else ","
        named[name] = [one.strip() for one in values.split(apart) if one.strip()]
    show(plans_of(named, knowns, settings=settings.load()), output)
