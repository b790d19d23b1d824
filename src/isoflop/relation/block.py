"""Several relations at once: monomials by rank, the rest by search along the directions that stay free.

In logarithms a monomial relation is one linear row, so a block of them is row-reduced. A quantity whose unit vector
lies in the row space is determined even where others of the block are not (structural matching misses this: chips and
time may appear only as a product). What is not monomial is then a function of the free directions alone: one direction
is scanned for all its roots, several are solved by Newton's method from many starts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from isoflop.relation.readings import Monomial, monomial
from isoflop.relation.relation import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from isoflop.quantity import FloatArray, Real
    from isoflop.relation.relation import Relation

    Drawn = Mapping[Relation[...], Callable[..., Real]]

_ZERO = 1e-9  # an exponent smaller than this is rounding left over by the elimination
_MOST_TOGETHER = 3  # non-monomial relations solved at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Joint:
    """A quantity that monomial relations determine together: a closed form over known quantities.

    `eliminated` are the unknowns that cancel on the way.
    """

    target: str
    relations: tuple[Relation[...], ...]
    inputs: tuple[str, ...]
    form: Monomial
    eliminated: tuple[str, ...]

    @property
    def gives(self) -> tuple[str, ...]:
        """The quantity it gives."""
        return (self.target,)

    def run(self, values: Mapping[str, Real]) -> Real:
        """The quantity in base units."""
        result: Real = self.form.coefficient
        for key, power in self.form.exponents.items():
            result = result * values[key] ** float(power)
        return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Search:
    """Quantities that relations which are not all monomial determine together, up to the choice of a root.

    ln(gives) = transform @ offsets(knowns) + directions @ ln(free), where `rows` are the monomial relations behind the
    offsets and `relations` = rows + the relations whose residuals must vanish (`residual_relations`). `free` are the
    quantities searched over.
    """

    gives: tuple[str, ...]
    rows: tuple[Relation[...], ...]
    residual_relations: tuple[Relation[...], ...]
    inputs: tuple[str, ...]
    free: tuple[str, ...]
    transform: FloatArray
    directions: FloatArray

    @property
    def relations(self) -> tuple[Relation[...], ...]:
        """All relations behind it."""
        return (*self.rows, *self.residual_relations)

    def offsets(self, values: Mapping[str, Real]) -> FloatArray:
        """ln(gives) at free = 1: shape (gives, 1) for floats, (gives, n) for samples of length n."""
        size = max([np.size(values[key]) for key in self.inputs] + [1])
        known = {key: values[key] for key in self.inputs}
        with np.errstate(all="ignore"):
            rows = [np.broadcast_to(_known_part(row, known), (size,)) for row in self.rows]
        stacked = np.stack(rows) if rows else np.zeros((0, size))
        return self.transform @ stacked

    def unknowns(self, offsets: FloatArray, free: FloatArray) -> dict[str, FloatArray]:
        """Values of `gives` where ln(free quantities) = `free`, shape (free, n)."""
        logs = offsets + self.directions @ free
        with np.errstate(over="ignore"):
            return dict(zip(self.gives, np.exp(logs), strict=True))

    def residuals(
        self, values: Mapping[str, Real], offsets: FloatArray, free: FloatArray, drawn: Drawn = MappingProxyType({})
    ) -> FloatArray:
        """ln(body) - ln(stated) of each residual relation, shape (relations, n); NaN where a body is not positive.

        `drawn` are bodies that stand in for a relation's own.
        """
        at = {**values, **self.unknowns(offsets, free)}
        with np.errstate(all="ignore"):
            return np.stack(
                [
                    np.log(drawn.get(relation, relation.body)(**{key: at[key] for key in relation.inputs}))
                    - np.log(at[relation.gives])
                    for relation in self.residual_relations
                ]
            )


def solve(relations: Sequence[Relation[...]], known: frozenset[str], target: str) -> list[Joint | Search]:
    """What the block around `target` determines: the simplest joint monomial if any, else one search, else nothing.

    One at a time: what follows from it by single steps makes the better derivation.
    """
    nearby = _component(_core(relations, known, target), known, target)
    unknown = sorted(
        {key for relation in nearby for key in relation.quantities} - known, key=lambda key: (key == target, key)
    )
    if target not in unknown:
        return []
    rows = [relation for relation in nearby if monomial(relation) is not None]
    others = [relation for relation in nearby if monomial(relation) is None]
    reduced = _Reduced.of(rows, unknown, known)
    joints = [reduced.joint(key) for key in reduced.determined()]
    if joints:
        near = [target, *(key for relation in nearby for key in relation.quantities)]
        return [min(joints, key=lambda joint: (len(joint.relations), near.index(joint.target)))]
    return _search(reduced, others, target)


def _core(relations: Sequence[Relation[...]], known: frozenset[str], target: str) -> list[Relation[...]]:
    """The relations without those that can only give what nobody else needs.

    A relation that alone holds some unknown other than the target settles that unknown and nothing more. Taking it
    away may leave others alone with an unknown of theirs, and so on: of a whole book little is left.
    """
    kept = list(relations)
    while True:
        held = Counter(key for relation in kept for key in dict.fromkeys(relation.quantities) if key not in known)
        fewer = [r for r in kept if all(held[key] > 1 or key == target for key in r.quantities if key not in known)]
        if len(fewer) == len(kept):
            return kept
        kept = fewer


def _component(relations: Sequence[Relation[...]], known: frozenset[str], target: str) -> list[Relation[...]]:
    """Relations that touch the target through unknown quantities."""
    reached, rest = {target}, list(relations)
    result: list[Relation[...]] = []
    while True:
        touching = [relation for relation in rest if not reached.isdisjoint(relation.quantities)]
        if not touching:
            return result
        result += touching
        rest = [relation for relation in rest if relation not in touching]
        reached.update(key for relation in touching for key in relation.quantities if key not in known)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reduced:
    """The monomial rows over the unknowns in reduced echelon form, with the row operations that led there."""

    rows: Sequence[Relation[...]]
    unknown: Sequence[str]
    known: frozenset[str]
    matrix: FloatArray  # (rows, unknowns), reduced
    operations: FloatArray  # (rows, rows): matrix = operations @ original
    pivots: tuple[int, ...]  # the unknown of each leading row

    @classmethod
    def of(cls, rows: Sequence[Relation[...]], unknown: Sequence[str], known: frozenset[str]) -> _Reduced:
        original = np.array([[_row(row).get(key, 0.0) for key in unknown] for row in rows]).reshape(-1, len(unknown))
        matrix, operations, pivots = _row_reduce(original)
        return cls(rows=rows, unknown=unknown, known=known, matrix=matrix, operations=operations, pivots=pivots)

    def determined(self) -> list[str]:
        """Unknowns whose row holds nothing else."""
        free = [column for column in range(len(self.unknown)) if column not in self.pivots]
        return [
            self.unknown[pivot]
            for index, pivot in enumerate(self.pivots)
            if not np.any(np.abs(self.matrix[index, free]) > _ZERO)
        ]

    def joint(self, key: str) -> Joint:
        """The closed form of a determined unknown, from as few relations as will do.

        The elimination's own combination drags in whatever it pivoted on.
        """
        used = _fewest(self.rows, self.known, lambda rows: _spans(rows, key, self.known))
        weights = _weights(used, key, self.known)
        form = _combine(used, weights, self.known)
        eliminated = dict.fromkeys(q for row in used for q in row.quantities if q not in self.known and q != key)
        return Joint(
            target=key, relations=tuple(used), inputs=tuple(form.exponents), form=form, eliminated=tuple(eliminated)
        )

    def freedom(self, keys: Iterable[str]) -> frozenset[int]:
        """The free columns that the unknown `keys` depend on."""
        columns: set[int] = set()
        for key in keys:
            column = self.unknown.index(key)
            if column in self.pivots:
                row = self.matrix[self.pivots.index(column)]
                columns.update(int(c) for c in np.flatnonzero(np.abs(row) > _ZERO) if c != column)
            else:
                columns.add(column)
        return frozenset(columns)


def _search(reduced: _Reduced, others: Sequence[Relation[...]], target: str) -> list[Joint | Search]:
    """The smallest set of relations with as many free directions as members."""
    freedom = {
        relation: reduced.freedom(key for key in relation.quantities if key not in reduced.known) for relation in others
    }
    for count in range(1, _MOST_TOGETHER + 1):
        for chosen in combinations(others, count):
            columns = frozenset().union(*(freedom[relation] for relation in chosen))
            if len(columns) == count:
                return [_make_search(*_lean(reduced, chosen, target), target)]
    return []


def _lean(
    reduced: _Reduced, chosen: tuple[Relation[...], ...], target: str
) -> tuple[_Reduced, tuple[Relation[...], ...], list[int]]:
    """The elimination again with as few rows as leave `chosen` as many free directions as members, and the columns."""
    keys = {key for relation in chosen for key in relation.quantities} - reduced.known
    reaches_target = reduced.freedom([target]) <= reduced.freedom(keys)

    def again(rows: Sequence[Relation[...]]) -> _Reduced:
        return _Reduced.of(rows, reduced.unknown, reduced.known)

    def enough(rows: Sequence[Relation[...]]) -> bool:
        trial = again(rows)
        columns = trial.freedom(keys)
        return len(columns) == len(chosen) and (not reaches_target or trial.freedom([target]) <= columns)

    lean = again(_fewest(reduced.rows, reduced.known, enough))
    return lean, chosen, sorted(lean.freedom(keys))


def _fewest(
    rows: Sequence[Relation[...]], known: frozenset[str], enough: Callable[[Sequence[Relation[...]]], bool]
) -> Sequence[Relation[...]]:
    """The rows without those that can be spared, tried one by one.

    The least trusted first, then detours (rows with an unknown that few others hold), then the farthest.
    """
    held = Counter(key for row in rows for key in dict.fromkeys(row.quantities) if key not in known)

    def order(row: Relation[...]) -> tuple[int, int]:
        return -KINDS.index(row.kind), min(held[key] for key in row.quantities if key not in known)

    used = list(rows)
    far_first = rows[::-1]
    for row in sorted(far_first, key=order):
        fewer = [other for other in used if other is not row]
        if enough(fewer):
            used = fewer
    return used


def _make_search(reduced: _Reduced, chosen: tuple[Relation[...], ...], columns: list[int], target: str) -> Search:
    """A search that gives what its residuals need, and the target; the rest follows from those by single steps."""
    free = tuple(reduced.unknown[column] for column in columns)
    needed = {key for relation in chosen for key in relation.quantities}.union(free, (target,))
    settled = [key for key in reduced.unknown if key in needed and reduced.freedom([key]) <= set(columns)]
    transform = np.zeros((len(settled), len(reduced.rows)))
    directions = np.zeros((len(settled), len(columns)))
    for position, key in enumerate(settled):
        column = reduced.unknown.index(key)
        if column in reduced.pivots:
            row = reduced.pivots.index(column)
            transform[position] = reduced.operations[row]
            directions[position] = -reduced.matrix[row, columns]
        else:
            directions[position, columns.index(column)] = 1.0
    used = np.flatnonzero(np.any(np.abs(transform) > _ZERO, axis=0))
    rows = tuple(reduced.rows[int(index)] for index in used)
    inputs = dict.fromkeys(key for relation in (*rows, *chosen) for key in relation.quantities if key in reduced.known)
    return Search(
        gives=tuple(settled),
        rows=rows,
        residual_relations=chosen,
        inputs=tuple(inputs),
        free=free,
        transform=transform[:, used],
        directions=directions,
    )


def _exponent(row: Relation[...], key: str) -> Fraction:
    """The coefficient of ln(key) in the row  sum(exponents) - ln(gives) = -ln(coefficient)."""
    form = monomial(row)
    assert form is not None
    return form.exponents.get(key, Fraction(0)) - (key == row.gives)


@cache
def _row(row: Relation[...]) -> Mapping[str, float]:
    """All coefficients of a row as floats, for the elimination; exact ones are only needed for what it finds."""
    return {key: float(_exponent(row, key)) for key in dict.fromkeys(row.quantities)}


def _known_part(row: Relation[...], values: Mapping[str, Real]) -> Real:
    """The row's right-hand side: minus the logarithm of everything in it that is known."""
    form = monomial(row)
    assert form is not None
    total: Real = -np.log(form.coefficient)
    for key in dict.fromkeys(row.quantities):
        if key in values and (power := _row(row).get(key, 0.0)):
            total = total - power * np.log(values[key])
    return total


def _row_reduce(original: FloatArray) -> tuple[FloatArray, FloatArray, tuple[int, ...]]:
    """Reduced row echelon form with partial pivoting, and the operations that make it."""
    rows, columns = original.shape
    work = np.hstack([original, np.eye(rows)])
    pivots: list[int] = []
    for column in range(columns):
        rank = len(pivots)
        if rank == rows:
            break
        best = rank + int(np.argmax(np.abs(work[rank:, column])))
        if abs(work[best, column]) <= _ZERO:
            continue
        work[[rank, best]] = work[[best, rank]]
        work[rank] /= work[rank, column]
        factors = work[:, column].copy()
        factors[rank] = 0.0
        work -= np.outer(factors, work[rank])
        pivots.append(column)
    return work[: len(pivots), :columns], work[: len(pivots), columns:], tuple(pivots)


def _spans(rows: Sequence[Relation[...]], key: str, known: frozenset[str]) -> bool:
    """Whether ln(key) is a combination of the rows over their unknowns."""
    unknown = list(dict.fromkeys(q for row in rows for q in row.quantities if q not in known))
    if key not in unknown:
        return False
    matrix = np.array([[_row(row).get(q, 0.0) for row in rows] for q in unknown])
    due = np.array([float(q == key) for q in unknown])
    weights = np.linalg.lstsq(matrix, due, rcond=None)[0]
    return bool(np.max(np.abs(matrix @ weights - due)) < _ZERO)


def _weights(rows: Sequence[Relation[...]], key: str, known: frozenset[str]) -> list[Fraction]:
    """Exact weights w with sum(w * row) = ln(key) over the unknowns, for rows of which none can be spared."""
    unknown = list(dict.fromkeys(q for row in rows for q in row.quantities if q not in known))
    # One equation per unknown, one column per row's weight: a small system, so exact fractions are affordable.
    system = [[*(_exponent(row, q) for row in rows), Fraction(int(q == key))] for q in unknown]
    for column in range(len(rows)):
        pivot = next(index for index in range(column, len(system)) if system[index][column])
        system[column], system[pivot] = system[pivot], system[column]
        lead = system[column][column]
        system[column] = [value / lead for value in system[column]]
        for index, line in enumerate(system):
            if index != column and line[column]:
                factor = line[column]
                system[index] = [value - factor * base for value, base in zip(line, system[column], strict=True)]
    return [line[-1] for line in system[: len(rows)]]


def _combine(rows: Sequence[Relation[...]], weights: Sequence[Fraction], known: frozenset[str]) -> Monomial:
    """sum(w * row) as a monomial over known quantities."""
    exponents: dict[str, Fraction] = {}
    log_coefficient = 0.0
    for row, weight in zip(rows, weights, strict=True):
        form = monomial(row)
        assert form is not None
        log_coefficient -= float(weight) * float(np.log(form.coefficient))
        for key in dict.fromkeys(row.quantities):
            if key in known:
                exponents[key] = exponents.get(key, Fraction(0)) - weight * _exponent(row, key)
    return Monomial(float(np.exp(log_coefficient)), {key: power for key, power in exponents.items() if power})
