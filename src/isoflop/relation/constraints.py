"""What claims must satisfy among themselves: every monomial relation, with whatever nobody claims eliminated exactly.

In logarithms a monomial relation is one linear equation. The equations that are left when the unclaimed quantities have
been eliminated (the left null space of their columns) bind the claims alone; fractions keep the elimination exact, so
that what cancels cancels. On the way it shows which unclaimed quantities the claims determine.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import log
from typing import TYPE_CHECKING

from isoflop.relation.readings import monomial
from isoflop.relation.relation import tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from isoflop.relation.answer import Rank
    from isoflop.relation.relation import Relation
    from isoflop.relation.system import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """sum(terms[q] * ln q) = log: one equation between quantities in base units."""

    terms: Mapping[str, Fraction]
    log: float

    def minus(self, other: Row, factor: Fraction) -> Row:
        """This equation less `factor` times the other."""
        terms = dict(self.terms)
        for key, power in other.terms.items():
            left = terms.get(key, Fraction(0)) - factor * power
            if left:
                terms[key] = left
            else:
                terms.pop(key, None)
        return Row(terms=terms, log=self.log - float(factor) * other.log)

    def times(self, factor: Fraction) -> Row:
        """This equation, both sides times `factor`."""
        return Row(terms={key: power * factor for key, power in self.terms.items()}, log=self.log * float(factor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """`rows` bind the claims (independent, each with something given in it); `determined[q]` = row + ln q = log.

    In a row of `determined` only claims stand beside q, whose exponent is 1. `curved` are relations over claims alone
    that are no monomials: whoever uses them takes their slope at a point.
    """

    rows: tuple[Row, ...]
    determined: Mapping[str, Row]
    curved: tuple[Relation[...], ...]


@lru_cache(maxsize=256)
def constraints(system: System, claimed: frozenset[tuple[str, Rank]]) -> Constraints:
    """What the relations of `system` say about the quantities `claimed`; policies are choices and bind nobody."""
    ranks = dict(claimed)
    relations = [relation for relation in system.relations if not relation.policy]
    rows = [row for relation in relations if (row := _row(relation)) is not None]
    free, settled = _eliminate(rows, sorted({key for row in rows for key in row.terms} - ranks.keys()))
    given = {key for key in ranks if ranks[key] == "given"}
    _, leading = _eliminate(free, sorted(given))  # what is left binds figures that nobody claimed to each other
    return Constraints(
        rows=tuple(leading.values()),
        determined={
            key: row
            for key, row in settled.items()
            if row.terms.keys() - {key} <= ranks.keys() and row.terms.keys() & given
        },
        curved=tuple(
            relation
            for relation in relations
            if monomial(relation) is None
            and tree(relation) is not None
            and ranks.keys() >= set(relation.quantities)
            and not given.isdisjoint(relation.quantities)
        ),
    )


def _row(relation: Relation[...]) -> Row | None:
    """A monomial in logarithms: the sum of its exponents' terms, less ln(gives), is -ln(coefficient)."""
    form = monomial(relation)
    if form is None:
        return None
    terms = dict(form.exponents)
    terms[relation.gives] = terms.get(relation.gives, Fraction(0)) - 1
    return Row(terms={key: power for key, power in terms.items() if power}, log=-log(form.coefficient))


def _eliminate(rows: Iterable[Row], keys: Sequence[str]) -> tuple[list[Row], dict[str, Row]]:
    """Gauss and Jordan on sparse rows: those without any of `keys`, and the leading row of each key that has one.

    A leading row has its key with exponent 1 and no other key that leads. The shortest row leads, so that rows stay
    short.
    """
    rest = [row for row in rows if row.terms]
    leading: dict[str, Row] = {}
    for key in keys:
        holding = [row for row in rest if key in row.terms]
        if not holding:
            continue
        chosen = min(holding, key=lambda row: len(row.terms))
        pivot = chosen.times(1 / chosen.terms[key])
        rest = [_without(row, key, pivot) for row in rest if row is not chosen]
        rest = [row for row in rest if row.terms]
        leading = {other: _without(row, key, pivot) for other, row in leading.items()}
        leading[key] = pivot
    return rest, leading


def _without(row: Row, key: str, pivot: Row) -> Row:
    power = row.terms.get(key)
    return row if power is None else row.minus(pivot, power)


def shortest(rows: Sequence[Row], key: str) -> Row | None:
    """An equation that holds `key`, with as few quantities in it as adding and subtracting the others can leave."""
    rest, leading = _eliminate(rows, [key])
    if key not in leading:
        return None
    best = leading[key]
    while True:
        trials = [
            best.minus(row, best.terms[shared] / row.terms[shared])
            for row in rest
            for shared in best.terms.keys() & row.terms.keys()
        ]
        shorter = min(trials, key=lambda row: (len(row.terms), sorted(row.terms)), default=best)
        if len(shorter.terms) >= len(best.terms):
            return best
        best = shorter
