"""Knowns held against each other: what cannot all be true is refused, what disagrees with an assumption is said."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import Contradictory
from isoflop.quantity import quantity, write
from isoflop.relation.derivation import describe, origins
from isoflop.relation.evaluate import branches, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.relation.answer import Fact
    from isoflop.relation.relation import Relation
    from isoflop.relation.route import Route

    Point = Mapping[str, float]
    Known = Mapping[str, Fact]

_EXACT = 1e-9
_ROUGH, _FITTED = 0.1, 0.02
"""In logarithms: relations with a constant, such as 6 FLOP per parameter and token, hold to 10 %, laws to 2 %."""


def body_value(relation: Relation[...], point: Point) -> float:
    """What a relation gives at a point; NaN or infinite where its body has no value there."""
    return number(partial(relation.body, **{key: point[key] for key in relation.inputs}))


def disagreements(route: Route, known: Known) -> tuple[str, ...]:
    """Where the knowns disagree with a constant of a relation or with the catalogue, in words.

    Rounding of written digits and stated intervals are allowed for; constants are trusted to 10 %.
    Raises: Contradictory, with the factor, where knowns alone contradict each other.
    """
    if not (route.conflicts or route.doubts or route.implied):
        return ()
    solutions = branches(route.closure, {key: fact.spread.median for key, fact in known.items()})
    rests_on = origins(route.closure)
    for relation in route.conflicts:
        held = _Held.of(relation, solutions, rests_on, known)
        if held.apart > held.slack + _EXACT:
            raise held.contradiction(known)
    doubts: dict[tuple[str, ...], str] = {}
    for relation in route.doubts:
        held = _Held.of(relation, solutions, rests_on, known)
        # One disagreement shows in every relation over the same leaves: it is said of what was stated.
        first = held.leaves not in doubts or relation.gives in held.leaves
        if first and held.apart > held.slack + (_FITTED if relation.kind == "empirical" else _ROUGH):
            doubts[held.leaves] = held.doubt(known)
    unusual = (_unusual(key, solutions[0][key], known[key].spread.median) for key in route.implied)
    return (*doubts.values(), *(words for words in unusual if words))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A relation held against what is stated, both resting on `leaves`.

    `slack` is how far, in logarithms, rounding and stated intervals let them be apart.
    """

    relation: Relation[...]
    stated: float
    other: float
    leaves: tuple[str, ...]
    slack: float

    @classmethod
    def of(
        cls,
        relation: Relation[...],
        solutions: list[dict[str, float]],
        rests_on: Mapping[str, set[str]],
        known: Known,
    ) -> _Held:
        """The relation at the solution where it fits best."""
        behind = {key: rests_on.get(key, {key}) for key in relation.quantities}
        best = min(solutions, key=lambda point: _apart(point[relation.gives], body_value(relation, point)))
        slack = {key: sum(_loose(known[leaf]) for leaf in leaves) for key, leaves in behind.items()}
        return cls(
            relation=relation,
            stated=best[relation.gives],
            other=body_value(relation, best),
            leaves=tuple(sorted(set().union(*behind.values()))),
            slack=slack[relation.gives] + _moved(relation, best, slack),
        )

    @property
    def apart(self) -> float:
        """|ln| of stated over other."""
        return _apart(self.stated, self.other)

    def contradiction(self, known: Known) -> Contradictory:
        """The error that names the givens of which one must go."""
        said = ", ".join(f"{key}={_said(known[key])}" for key in self.leaves)
        msg = f"these knowns cannot all be true: {self.words()}. One of {said} must go or be wrong."
        return Contradictory(msg, factor=float(np.exp(self.apart)))

    def doubt(self, known: Known) -> str:
        """The same as a warning that names what nobody gave."""
        assumed = ", ".join(f"{key} = {_said(known[key])}" for key in self.leaves if known[key].rank != "given")
        return f"{self.words()}{f', with {assumed}' if assumed else ''}"

    def words(self) -> str:
        """`train_flops is 1e24 FLOP, but k · N · D gives 6e21 FLOP (x167 apart)`."""
        entry, factor = quantity(self.relation.gives), float(np.exp(self.apart))
        by = f" (x{factor:.3g} apart)" if np.isfinite(factor) else ""
        stated, other = write(self.stated, entry), write(self.other, entry)
        return f"{self.relation.gives} is {stated}, but {describe(self.relation)} gives {other}{by}"


def _unusual(key: str, implied: float, usual: float) -> str:
    """A constant that the knowns determine otherwise, in words; nothing where it is about the usual one."""
    if _apart(implied, usual) <= _ROUGH:
        return ""
    entry, factor = quantity(key), np.exp(_apart(implied, usual))
    otherwise = f"where {write(usual, entry)} is assumed otherwise (x{factor:.3g} apart)"
    return f"these knowns imply {key} = {write(implied, entry)}, {otherwise}"


def _apart(stated: float, other: float) -> float:
    """|ln| of the ratio of two values; infinite where one of them is not positive and finite."""
    ratio = stated / other if other > 0 else 0.0
    return abs(float(np.log(ratio))) if 0 < ratio < float("inf") else float("inf")


def _moved(relation: Relation[...], point: Point, slack: Mapping[str, float]) -> float:
    """How far the body moves, in logarithms, when each of its inputs moves by its slack: a law's exponents count."""
    at = body_value(relation, point)
    shifted = (
        body_value(relation, {**point, key: point[key] * float(np.exp(slack[key]))})
        for key in dict.fromkeys(relation.inputs)
        if slack[key]
    )
    return sum(_apart(value, at) for value in shifted)


def _loose(fact: Fact) -> float:
    """How far a fact may be off, in logarithms: written digits, calendar, half of its interval."""
    spread = fact.spread
    exact = spread.is_point or spread.low <= 0
    return fact.slack + (0.0 if exact else float(np.log(spread.high / spread.low) / 2))


def _said(fact: Fact) -> str:
    return fact.text or write(fact.spread.median, quantity(fact.quantity))
