"""`isoflop.training(model, on, ...)`: the advice on a run, from words as people write them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict, Unpack

from isoflop import hardware
from isoflop.errors import BadInput, UnknownName
from isoflop.model import ModelSpec
from isoflop.model import model as find_model
from isoflop.quantity import quantity, read, read_cluster
from isoflop.training.advice import advise
from isoflop.training.cost import Order, tariff_of
from isoflop.training.spec import RECIPES

if TYPE_CHECKING:
    from isoflop.training.advice import Advice
    from isoflop.training.spec import Layout, Recipe


class RunWords(TypedDict, total=False):
    """What a run may be asked about with, in the value grammar; `layout` and `recipe` are those of this room.

    `batch` counts sequences, or tokens where the word says so ("1M tokens"). A bill needs `tokens`.
    """

    sequence: str | float
    batch: str | float
    tokens: str | float
    deadline: str | float
    price: str
    commitment: str
    provider: str
    region: str
    as_of: str
    goodput: str | float
    layout: Layout
    recipe: Recipe | str


def training(model: str | float | ModelSpec, on: str, **asked: Unpack[RunWords]) -> Advice:
    """Does it fit, how fast, for how much: the advice on training `model` on the devices of `on`.

    Raises: UnknownName for a model, device or recipe; BadInput for what cannot be read.

    >>> training("gpt2-xl", "8xh100-sxm", tokens="10B").good
    True
    """
    spec = model if isinstance(model, ModelSpec) else find_model(model)
    sequence = _whole(asked["sequence"], "sequence_length") if "sequence" in asked else None
    recipe = asked.get("recipe")
    if isinstance(recipe, str):
        if recipe not in RECIPES:
            raise UnknownName("recipe", recipe, RECIPES)
        recipe = RECIPES[recipe]
    batch = _batch(asked["batch"], sequence) if "batch" in asked else None
    return advise(
        spec, on, sequence=sequence, batch=batch, recipe=recipe, layout=asked.get("layout"), order=_order(on, asked)
    )


def _value(word: str | float, name: str) -> float:
    return float(word) if not isinstance(word, str) else read(word, quantity(name)).spread.median


def _whole(word: str | float, name: str) -> int:
    number = _value(word, name)
    if number != round(number) or number < 1:
        raise BadInput(f"{name} = {word!r}: give a whole number from 1 up")
    return round(number)


def _batch(word: str | float, sequence: int | None) -> int:
    """Sequences of a step."""
    if not isinstance(word, str) or "tok" not in word:
        return _whole(word, "batch_sequences")
    if sequence is None:
        raise BadInput(f"batch = {word!r} is in tokens: give the sequence too, for how many sequences are it?")
    return max(1, round(_value(word, "batch_tokens") / sequence))


def _order(on: str, asked: RunWords) -> Order | None:
    """What the bill is asked for; None where no tokens are named."""
    wish = {name: str(asked[name]) for name in ("commitment", "provider", "region", "as_of") if name in asked}
    if "tokens" not in asked:
        if wish or "price" in asked or "deadline" in asked:
            raise BadInput("a price or a deadline needs tokens too, as in tokens='1T': how long is the run?")
        return None
    tariff = tariff_of(hardware.device(read_cluster(on).device), price=asked.get("price", ""), **wish)
    deadline = _value(asked["deadline"], "train_time") if "deadline" in asked else None
    order = Order(tokens=_value(asked["tokens"], "tokens"), tariff=tariff, deadline=deadline)
    return replace(order, goodput=_value(asked["goodput"], "goodput")) if "goodput" in asked else order
