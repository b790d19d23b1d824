"""`isoflop.solve`: any quantity from any knowns."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from isoflop.ask.bind import bind
from isoflop.book import BOOK
from isoflop.errors import BadInput, Undetermined
from isoflop.quantity import quantity
from isoflop.relation import SAMPLES, System, find_route
from isoflop.relation import solve as solve_facts

if TYPE_CHECKING:
    from isoflop.ask.bind import Known, Question
    from isoflop.relation import Answer, Relation
    from isoflop.relation.answer import Rank

MOST_SAMPLES = 10_000_000

BOOK_SYSTEM = System(BOOK)
"""Every formula of the book; a question may add a law and a policy."""


@lru_cache(maxsize=64)
def system(extra: tuple[Relation[...], ...]) -> System:
    """The book and the relations that a question brings."""
    return BOOK_SYSTEM.with_relations(extra) if extra else BOOK_SYSTEM


def solve(target: str, *, samples: int = SAMPLES, seed: int = 0, **knowns: Known) -> Answer:
    """Work out the quantity `target` from whatever is known.

    `knowns` are quantities of the glossary in the value grammar (`train_cost="$100m"`, `tokens="4T"`, `mfu="0.3 to
    0.5"`), the choices of `isoflop.ask.CHOICES` (`device="tpu-v4"`, `law="besiroglu2024"`), and ties of nouns
    (`slice="32 chip"`).
    Returns an Answer in base units with its interval, derivation, warnings and other roots.
    Raises: Undetermined, Contradictory, Infeasible, UnknownName, UnitError and the rest of `isoflop.errors`.

    >>> round(solve("params", train_flops="3.14e23 FLOP", tokens="300B").value / 1e9, 1)
    174.4
    """
    return solve_question(bind(knowns), target, samples=samples, seed=seed)


def check_draws(samples: int, seed: int) -> None:
    """Refuse what no generator takes, and too few draws for an interval."""
    if not 100 <= samples <= MOST_SAMPLES:
        raise BadInput(
            f"samples={samples} is refused: an interval takes 100 to {MOST_SAMPLES:,} draws (20000 if unsaid)"
        )
    if seed < 0:
        raise BadInput(f"seed={seed} is refused: give a whole number from 0 on")


def solve_question(question: Question, target: str, *, samples: int = SAMPLES, seed: int = 0) -> Answer:
    """`solve` for a question that is already bound."""
    check_draws(samples, seed)
    relations, wanted = system(question.relations), quantity(target).name
    try:
        return question.warned(solve_facts(relations, question.facts, wanted, samples=samples, seed=seed))
    except Undetermined as error:
        offers = _offers(relations, question, wanted)
        if not offers:
            raise
        raise Undetermined(f"{error} {offers}", completes=error.completes) from None


def _offers(relations: System, question: Question, target: str) -> str:
    """Words of `bind` that would complete the question: a device brings figures that nobody has at hand."""
    if question.device is not None:
        return ""
    known = {(fact.quantity, fact.rank) for fact in question.facts}
    figures = ("peak_rate", "price", "memory", "memory_bandwidth", "tdp")
    brought: list[tuple[str, Rank]] = [(key, "catalogue") for key in figures]
    route = find_route(relations, frozenset({*known, *brought}), (target,))
    if route.missing:
        return ""
    return "So does naming a device (device=h100-sxm): its peak rate and price come from the catalogue."
