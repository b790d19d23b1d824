"""`isoflop cost M ... --serve-tokens 10T`: what writing its tokens adds to training, over the model's life."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from isoflop.errors import BadInput, MissingData

if TYPE_CHECKING:
    from isoflop.serving import Service
    from isoflop.training import Account

REQUESTS = 64
"""Requests at once that a deployment is taken to have, where nobody says."""


def life_options(function: click.decorators.FC) -> click.decorators.FC:
    """What is asked of the model's life after its training."""
    for option in (
        click.option("--concurrency", help=f"Requests at once that each deployment has: {REQUESTS}."),
        click.option("--serve-on", help="Devices that serve it: 1xh100-sxm; else those it is trained on."),
        click.option("--serve-tokens", help="Tokens written over the model's life: 10T; adds what serving takes."),
    ):
        function = option(function)
    return function


def check_life(asked: dict[str, object], on: str | None) -> None:
    """Refuse what says nothing: serving without its tokens, or on devices that are still to be found."""
    if asked["serve_tokens"] is None:
        given = [f"--{name.replace('_', '-')}" for name in ("serve_on", "concurrency") if asked[name] is not None]
        if given:
            raise BadInput(f"{given[0]} is of serving: give --serve-tokens 10T too")
    elif on is None:
        raise BadInput("a whole life is accounted for on named devices: give --on 512xh100-sxm with --serve-tokens")


def with_life(account: Account, model: str, on: str, options: dict[str, object]) -> Account:
    """The account with a part about serving, by the same price where the device is the same."""
    from isoflop.quantity import quantity, read
    from isoflop.training import Line

    tokens = read(str(options["serve_tokens"]), quantity("serve_tokens")).spread.median
    train_cost = account.bill.cost
    if train_cost is None:
        raise MissingData("a whole life needs a price: give --price '$2/chip/h'")
    served = _served(account, model, on, (tokens, train_cost), options)
    life, bill = served.lifetime, served.bill
    assert life is not None
    assert bill is not None
    at = f"{bill.chips} x {served.deployment.device.name} a deployment, {_requests(options):g} requests at once"
    each = life.serve_cost / tokens
    lines = [
        Line(name="training", value=life.train_cost, quantity="train_cost", note="rent of the run"),
        Line(
            name="serving", value=life.serve_cost, quantity="train_cost",
            note=f"{_tokens(tokens)} tokens written at ${each * 1e6:.3g} a million; {at}",
        ),
        Line(name="both", value=life.total, quantity="train_cost"),
        Line(
            name="equal at", value=life.equal, quantity="serve_tokens", note="tokens written until serving cost as much"
        ),
        Line(
            name="energy of serving", value=life.serve_energy, quantity="train_energy",
            note="a fifth of it for hosts and cooling",
        ),
    ]  # fmt: skip
    if life.best is not None:
        params, seen = float(life.best.params), float(life.best.tokens)
        lines.append(
            Line(
                name="best for both", value=params, quantity="params",
                note=f"dense, on {_tokens(seen)} tokens, for the same money ({life.law}); this one has "
                f"{_params(account)}",
            )
        )  # fmt: skip
    return replace(account, parts={**account.parts, "life": tuple(lines)})


def _served(
    account: Account, model: str, on: str, whole: tuple[float, float], options: dict[str, object]
) -> Service:  # fmt: skip
    from isoflop import hardware
    from isoflop.model import describe
    from isoflop.quantity import read_cluster
    from isoflop.serving import Wish, deployment_for, serve
    from isoflop.training import tariff_of

    tokens, train_cost = whole
    trained = hardware.device(read_cluster(on).device).name
    place = str(options["serve_on"] or trained)
    device = hardware.device(read_cluster(place).device)
    tariff = account.bill.order.tariff if device.name == trained else tariff_of(device)
    if tariff is None:
        raise MissingData(f"no price of {device.name} is known; serve on what has one: --serve-on h100-sxm")
    deployment, chips = deployment_for(describe(model), place)
    wish = Wish(concurrency=_requests(options), tariff=tariff, train_cost=train_cost, serve_tokens=tokens)
    found = serve(deployment, chips, wish)
    if found.lifetime is None:
        said = found.untimed or f"{model} does not fit on {place}"
        raise MissingData(f"serving cannot be priced: {said}")
    return found


def _requests(options: dict[str, object]) -> float:
    text = options["concurrency"]
    if text is None:
        return float(REQUESTS)
    try:
        found = float(str(text))
    except ValueError as error:
        raise BadInput(f"--concurrency '{text}' is no number of requests") from error
    if found <= 0:
        raise BadInput(f"--concurrency {found:g}: give a number above 0")
    return found


def _tokens(value: float) -> str:
    from isoflop.quantity import quantity, write

    return write(value, quantity("tokens"))


def _params(account: Account) -> str:
    from isoflop.model import counts
    from isoflop.quantity import quantity, write

    return write(float(counts(account.advice.run.model).params), quantity("params"))
