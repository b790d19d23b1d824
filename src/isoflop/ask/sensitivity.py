"""How an answer moves with each known by itself: between its ends, and over a range of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.ask.solver import system
from isoflop.errors import IsoflopError
from isoflop.quantity import Point, quantity
from isoflop.relation.solve import solve_point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.ask.bind import Question
    from isoflop.quantity import FloatArray
    from isoflop.relation import Answer
    from isoflop.relation.answer import Fact

NUDGE = 0.1
"""Where nothing is uncertain each known is moved by this share, down and up."""

RANGE, NARROW, POINTS = 10.0, 1.25, 25
"""Curves go so far, as a factor, to both sides of what is known (a loss less far), in so many points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One known: its ends (`at`), and the answer with it there and everything else at its median (`gives`).

    `nudged` where it is known as a point, and its ends are `NUDGE` below and above.
    """

    quantity: str
    at: tuple[float, float]
    gives: tuple[float, float]
    nudged: bool

    @property
    def swing(self) -> float:
        """How far the answer moves between both ends, as |ln|; 0 where it has no logarithm."""
        low, high = self.gives
        return abs(float(np.log(high / low))) if min(low, high) > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The answer (`gives`) over values of one known (`at`), which stands at `now`; NaN where there is no answer."""

    quantity: str
    now: float
    at: FloatArray
    gives: FloatArray


def moved(question: Question, answer: Answer) -> tuple[Moved, ...]:
    """What each known does to the answer by itself, the largest swing first.

    Those that are uncertain between their 5 and 95 % points (or bounds); where none is, each by `NUDGE`. Solved anew at
    both ends, so exact for laws that are no powers; knowns that leave no answer at an end are left out.
    """
    facts = _leaves(question, answer)
    loose = [one for one in facts if not one.spread.is_point]
    found = []
    for one in loose or facts:
        ends = _ends(one) if loose else _nudged(one)
        gives = tuple(_value(question, answer, one, end) for end in ends)
        if all(np.isfinite(gives)):
            found.append(Moved(quantity=one.quantity, at=ends, gives=(gives[0], gives[1]), nudged=not loose))
    return tuple(sorted((one for one in found if one.swing > 0), key=lambda one: -one.swing))


def courses(question: Question, answer: Answer, names: Sequence[str]) -> tuple[Course, ...]:
    """The answer over a range of each of these knowns, by decades about where it stands."""
    found = []
    for one in _leaves(question, answer):
        now = one.spread.median
        if one.quantity not in names or not now > 0:
            continue
        entry = quantity(one.quantity)
        wide = NARROW if "nat" in entry.unit_text else RANGE
        at = np.geomspace(now / wide, min(now * wide, 1.0 if entry.domain == "fraction" else np.inf), POINTS)
        gives = np.array([_value(question, answer, one, float(x)) for x in at])
        if np.isfinite(gives).sum() > 1:
            found.append(Course(quantity=one.quantity, now=now, at=at, gives=gives))
    return tuple(sorted(found, key=lambda one: names.index(one.quantity)))


def _leaves(question: Question, answer: Answer) -> list[Fact]:
    """Facts of the question that the answer rests on and moves with; counts of a formula (6 in 6ND) are none."""
    used = {key for key, slope in answer.elasticities.items() if abs(slope) > 1e-9} | set(answer.shares)
    return [one for one in question.facts if one.quantity in used and one.quantity != answer.quantity]


def _ends(one: Fact) -> tuple[float, float]:
    return one.spread.low, one.spread.high


def _nudged(one: Fact) -> tuple[float, float]:
    now = one.spread.median
    return now * (1 - NUDGE), now * (1 + NUDGE)


def _value(question: Question, answer: Answer, one: Fact, at: float) -> float:
    """The answer with one known moved; NaN where there is none."""
    from dataclasses import replace

    asked = question.with_facts(replace(one, spread=Point(at)))
    try:
        values, _ = solve_point(system(asked.relations), asked.facts, (answer.quantity,))
    except IsoflopError:
        return float("nan")
    return values.get(answer.quantity, float("nan"))
