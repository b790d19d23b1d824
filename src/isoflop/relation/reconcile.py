"""Over-determined claims held against each other: by how much they disagree, and whose fault it can be.

Claims are log-normal, relations straight lines in logarithms. The reconciled values are those that satisfy every
relation and lie nearest to the claims, each distance in units of its own spread: data reconciliation, as process
engineers do it with flow meters. chi2 is the sum of the squared distances; by chance alone it is about `dof`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import erfc, exp, gamma, isfinite, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput
from isoflop.quantity import Centred, Interval, Point, Range, Samples, quantity, write
from isoflop.relation.answer import Fact
from isoflop.relation.constraints import Row, constraints, shortest
from isoflop.relation.reconciliation import LEVEL, TIE, Implied, Judged, Meeting, Reconciliation, exponential

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from isoflop.quantity import FloatArray
    from isoflop.relation.constraints import Constraints
    from isoflop.relation.relation import Relation
    from isoflop.relation.system import System

Z90 = 1.6448536269514722
"""Standard deviations from the median to either end of a 90 % interval."""

STATED = log(1.05) / Z90
"""The least spread of a stated figure, in logarithms: x/1.05 at 90 %, however many digits are written.

What counts as a parameter, a token or a FLOP differs by a few percent between reports: embeddings in or out, attention
scores counted or not (1 to 8 %), restarts included or not.
"""

LISTED = log(1.01) / Z90
"""The least spread of a figure of the catalogue: what makers round away."""

ASSUMED = log(1.1) / Z90
"""The spread of a constant of a relation for which nobody states one: x/1.1 at 90 %."""

_STEP = 1e-4
_ROUNDS = 20
_SETTLED = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """The least-squares solution in logarithms; `weight[i]`, `push[i]`: what the constraints say about claim i."""

    keys: tuple[str, ...]
    place: FloatArray
    covariance: FloatArray
    weight: FloatArray
    push: FloatArray
    rows: tuple[Row, ...]
    chi2: float
    exact: Mapping[str, float]


def reconcile(system: System, claims: Sequence[Fact], *, free: Collection[str] = ()) -> Reconciliation:
    """Hold `claims` against each other by the relations of `system`.

    Constants that relations carry as defaults take part as claims of rank "default": as given in `claims` (a point is
    taken as exact), else with x/1.1 at 90 %. Those named in `free` are left open. Raises: BadInput for a claim that is
    not positive.
    """
    facts = {fact.quantity: fact for fact in claims}
    assert len(facts) == len(claims), "one claim for each quantity"
    for key, value in system.defaults.items():
        if key not in free:
            spread = Centred(value, value * exp(-Z90 * ASSUMED), value * exp(Z90 * ASSUMED))
            facts.setdefault(key, Fact(quantity=key, spread=spread, rank="default"))
    bound = constraints(system, frozenset((key, fact.rank) for key, fact in facts.items()))
    beliefs = {key: belief(fact) for key, fact in facts.items()}
    fit = _fit(bound, facts, beliefs)
    judged = _judge(fit, facts, beliefs)
    simplest = sorted(bound.determined.items(), key=lambda item: (len(item[1].terms), item[0]))
    implied = tuple(_implied(key, row, fit) for key, row in simplest)
    return _verdict(fit, judged, implied, beliefs)


def belief(fact: Fact) -> tuple[float, float]:
    """ln(median) and standard deviation in logarithms of a claim. A default that is a point is exact: deviation 0.

    A point is taken to be off by half a unit of its last digit, but by no less than STATED or LISTED; a hard range by
    the deviation of a uniform distribution; an interval by a third of its width, as 90 % intervals are.
    """
    spread = fact.spread
    if spread.low <= 0 or not isfinite(spread.high):
        shown = write(spread.low, quantity(fact.quantity))
        raise BadInput(
            f"{fact.quantity} = {fact.text or shown} cannot be checked: claims compare by ratio. Give a value above 0"
        )
    width = log(spread.high / spread.low)
    match spread:
        case Point():
            least = {"default": 0.0, "catalogue": LISTED}.get(fact.rank, STATED)
            return log(spread.value), max(fact.slack, least)
        case Range():
            return log(spread.median), width / sqrt(12)
        case Interval():
            return log(spread.lo * spread.hi) / 2, width / 2 / Z90
        case Centred():
            return log(spread.value), width / 2 / Z90
        case Samples():
            return float(np.log(spread.array).mean()), float(np.log(spread.array).std())


def survival(chi2: float, dof: int) -> float:
    """How often a chi-square variable of `dof` degrees of freedom exceeds `chi2`; 1 where nothing is tested.

    The closed recursion from one or two degrees upwards: Q(k + 2) = Q(k) + (x/2)^(k/2) e^(-x/2) / gamma(k/2 + 1).

    >>> round(survival(2.0, 3), 3), round(survival(9.21, 2), 3)
    (0.572, 0.01)
    """
    if dof == 0:
        return 1.0
    half = chi2 / 2
    total, reached = (erfc(sqrt(half)), 1) if dof % 2 else (exp(-half), 2)
    while reached < dof:
        if half > 0:
            total += exp(reached / 2 * log(half) - half) / gamma(reached / 2 + 1)
        reached += 2
    return min(total, 1.0)


def _fit(bound: Constraints, facts: Mapping[str, Fact], beliefs: Mapping[str, tuple[float, float]]) -> _Fit:
    """Least squares under constraints: x = mu - S G'(G S G')^-1 (G mu - h).

    Relations that are no monomials enter with their slope at the claims; from there Gauss-Newton steps move the
    reconciled values until they satisfy them, and the judgement of the claims stays that of the first step.
    """
    keys = tuple(key for key in facts if beliefs[key][1] > 0)
    exact = {key: beliefs[key][0] for key in facts if beliefs[key][1] == 0}
    mean = np.array([beliefs[key][0] for key in keys])
    variance = np.array([beliefs[key][1] ** 2 for key in keys])

    def step(at: FloatArray) -> _Fit:
        places = {**exact, **dict(zip(keys, at.tolist(), strict=True))}
        rows = [row for row in (*bound.rows, *(_slope(relation, places) for relation in bound.curved)) if row.terms]
        matrix, due, used = _matrix(rows, keys, exact)
        spread = variance[:, None] * matrix.T
        inner = np.linalg.inv(matrix @ spread) if used else np.zeros((0, 0))
        residual = matrix @ mean - due
        return _Fit(
            keys=keys,
            place=mean - spread @ inner @ residual,
            covariance=np.diag(variance) - spread @ inner @ spread.T,
            weight=np.einsum("ij,ik,kj->j", matrix, inner, matrix),
            push=matrix.T @ inner @ residual,
            rows=tuple(used),
            chi2=float(residual @ inner @ residual),
            exact=exact,
        )

    first = last = step(mean)
    for _ in range(_ROUNDS if bound.curved else 0):
        last, before = step(last.place), last
        if np.max(np.abs(last.place - before.place), initial=0.0) < _SETTLED:
            break
    return replace(first, place=last.place, covariance=last.covariance)


def _slope(relation: Relation[...], at: Mapping[str, float]) -> Row:
    """A relation that is no monomial as a straight line: ln(body) - ln(gives) = 0 near `at` (logarithms)."""

    def gap(shifted: Mapping[str, float]) -> float:
        body = float(relation.body(**{key: exp(shifted[key]) for key in relation.inputs}))
        return (log(body) if body > 0 else float("nan")) - shifted[relation.gives]

    here, terms = gap(at), {}
    for key in dict.fromkeys(relation.quantities):
        slope = (gap({**at, key: at[key] + _STEP}) - gap({**at, key: at[key] - _STEP})) / (2 * _STEP)
        if isfinite(slope) and abs(slope) > _SETTLED:
            terms[key] = Fraction(slope)
    if not isfinite(here):
        return Row(terms={}, log=0.0)  # the body is not positive there: nothing to compare in logarithms
    return Row(terms=terms, log=sum(float(power) * at[key] for key, power in terms.items()) - here)


def _matrix(
    rows: Sequence[Row], keys: Sequence[str], exact: Mapping[str, float]
) -> tuple[FloatArray, FloatArray, list[Row]]:
    """G and h over what is uncertain, of rows that add something to those before them."""
    matrix, due, used = np.zeros((0, len(keys))), [], []
    for row in rows:
        line = np.array([float(row.terms.get(key, 0)) for key in keys])
        trial = np.vstack([matrix, line])
        if np.linalg.matrix_rank(trial) > len(matrix):
            matrix = trial
            used.append(row)
            due.append(row.log - sum(float(power) * exact[key] for key, power in row.terms.items() if key in exact))
    return matrix, np.array(due), used


def _judge(fit: _Fit, facts: Mapping[str, Fact], beliefs: Mapping[str, tuple[float, float]]) -> tuple[Judged, ...]:
    """Every uncertain claim; the others' word on it is what is left when its own spread is let go to infinity."""
    judged = []
    for index, key in enumerate(fit.keys):
        mean, deviation = beliefs[key]
        weight, push, place = float(fit.weight[index]), float(fit.push[index]), float(fit.place[index])
        tested = weight * deviation**2 > _SETTLED
        reach = Z90 * sqrt(max(float(fit.covariance[index, index]), 0.0))
        pull = -push / sqrt(weight) if tested else 0.0
        implied, off = None, -push / weight if tested else 0.0
        if tested:
            middle, other = mean + off, Z90 * sqrt(max(1 / weight - deviation**2, 0.0))
            trial = (exponential(middle), exponential(middle - other), exponential(middle + other))
            implied = trial if trial[1] > 0 and isfinite(trial[2]) else None
        judged.append(
            Judged(
                fact=facts[key],
                said=exp(mean),
                value=exponential(place),
                low=exponential(place - reach),
                high=exponential(place + reach),
                pull=pull,
                tested=tested,
                implied=implied,
                off=off,
                restores=tested and survival(max(fit.chi2 - pull**2, 0.0), len(fit.rows) - 1) >= LEVEL,
            )
        )
    return tuple(judged)


def _implied(key: str, row: Row, fit: _Fit) -> Implied:
    """An unclaimed quantity as a product of powers of the reconciled claims."""
    powers = np.array([-float(row.terms.get(other, 0)) for other in fit.keys])
    settled = sum(float(power) * fit.exact[other] for other, power in row.terms.items() if other in fit.exact)
    middle = row.log - settled + float(powers @ fit.place)
    reach = Z90 * sqrt(max(float(powers @ fit.covariance @ powers), 0.0))
    return Implied(
        quantity=key,
        value=exponential(middle),
        low=exponential(middle - reach),
        high=exponential(middle + reach),
        powers={other: -float(row.terms[other]) for other in fit.keys if other in row.terms},
    )


def _verdict(
    fit: _Fit, judged: tuple[Judged, ...], implied: tuple[Implied, ...], beliefs: Mapping[str, tuple[float, float]]
) -> Reconciliation:
    """chi2 and the shares that pass 1 decide; suspects are the claims that pull most."""
    dof = len(fit.rows)
    p = survival(max(fit.chi2, 0.0), dof)
    alarms = _alarms((*_shares(judged), *implied))
    alarming = {key for alarm in alarms for key in alarm.powers}
    wrong = p < LEVEL or bool(alarms)
    found = Reconciliation(
        verdict="contradictory" if wrong else "consistent" if dof else "untested",
        chi2=max(fit.chi2, 0.0),
        dof=dof,
        p=p,
        claims=tuple(claim for claim in judged if claim.rank == "given" or claim.tested or claim.quantity in alarming),
        suspects=(),
        meeting=None,
        implied=tuple(one for one in implied if isfinite(one.high) and one.low > 0),
        alarms=alarms,
    )
    if p < LEVEL:
        suspects = tuple(claim.quantity for claim in found.tied)
    else:
        behind = dict.fromkeys(key for alarm in alarms for key in (alarm.powers or (alarm.quantity,)))
        suspects = tuple(sorted(behind, key=lambda key: next(c.rank != "given" for c in judged if c.quantity == key)))
    meeting = _meeting(fit, found.tied[0].quantity, beliefs) if dof and found.tied else None
    return replace(found, suspects=suspects, meeting=meeting)


def _shares(judged: Sequence[Judged]) -> list[Implied]:
    """Claims proper in the form of what follows from all of them."""
    return [
        Implied(quantity=claim.quantity, value=claim.value, low=claim.low, high=claim.high, powers={})
        for claim in judged
        if claim.rank == "given"
    ]


def _alarms(found: Sequence[Implied]) -> tuple[Implied, ...]:
    """Shares that pass 1 by more than their interval; one that only repeats another (HFU an MFU) is left out."""
    past = [one for one in found if quantity(one.quantity).domain == "fraction" and one.low > 1]
    return tuple(
        one
        for place, one in enumerate(past)
        if not any(abs(one.value / other.value - 1) < TIE for other in past[:place])
    )


def _meeting(fit: _Fit, key: str, beliefs: Mapping[str, tuple[float, float]]) -> Meeting | None:
    """The shortest equation that holds the most suspect claim, and by how much the claims miss it."""
    row = shortest(fit.rows, key)
    if row is None:
        return None
    gap = sum(float(power) * beliefs[other][0] for other, power in row.terms.items()) - row.log
    powers = {other: float(power) for other, power in row.terms.items() if other in fit.keys}
    return Meeting(powers=powers, ratio=exponential(gap))
