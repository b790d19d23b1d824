"""The minimiser of newton.py for sums of powers, compiled: one resample after the other, only rows that were drawn.

The same steps, damping and stopping, so the same minima; exponentials are a polynomial that the compiler turns into
vector instructions, accurate to 2e-16. Needs numba (extra `fast`); what is compiled is kept between processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from isoflop.laws.newton import NOTHING
from isoflop.laws.objective import OUTSIDE

if TYPE_CHECKING:
    from isoflop.laws.objective import Objective
    from isoflop.laws.problem import SumProblem
    from isoflop.quantity import FloatArray

LOOSE = {"reassoc", "contract", "nsz", "arcp"}
_LOG2E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 6.93145751953125e-1, 1.42860682030941723212e-6
_ROUND = 6755399441055744.0  # 1.5 * 2^52: adding it leaves the nearest integer in the low bits
_BIAS, _MANTISSA = 1023, 52
_FAR = 300.0


def minimise_fast(
    problem: SumProblem, starts: FloatArray, weights: FloatArray, objective: Objective, *, settled: float = 1e-10
) -> FloatArray:
    """Free coordinates of the minimum that each start leads to; weights are (starts, rows)."""
    places = np.array(problem.places, dtype=np.int64)
    columns = np.ascontiguousarray(problem.design[places[:, 0], places[:, 1]])
    box = problem.coordinates
    found = np.clip(starts, box.low, box.high)
    delta = objective.delta if np.isfinite(objective.delta) else 1e300
    loss = np.array([delta, objective.over, settled, NOTHING, float(objective.soft)])
    _all(places, columns, problem.base, weights, found, np.stack([box.low, box.high]), loss)
    return found


@njit(cache=True)
def _exponentials(x, bits, out, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """exp(x) for |x| <= 300, without branches."""
    shifted = bits.view(np.float64)
    for i in range(count):
        shifted[i] = x[i] * _LOG2E + _ROUND
    for i in range(count):
        whole = shifted[i] - _ROUND
        r = (x[i] - whole * _LN2_HIGH) - whole * _LN2_LOW
        p = 1.0 / 479001600.0
        p = p * r + 1.0 / 39916800.0
        p = p * r + 1.0 / 3628800.0
        p = p * r + 1.0 / 362880.0
        p = p * r + 1.0 / 40320.0
        p = p * r + 1.0 / 5040.0
        p = p * r + 1.0 / 720.0
        p = p * r + 1.0 / 120.0
        p = p * r + 1.0 / 24.0
        p = p * r + 1.0 / 6.0
        p = p * r + 0.5
        p = p * r + 1.0
        out[i] = p * r + 1.0
    for i in range(count):
        bits[i] = (bits[i] + _BIAS) << _MANTISSA
    for i in range(count):
        out[i] *= shifted[i]


@njit(cache=True, fastmath=LOOSE)
def _logarithms(total, out, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Ln of what is near 1 by a series, of the rest by the library."""
    far = 0
    for i in range(count):
        t = (total[i] - 1.0) / (total[i] + 1.0)
        s = t * t
        p = 1.0 / 19.0
        p = p * s + 1.0 / 17.0
        p = p * s + 1.0 / 15.0
        p = p * s + 1.0 / 13.0
        p = p * s + 1.0 / 11.0
        p = p * s + 1.0 / 9.0
        p = p * s + 1.0 / 7.0
        p = p * s + 1.0 / 5.0
        p = p * s + 1.0 / 3.0
        out[i] = 2.0 * t * (p * s + 1.0)
        far += abs(t) > 0.13
    if far:
        for i in range(count):
            if abs(total[i] - 1.0) > 0.25:
                out[i] = np.log(total[i])


@njit(cache=True)
def _evaluate(at, places, columns, base, weights, count, loss, room, bits, gradient, curvature):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0913, PLR0917
    """Objective; gradient and curvature are filled. `room` is terms x rows, then total, residual, slopes.

    Loose arithmetic is for the sums only: a callee takes it over from its caller, and the exponential would break.
    """
    terms = base.shape[0]
    scratch = room[terms + 2]
    for k in range(terms):
        term = room[k]
        for i in range(count):
            term[i] = base[k, i]
        for j in range(places.shape[0]):
            if places[j, 0] == k:
                value, column = at[places[j, 1]], columns[j]
                for i in range(count):
                    term[i] += value * column[i]
        for i in range(count):
            term[i] = min(max(term[i], -_FAR), _FAR)
        _exponentials(term, bits, scratch, count)
        for i in range(count):
            term[i] = scratch[i]
    return _sums(places, columns, terms, weights, count, loss, room, gradient, curvature)


@njit(cache=True, fastmath=LOOSE)
def _sums(places, columns, terms, weights, count, loss, room, gradient, curvature):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0913, PLR0917
    """Objective, gradient and curvature from the terms."""
    value = _losses(terms, weights, count, loss, room)
    total, slope, bend = room[terms], room[terms + 2], room[terms + 3]
    slopes = room[terms + 4 :]
    size = gradient.shape[0]
    for p in range(size):
        for i in range(count):
            slopes[p, i] = 0.0
    for j in range(places.shape[0]):
        k, p = places[j, 0], places[j, 1]
        for i in range(count):
            slopes[p, i] += room[k, i] * total[i] * columns[j, i]
    for p in range(size):
        gain = 0.0
        for i in range(count):
            gain += slope[i] * slopes[p, i]
        gradient[p] = gain
        for q in range(p, size):
            bent = 0.0
            for i in range(count):
                bent += bend[i] * slopes[p, i] * slopes[q, i]
            curvature[p, q] = bent
    for i in range(count):
        total[i] *= slope[i]
    _bends(places, columns, total, count, room, curvature)
    return value


@njit(cache=True, fastmath=LOOSE)
def _losses(terms, weights, count, loss, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Objective; fills residuals, their slopes and bends, and 1 / total."""
    delta, over = loss[0], loss[1]
    total, residual, slope, bend = room[terms], room[terms + 1], room[terms + 2], room[terms + 3]
    for i in range(count):
        total[i] = room[0, i]
    for k in range(1, terms):
        for i in range(count):
            total[i] += room[k, i]
    _logarithms(total, residual, count)
    value = 0.0
    if loss[4] > 0.0:
        for i in range(count):
            r = residual[i]
            root = np.sqrt(1.0 + (r / delta) * (r / delta))
            weight = weights[i] * (over if r > 0.0 else 1.0)
            value += weight * r * r / (root + 1.0)
            slope[i] = weight * r / root
            bend[i] = weight / (root * root * root) - slope[i]
            total[i] = 1.0 / total[i]
        return value
    for i in range(count):
        r = residual[i]
        clipped = min(max(r, -delta), delta)
        weight = weights[i] * (over if r > 0.0 else 1.0)
        value += weight * clipped * (r - 0.5 * clipped)
        slope[i] = weight * clipped
        bend[i] = weight * (1.0 if abs(r) <= delta else OUTSIDE * delta / abs(r)) - slope[i]
        total[i] = 1.0 / total[i]
    return value


@njit(cache=True, fastmath=LOOSE)
def _bends(places, columns, total, count, room, curvature):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the curvature of the terms, then mirror the matrix."""
    for j in range(places.shape[0]):
        for m in range(places.shape[0]):
            if places[j, 0] == places[m, 0] and places[j, 1] <= places[m, 1]:
                k, bent = places[j, 0], 0.0
                for i in range(count):
                    bent += room[k, i] * total[i] * columns[j, i] * columns[m, i]
                curvature[places[j, 1], places[m, 1]] += bent
    for p in range(curvature.shape[0]):
        for q in range(p):
            curvature[p, q] = curvature[q, p]


@njit(cache=True)
def _step(at, box, gradient, curvature, damping, step):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill the damped Newton step; give the damping that made the curvature definite and the promised decrease."""
    size = at.shape[0]
    lower = np.empty((size, size))
    held = np.zeros(size, dtype=np.bool_)
    for p in range(size):
        held[p] = (at[p] <= box[0, p] and gradient[p] > 0) or (at[p] >= box[1, p] and gradient[p] < 0)
    while not _factor(curvature, held, damping, lower) and damping < 1e30:
        damping = max(10.0 * damping, 1e-4)
    for j in range(size):
        value = 0.0 if held[j] else -gradient[j]
        for k in range(j):
            value -= lower[j, k] * step[k]
        step[j] = value / lower[j, j]
    for j in range(size - 1, -1, -1):
        value = step[j]
        for k in range(j + 1, size):
            value -= lower[k, j] * step[k]
        step[j] = value / lower[j, j]
    promised = 0.0
    for p in range(size):
        bent = 0.0
        for q in range(size):
            bent += 0.0 if held[p] or held[q] else curvature[p, q] * step[q]
        promised -= step[p] * (gradient[p] + 0.5 * bent)
    return damping, max(promised, 0.0)


@njit(cache=True)
def _factor(curvature, held, damping, lower):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Cholesky's factor of the damped curvature; False where it is not positive definite."""
    size = held.shape[0]
    largest = 0.0
    for p in range(size):
        largest = max(largest, 0.0 if held[p] else abs(curvature[p, p]))
    for j in range(size):
        own = abs(curvature[j, j]) if not held[j] else 0.0
        diagonal = max(own, 1e-9 * largest + 1e-280)
        for i in range(j, size):
            value = 0.0 if held[i] or held[j] else curvature[i, j]
            if i == j:
                value = (diagonal if held[j] else value) + damping * diagonal
            for k in range(j):
                value -= lower[i, k] * lower[j, k]
            if i > j:
                lower[i, j] = value / lower[j, j]
            elif value > 1e-13 * diagonal:
                lower[j, j] = np.sqrt(value)
            else:
                return False
    return True


@njit(cache=True)
def _all(places, columns, base, weights, found, box, loss):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0913, PLR0917
    terms, rows = base.shape
    size = found.shape[1]
    room, bits = np.empty((terms + 4 + size, rows)), np.empty(rows, dtype=np.int64)
    own_columns, own_base, own = np.empty((places.shape[0], rows)), np.empty((terms, rows)), np.empty(rows)
    gradient, curvature, step = np.empty(size), np.empty((size, size)), np.empty(size)
    new_gradient, new_curvature = np.empty(size), np.empty((size, size))
    for b in range(found.shape[0]):
        count, heavy = 0, 0.0
        for i in range(rows):
            if weights[b, i] > 0.0:
                own[count] = weights[b, i]
                heavy += weights[b, i]
                for j in range(places.shape[0]):
                    own_columns[j, count] = columns[j, i]
                for k in range(terms):
                    own_base[k, count] = base[k, i]
                count += 1
        at, damping = found[b].copy(), 1e-3
        value = _evaluate(at, places, own_columns, own_base, own, count, loss, room, bits, gradient, curvature)
        for _ in range(300):
            damping, promised = _step(at, box, gradient, curvature, damping, step)
            trial = np.minimum(np.maximum(at + step, box[0]), box[1])
            new = _evaluate(
                trial, places, own_columns, own_base, own, count, loss, room, bits, new_gradient, new_curvature
            )
            done = promised * (1.0 + damping) <= loss[2] * value + loss[3] * heavy
            if new <= value:
                at, value = trial, new
                gradient[:] = new_gradient
                curvature[:] = new_curvature
                damping = max(damping / 10.0, 1e-12)
            else:
                damping *= 8.0
            if done or damping > 1e12:
                break
        found[b] = at
