"""A handful of relations over names of the glossary, enough for every kind of route; and ways to state facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.quantity import Point, Real, Spread
from isoflop.relation import Fact, Relation, System, relation

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from isoflop.relation import Answer
    from isoflop.relation.answer import Rank

DAY = 86400.0
TPU_V4_PRICE = 33849 / (730.5 * 3600) / 32
"""$33,849 a month for a slice of 32 chips, in $/chip/s."""


@relation
def train_flops(params: Real, tokens: Real, flops_per_param_token: Real = 6.0) -> Real:
    """Work of a training run.

    Source: [kaplan2020 §2.1]
    """
    return flops_per_param_token * params * tokens


@relation(gives="train_flops")
def train_flops_by_mfu(mfu: Real, peak_rate: Real, chip_time: Real) -> Real:
    return mfu * peak_rate * chip_time


@relation
def chip_time(chips: Real, train_time: Real) -> Real:
    return chips * train_time


@relation
def train_cost(chip_time: Real, price: Real) -> Real:
    return chip_time * price


@relation
def tokens_per_param(tokens: Real, params: Real) -> Real:
    return tokens / params


BASE = System((train_flops, train_flops_by_mfu, chip_time, train_cost, tokens_per_param))

E, A, B, ALPHA, BETA = 1.69, 406.4, 410.7, 0.34, 0.28
"""Hoffmann et al. 2022, approach 3, as printed."""
OPTIMAL = (BETA * B / (ALPHA * A)) ** (1 / BETA)


def hoffmann(params: Real, tokens: Real) -> Real:
    """The loss in nat per token."""
    return E + A * params**-ALPHA + B * tokens**-BETA


def law(draw: Callable[[np.random.Generator, int], Callable[..., Real]] | None = None) -> Relation[...]:
    """The law bound as an opaque relation, with draws of its constants where given."""
    return Relation(
        name="hoffmann",
        gives="loss",
        inputs=("params", "tokens"),
        body=hoffmann,
        kind="empirical",
        opaque=True,
        sources=("hoffmann2022",),
        draw=draw,
        limits={"params": (7e7, 1.6e10)},
    )


OPTIMAL_SPLIT = Relation(
    name="optimal split",
    gives="tokens",
    inputs=("params",),
    body=lambda params: OPTIMAL * params ** (ALPHA / BETA),
    kind="empirical",
    policy=True,
)
WITH_LAW = BASE.with_relations((law(), OPTIMAL_SPLIT))


def fact(key: str, value: float | Spread, rank: Rank = "given", *, text: str = "", slack: float = 0.0) -> Fact:
    """A fact from a number or a spread."""
    spread = Point(float(value)) if isinstance(value, int | float) else value
    return Fact(quantity=key, spread=spread, rank=rank, text=text, slack=slack)


def facts(**known: float | Spread) -> list[Fact]:
    """Given facts by name."""
    return [fact(key, value) for key, value in known.items()]


def relations_used(answer: Answer) -> str:
    """All formulas and notes of a derivation, to look for what should not be there."""
    return " | ".join(f"{step.gives} = {step.formula} {step.note}" for step in answer.steps if step.inputs)
