"""The flags of `isoflop cost` and the answers to what they hold: one run accounted for, or devices compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.errors import BadInput, shorten
from isoflop.flags.training import batch_of, recipe_of, recipe_options, tokens_of

if TYPE_CHECKING:
    from isoflop.training import Account, Offer, Terms

DEVICES = (
    "a100-sxm-80gb", "h100-sxm-80gb", "h200-sxm-141gb", "b200-sxm-180gb", "tpu-v4", "tpu-v5e", "tpu-v5p", "tpu-v6e",
    "mi300x-192gb", "l40s", "rtx-4090", "rtx-5090",
)  # fmt: skip
"""Devices that are compared where none is named: those that clouds rent for training."""

WORDS = {
    "chip_mtbf": ("chip_mtbf", "Time between failures of a chip: '50000 chip h'."),
    "restart_time": ("restart_time", "From a failure to the next step: '10 min'."),
    "chip_capital": ("chip_capital", "What a chip with its share of a server costs: '$40k/chip'."),
    "lifetime": ("lifetime", "Over how long it is written off: '4 years'."),
    "utilisation": ("utilisation", "Share of that in which it works: 80%."),
    "electricity_price": ("electricity_price", "'$0.08/kWh'."),
    "pue": ("pue", "Building over machines: 1.1."),
    "power_ratio": ("power_ratio", "Machines over the board's TDP at full load; as measured, else 1.1."),
    "storage_price": ("storage_price", "'$0.02/GB/month'."),
    "text": ("text_bytes", "Text there is: '2 TB'; else as much as the epochs need."),
    "checkpoint_rate": ("checkpoint_rate", "What a chip writes: '0.25 GB/s'."),
}
"""Assumptions that a flag of the same name sets: the quantity that its value is of, and its help."""

SHARES = {"development": "Work before the run over its own: 0.5.", "evaluation": "Evaluations over steps: 0.02."}
NUMBERS = {"epochs": "How often each token is seen: 1.", "wue": "Litres of water a kWh on site: 1.8."}
NAMES = {
    "language": "Of the text: en, de, zh, code (isoflop data).",
    "tokenizer": "Which makes tokens of it: llama-3, o200k (isoflop data); else the nearest in vocabulary.",
}


def _term_options(function: click.decorators.FC) -> click.decorators.FC:
    for name, text in (*((name, text) for name, (_, text) in WORDS.items()), *SHARES.items(), *NUMBERS.items()):
        function = click.option(f"--{name.replace('_', '-')}", help=text)(function)
    for name, text in NAMES.items():
        function = click.option(f"--{name}", help=text)(function)
    return click.option("--grid", help="Where: us, fr, de, or a cloud's region (isoflop grids).")(function)


def cost_options(function: click.decorators.FC) -> click.decorators.FC:
    """Everything that the cost of a run is asked about with, beside the model."""
    for option in (
        _term_options,
        recipe_options,
        click.option("--budget", help="Compared: only what costs no more: '$100k'."),
        click.option("--deadline", help="Compared: only what is done by then: '30 days'."),
        click.option("--as-of", help="The date of the price."),
        click.option("--region", help="Where."),
        click.option("--provider", help="Whose price."),
        click.option("--commitment", help="on-demand, 1y, 3y or spot."),
        click.option("--price", help="A price of your own: '$2/chip/h', or a price file."),
        click.option("--batch", help="A step's batch: 1M tokens, or a number of sequences."),
        click.option("--sequence", help="Tokens of a sequence: 4k."),
        click.option("--tokens", help="Tokens to train on: 1T."),
        click.option("--on", help="Devices: 64xh100-sxm, h100-sxm, 8x./device.toml; left out, several are compared."),
    ):
        function = option(function)
    return function


def cost_of(
    model: str | float, on: str | None, tokens: str | None, options: dict[str, object]
) -> Account | tuple[Offer, ...]:
    """The account of the run on devices that are named; else offers of several, best in time or money marked."""
    if tokens is None and options["text"]:
        said = f"isoflop data '{shorten(str(options['text']))}' says how many tokens that text is; times the epochs"
        raise BadInput(f"how many tokens to train on is not said: {said} they are what --tokens takes")
    if tokens is None:
        raise BadInput("how many tokens to train on is not said: give --tokens 1T")
    if on is None:
        if recipe_of(dict(options)) is not None:
            raise BadInput("flags of a recipe (--lora, --matmul, ...) need --on: devices are compared at the usual one")
        return _found(model, tokens, options)
    if options["deadline"] or options["budget"]:
        raise BadInput("--deadline and --budget choose among devices: leave --on out for them")
    return _account(model, on, tokens, options)


def _account(model: str | float, on: str, tokens: str, options: dict[str, object]) -> Account:
    from isoflop import hardware
    from isoflop.model import model as find_model
    from isoflop.quantity import read_cluster
    from isoflop.training import account_of, advise, tariff_of

    length = tokens_of(_text(options, "sequence"))
    device = hardware.device(read_cluster(on).device)
    wish = {name: str(options[name]) for name in ("provider", "commitment", "region", "as_of") if options[name]}
    tariff = tariff_of(device, price=str(options["price"] or ""), **wish)
    batch = batch_of(_text(options, "batch"), length)
    advice = advise(find_model(model), on, sequence=length, batch=batch, recipe=recipe_of(options))
    return account_of(advice, device, _value(tokens, "tokens"), tariff, terms_of(options))


def terms_of(options: dict[str, object]) -> Terms:
    """The assumptions that flags set, the others as usual."""
    from isoflop.training import Terms

    given: dict[str, object] = {
        name: _value(str(options[name]), quantity) for name, (quantity, _) in WORDS.items() if options[name]
    }
    given |= {name: _number(str(options[name]), name) for name in (*SHARES, *NUMBERS) if options[name]}
    given |= {name: str(options[name]) for name in ("grid", *NAMES) if options[name]}
    return Terms(**given)  # type: ignore[arg-type]


def _text(options: dict[str, object], name: str) -> str | None:
    return None if options[name] is None else str(options[name])


def _value(text: str, name: str) -> float:
    from isoflop.quantity import quantity, read

    return read(text, quantity(name)).spread.median


def _number(text: str, name: str) -> float:
    plain = text.strip().removesuffix("%")
    try:
        return float(plain) / (100 if text.strip().endswith("%") else 1)
    except ValueError as error:
        raise BadInput(f"--{name} '{shorten(text)}' is no number") from error


def _found(model: str | float, tokens: str, options: dict[str, object]) -> tuple[Offer, ...]:
    """The offers that keep deadline and budget."""
    from isoflop.errors import Infeasible
    from isoflop.model import model as find_model
    from isoflop.training import offers_of

    wish = {name: str(options[name]) for name in ("provider", "commitment", "region", "as_of") if options[name]}
    found = offers_of(find_model(model), _value(tokens, "tokens"), DEVICES, wish=wish, terms=terms_of(options))
    deadline, budget = _text(options, "deadline"), _text(options, "budget")
    if deadline:
        found = tuple(one for one in found if one.bill.time <= _value(deadline, "train_time"))
    if budget:
        found = tuple(one for one in found if one.cost <= _value(budget, "train_cost"))
    if not found:
        raise Infeasible(f"no device and number of chips that was tried trains {model} so: more time, or more money")
    return found
