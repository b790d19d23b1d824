"""What stands beside a plan: the flat valley, other splits, other places to buy, a concrete shape, usual settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from isoflop import laws
from isoflop.ask.bind import bind
from isoflop.ask.solver import system
from isoflop.book.running import tokens_of_text
from isoflop.errors import BadInput, MissingData
from isoflop.quantity import Point, quantity, write
from isoflop.relation import Fact, solve_all, sweep

if TYPE_CHECKING:
    from isoflop.ask.bind import Question
    from isoflop.hardware import Price
    from isoflop.laws import Settings, Verdict
    from isoflop.model import ModelSpec

RULES = ("besiroglu2024", "hoffmann2022-tex", "ratio20")
ADVISOR = "stepfun2025"
ELSEWHERE = ("h100-sxm-80gb", "a100-sxm-80gb", "tpu-v6e")
_ON_DEMAND = "on-demand"
REPEATING, UNIQUE = "repeated2023", "unique_tokens"
"""The law that counts repeated data [muennighoff2023], and what it asks for."""
_MIXED = 0.95  # active over all parameters, below which a model is no dense one
_SPENT = ("train_flops", "train_cost", "train_time")
"""What a plan may have to spend, of which serving takes its share."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Data that are seen again: `unique` tokens, each `epochs` times in the mean.

    `counted`: the law of the plan counts that. Else `dearer` is by how much the loss is higher [nat/token] by the
    law of REPEATING, and `params` and `tokens` are that law's own split of the same FLOP.
    """

    unique: float
    epochs: float
    counted: bool
    dearer: float
    params: float
    tokens: float


def valley(question: Question, flops: float, each: float) -> tuple[float, float] | None:
    """The range of params whose loss is within `laws.WITHIN` of the best for `flops`; None where loss does not decide.

    `each` is the FLOP that a parameter and token take in this run: 6, unless something is recomputed or not active.
    """
    law = _loss_law(question)
    if law is None or question.fact("serve_tokens") is not None:
        return None
    found = laws.valley(law, flops, flops_per_param_token=each)
    return float(found.params_low), float(found.params_high)


def _loss_law(question: Question) -> laws.Law | None:
    if question.law is None:
        return None
    try:
        return question.law.law
    except MissingData:
        return None


def verdict(question: Question, params: float, tokens: float, each: float) -> Verdict | None:
    """Under- or over-trained, where parameters or tokens were somebody's choice rather than the law's."""
    if question.law is None or not (question.given("params") or question.given("tokens")):
        return None
    return laws.verdict(question.law.allocator, params, tokens, each)


def rules(question: Question, flops: float, each: float) -> tuple[Rule, ...]:
    """The splits of the other laws."""
    own = question.law.name if question.law else ""
    found = []
    for name in RULES:
        if name != own:
            law = laws.published(name)
            split = law.allocator.allocate(flops, each)
            found.append(Rule(name=name, title=law.title, params=float(split.params), tokens=float(split.tokens)))
    return tuple(found)


def shape(question: Question, params: float) -> ModelSpec:
    """The model that was named, or a concrete shape of about `params` parameters; a mixture where fewer are active."""
    if question.model is not None:
        return question.model
    from isoflop.model import shape_for

    share = _active_share(question)
    if share < 1:
        from isoflop.model.mixtures import mixture_for

        return mixture_for(params, share)
    try:
        return shape_for(params)
    except BadInput as error:
        size = write(params, quantity("params"))
        raise BadInput(f"the run comes out at {size} parameters; only shapes from 1M to 100T are planned") from error


def _active_share(question: Question) -> float:
    """Active over all parameters; 1 where nobody says."""
    share = question.fact("active_share")
    return share.spread.median if share is not None else 1.0


def active_loss(question: Question, params: float, tokens: float) -> float | None:
    """The loss of a dense model of the active parameters alone; None where all are active or the law gives none.

    Laws of loss are fitted on dense models. A mixture is no better than a dense model of its whole size and no worse
    than one of what a token meets, so the two hold it between them.
    """
    law, share = _loss_law(question), _active_share(question)
    if law is None or share >= _MIXED:
        return None
    return float(law.loss(params * share, tokens))


def repeats(question: Question, params: float, tokens: float, work: tuple[float, float]) -> Repeats | None:
    """What comes of seeing the different tokens again, where their number is said and the law takes all as new.

    `work` is the FLOP and how many a parameter and token take.
    """
    there = _different(question)
    if there is None:
        return None
    law = laws.published(REPEATING)
    counted = question.law is not None and UNIQUE in laws.find_law(question.choices["law"]).further
    bound, free = (law.bound(unique_tokens=each) for each in (there, max(tokens, there)))
    split = bound.allocator.allocate(*work)
    dearer = float(bound.law.loss(params, tokens)) - float(free.law.loss(params, tokens))
    return Repeats(
        unique=there, epochs=tokens / there, counted=counted, dearer=dearer, params=float(split.params),
        tokens=float(split.tokens),
    )  # fmt: skip


def _different(question: Question) -> float | None:
    """Different tokens there are: as given, or of a text; None where neither is said."""
    unique, text, dense = (question.fact(key) for key in ("unique_tokens", "text_bytes", "tokens_per_byte"))
    if unique is not None and unique.rank == "given":
        return unique.spread.median
    if text is not None and dense is not None:
        return float(tokens_of_text(text.spread.median, dense.spread.median))
    return None


def settings(of: ModelSpec, tokens: float, flops: float) -> Settings:
    """Learning rate, batch and steps as the law of ADVISOR has them for a model of this shape."""
    from isoflop.model import counts

    return laws.published(ADVISOR).advisor.advise(float(counts(of).non_embedding_params), tokens, flops)


def beyond_settings(of: ModelSpec) -> float:
    """The model's size over the largest that the law of ADVISOR was fitted on, both without embeddings."""
    from isoflop.model import counts

    largest = laws.published(ADVISOR).fitted_on.ranges["params"][1]
    return counts(of).non_embedding_params / largest


def for_demand(question: Question) -> Question:
    """Where tokens will be served too: decide the size so that training and serving share what there is.

    The size and training's share of the budget (or time, or work) are decided at the point; tokens and loss follow from
    them, with all their uncertainty.
    """
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
    each, served_each = _flops_each(question)
    best = laws.allocate_lifetime(law, found["train_flops"].value, served.spread.median, each, served_each)
    share = each * float(best.params) * float(best.tokens) / found["train_flops"].value
    note = "lowest loss where training and serving share the compute"
    size = Fact(quantity="params", spread=Point(float(best.params)), rank="computed", note=note, source="sardana2024")
    spent = next((fact for fact in question.facts if fact.quantity in _SPENT and fact.rank == "given"), None)
    if spent is None:
        raise BadInput("a demand needs something that training and serving share: a budget, a deadline, or train_flops")
    part = replace(spent, spread=spent.spread.scaled(share), note=f"the {share:.1%} of it that training gets")
    return question.with_facts(size, part)


def _flops_each(question: Question) -> tuple[float, float]:
    """FLOP for each parameter and token, trained and served, as far as the question says other than usual."""

    def said(key: str, usual: float) -> float:
        fact = question.fact(key)
        return fact.spread.median if fact is not None else usual

    share = said("active_share", 1.0)
    trained = said("flops_per_param_token", laws.FLOPS_PER_PARAM_TOKEN)
    return share * trained, share * said("forward_flops_per_param_token", laws.SERVE_FLOPS_PER_PARAM_TOKEN)


def elsewhere(question: Question) -> tuple[Elsewhere, ...]:
    """What the budget buys without the commitment, and on other devices on demand; prices as of the same date."""
    if not question.given("train_cost") or question.device is None or question.price is None:
        return ()
    names = [question.choices["device"]] if question.price.price.commitment != _ON_DEMAND else []
    names += [name for name in ELSEWHERE if name != question.device.name]
    offers = [offer for name in names if (offer := _offer(question, name)) is not None]
    if not offers:
        return ()
    kept = question.without("chips", "train_time", "price", "peak_rate")
    figures = {key: np.array([offer[key] for _, offer in offers]) for key in ("price", "peak_rate")}
    found = sweep(system(question.relations), kept.facts, ("params", "tokens", "chip_time"), figures)
    if len(found) < len(("params", "tokens", "chip_time")):
        return ()
    return tuple(
        Elsewhere(device=bound.device.title, price=bound.price.price, **{key: float(found[key][i]) for key in found})
        for i, (bound, _) in enumerate(offers)
        if bound.device is not None and bound.price is not None
    )


def _offer(question: Question, device: str) -> tuple[Question, dict[str, float]] | None:
    """The on-demand price and the peak rate of another device; None where one of them is not catalogued."""
    words = {"device": device, "commitment": _ON_DEMAND, "as_of": question.choices.get("as_of")}
    if device == question.choices["device"]:
        words["price"] = question.choices.get("price_file")
    try:
        bound = bind({key: word for key, word in words.items() if word is not None})
    except MissingData:
        return None
    figures = {key: fact.spread.median for key in ("price", "peak_rate") if (fact := bound.fact(key)) is not None}
    return (bound, figures) if len(figures) == len(("price", "peak_rate")) else None
