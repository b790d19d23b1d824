"""What stands beside a plan: the flat valley, other splits, other places to buy, a concrete shape, usual settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop import laws
from isoflop.ask.bind import bind
from isoflop.ask.solve import system
from isoflop.errors import BadInput, MissingData
from isoflop.quantity import Point
from isoflop.relation import Fact, solve_all

if TYPE_CHECKING:
    from isoflop.ask.bind import Question
    from isoflop.hardware import Price
    from isoflop.laws import Settings, Verdict
    from isoflop.model import ModelSpec

NEAR = 0.005
"""A loss within half a percent of the best is nearly as good: about what a change of seed or data order moves."""

RULES = ("besiroglu2024", "hoffmann2022-tex", "ratio20")
ADVISOR = "stepfun2025"
ELSEWHERE = ("h100-sxm-80gb", "h200-sxm-141gb", "b200-sxm-180gb", "a100-sxm-80gb", "tpu-v6e", "tpu-v5p")
_ON_DEMAND = "on-demand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How another law would split the same FLOP. Losses of different laws are not comparable, so none stands here."""

    name: str
    title: str
    params: float
    tokens: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What the same money buys on another device, or on the same one without the commitment."""

    device: str
    price: Price
    params: float
    tokens: float
    chip_time: float


def valley(question: Question, flops: float) -> tuple[float, float] | None:
    """The range of params whose loss is within NEAR of the best for `flops`; None where no law gives a loss."""
    law = _loss_law(question)
    if law is None:
        return None
    found = laws.valley(law, flops, NEAR)
    return float(found.params_low), float(found.params_high)


def _loss_law(question: Question) -> laws.Law | None:
    if question.law is None:
        return None
    try:
        return question.law.law
    except MissingData:
        return None


def verdict(question: Question, params: float, tokens: float) -> Verdict | None:
    """Under- or over-trained, where parameters or tokens were somebody's choice rather than the law's."""
    if question.law is None or not (question.given("params") or question.given("tokens")):
        return None
    return laws.verdict(question.law.allocator, params, tokens)


def rules(question: Question, flops: float) -> tuple[Rule, ...]:
    """The splits of the other laws."""
    own = question.law.name if question.law else ""
    found = []
    for name in RULES:
        if name != own:
            law = laws.published(name)
            split = law.allocator.allocate(flops)
            found.append(Rule(name=name, title=law.title, params=float(split.params), tokens=float(split.tokens)))
    return tuple(found)


def shape(question: Question, params: float) -> ModelSpec:
    """The model that was named, or a concrete shape of about `params` parameters."""
    if question.model is not None:
        return question.model
    from isoflop.model import shape_for

    return shape_for(params)


def settings(of: ModelSpec, tokens: float, flops: float) -> Settings:
    """Learning rate, batch and steps as the law of ADVISOR has them for a model of this shape."""
    from isoflop.model import counts

    return laws.published(ADVISOR).advisor.advise(float(counts(of).non_embedding_params), tokens, flops)


def for_demand(question: Question) -> Question:
    """Where tokens will be served too, decide params and tokens so that training and serving share the compute."""
    served = question.fact("serve_tokens")
    if served is None or question.given("params") or question.given("tokens"):
        return question
    law = _loss_law(question)
    if law is None:
        raise BadInput(
            "a demand needs a law that gives a loss to weigh training against serving: give law=besiroglu2024"
        )
    if question.given("loss"):
        raise BadInput("loss and demand together are not planned yet: give the loss, or a budget with the demand")
    found = solve_all(system(question.relations), question.facts, ("train_flops",), samples=100)
    if "train_flops" not in found:
        return question
    best = laws.allocate_lifetime(law, found["train_flops"].value, served.spread.median)
    note = "lowest loss where training and serving share the compute"
    return question.without("train_cost", "train_time", "train_flops").with_facts(
        Fact(quantity="params", spread=Point(float(best.params)), rank="computed", note=note, source="sardana2024"),
        Fact(quantity="tokens", spread=Point(float(best.tokens)), rank="computed", note=note, source="sardana2024"),
    )


def elsewhere(question: Question) -> tuple[Elsewhere, ...]:
    """What the budget buys without the commitment, and on other devices on demand; prices as of the same date."""
    budget = question.fact("train_cost")
    if budget is None or question.device is None or question.price is None:
        return ()
    own = question.device.name
    names = [own] if question.price.price.commitment != _ON_DEMAND else []
    names += [name for name in ELSEWHERE if name != own]
    found = [_bought(question, name) for name in names]
    return tuple(one for one in found if one is not None)


def _bought(question: Question, device: str) -> Elsewhere | None:
    """One alternative; None where nothing is catalogued for it."""
    keep = tuple(
        fact for fact in question.facts if fact.rank != "catalogue" and fact.quantity not in {"chips", "train_time"}
    )
    words = {"device": device, "commitment": _ON_DEMAND, "as_of": question.choices.get("as_of")}
    try:
        other = bind({key: word for key, word in words.items() if word is not None})
    except MissingData:
        return None
    facts = {fact.quantity: fact for fact in (*other.facts, *keep)}
    found = solve_all(system(question.relations), tuple(facts.values()), ("params", "tokens", "chip_time"), samples=100)
    if len(found) < 3 or other.price is None:
        return None
    return Elsewhere(
        device=other.device.title if other.device else device,
        price=other.price.price,
        params=found["params"].value,
        tokens=found["tokens"].value,
        chip_time=found["chip_time"].value,
    )
