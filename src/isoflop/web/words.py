"""What a form says, read by the functions of `isoflop.flags` that read the flags of the same names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.errors import BadInput
from isoflop.flags import ask, split
from isoflop.flags.cost import cost_of, cost_options
from isoflop.flags.serving import deployment_options, service_of
from isoflop.flags.training import advice_of, run_options
from isoflop.web.names import guarded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.ask import Question
    from isoflop.serving.advice import Service
    from isoflop.training import Account, Advice, Offer

_YES = frozenset({"1", "on", "true", "yes"})


def lines_of(text: str) -> dict[str, str]:
    """`name=value`, one a line, as a mapping; a line without '=' and a name given twice are refused."""
    return split(line for line in text.splitlines() if line.strip())


def asked(words: Mapping[str, str], *, without: str = "", usual: Mapping[str, str] | None = None) -> Question:
    """The question that the words put, bound to catalogues. Raises: BadInput and what else `isoflop.ask.bind` does."""
    return ask(guarded(words), without=without, usual=usual)


def flags(command: click.Command, words: Mapping[str, str]) -> dict[str, object]:
    """The options of `command` as it would get them had the words been flags; a model is kept apart under "model"."""
    named = {option.removeprefix("--"): one for one in command.params for option in (*one.opts, *one.secondary_opts)}
    takes_model = any(isinstance(one, click.Argument) for one in command.params)
    parts = []
    for key, text in guarded(words).items():
        if key == "model" and takes_model:
            continue
        flag = key.replace("_", "-")
        option = named[flag]
        if getattr(option, "is_flag", False):
            parts += [f"--{flag}"] if str(text).lower() in _YES else []
        elif option.multiple if isinstance(option, click.Option) else False:
            parts += [f"--{flag}={part}" for part in str(text).replace(",", " ").split()]
        else:
            parts.append(f"--{flag}={text}")
    model = ["--", str(words.get("model", ""))] if takes_model else []
    try:
        context = command.make_context(command.name, [*parts, *model])
    except click.ClickException as error:
        raise BadInput(error.format_message().replace("'--", "'")) from error
    return {**context.params, **({"model": guarded({"model": words.get("model", "")})["model"]} if takes_model else {})}


@click.command("training")
@click.argument("model")
@run_options
def _training(**_: object) -> None:
    """The options of a training run, without those of a terminal."""


@click.command("serving")
@click.argument("model")
@deployment_options
def _serving(**_: object) -> None:
    """The options of a deployment, without those of a terminal."""


@click.command("cost")
@click.argument("model")
@cost_options
def _cost(**_: object) -> None:
    """The options of the cost of a run, without those of a terminal."""


def cost_answer(words: Mapping[str, str]) -> Account | tuple[Offer, ...]:
    """`isoflop cost` for these words."""
    options = flags(_cost, words)
    model, on, tokens = options.pop("model"), options.pop("on"), str(options.pop("tokens"))
    return cost_of(model, None if on is None else str(on), tokens, options)  # type: ignore[arg-type]  # a name or a number


def training_advice(words: Mapping[str, str]) -> Advice:
    """`isoflop training` for these words."""
    options = flags(_training, words)
    return advice_of(options.pop("model"), options)  # type: ignore[arg-type]  # a name or a number


def serving_answer(words: Mapping[str, str]) -> Service:
    """`isoflop serving` for these words."""
    options = flags(_serving, words)
    return service_of(options.pop("model"), options)  # type: ignore[arg-type]  # a name or a number
