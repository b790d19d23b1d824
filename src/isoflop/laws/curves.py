"""Laws that are no sum of powers, as shapes to fit. Their derivatives come by complex steps (see `gradient_of`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from isoflop.laws.shape import EXPONENT, Box, Power, PowerSum, Term

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.quantity import FloatArray

ROOT = Term(scale="ln_E")
OF_PARAMS = Term(scale="ln_A", powers=(Power(column="params", exponent="alpha"),))
OF_TOKENS = Term(scale="ln_B", powers=(Power(column="tokens", exponent="beta"),))

PLAIN = PowerSum(
    name="chinchilla",
    title="Loss = E + A / params^alpha + B / tokens^beta",
    coordinates=("ln_E", "ln_A", "ln_B", "alpha", "beta"),
    terms=(ROOT, OF_PARAMS, OF_TOKENS),
    source="hoffmann2022",
    bounds=MappingProxyType({"alpha": EXPONENT, "beta": EXPONENT}),
)


def _parts(at: FloatArray, count: int) -> list[FloatArray]:
    """The first `count` coordinates, each with an axis for the rows."""
    return [at[..., index, None] for index in range(count)]


def _add_logs(*logs: FloatArray) -> FloatArray:
    """Ln of the sum of exponentials; complex logs are taken as they are."""
    largest = reduce(np.maximum, [np.real(one) for one in logs])
    total: FloatArray = largest + np.log(sum(np.exp(one - largest) for one in logs))
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class KaplanJoint:
    """Loss = [(A / params^alpha)^(1/beta) + (B / tokens^beta)^(1/beta)]^beta: A / N^alpha alone with enough data.

    Kaplan's N_c is A^(1/alpha), D_c is B^(1/beta); params without embeddings. No floor. Source: [kaplan2020 eq. 1.5]
    """

    name: ClassVar[str] = "kaplan-joint"
    title: ClassVar[str] = "Loss = [(N_c / params)^(alpha / beta) + D_c / tokens]^beta"
    inputs: ClassVar[tuple[str, ...]] = ("params", "tokens")
    coordinates: ClassVar[tuple[str, ...]] = ("ln_A", "ln_B", "alpha", "beta")
    centring: ClassVar[tuple[Term, ...]] = (OF_PARAMS, OF_TOKENS)
    bounds: ClassVar[Mapping[str, Box]] = MappingProxyType({"alpha": EXPONENT, "beta": EXPONENT})
    source: ClassVar[str] = "kaplan2020"

    def log_loss(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """ln(loss)."""
        ln_a, ln_b, alpha, beta = _parts(at, 4)
        of_params = (ln_a - alpha * np.log(columns["params"])) / beta
        of_tokens = (ln_b - beta * np.log(columns["tokens"])) / beta
        found: FloatArray = beta * _add_logs(of_params, of_tokens)
        return found

    def log_gradient(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """Derivatives of ln(loss), by hand: a third of the time of complex steps."""
        ln_a, ln_b, alpha, beta = _parts(at, 4)
        size, data = np.log(columns["params"]), np.log(columns["tokens"])
        of_params, of_tokens = (ln_a - alpha * size) / beta, (ln_b - beta * data) / beta
        total = _add_logs(of_params, of_tokens)
        first, second = np.exp(of_params - total), np.exp(of_tokens - total)
        by_beta = total - first * of_params - second * ln_b / beta
        return np.stack(np.broadcast_arrays(first, second, -first * size, by_beta), axis=-1)

    def starts(self, columns: Mapping[str, FloatArray], loss: FloatArray) -> FloatArray:
        """Exponents on a grid, both limits through the middle of the data."""
        params, tokens = (float(np.log(columns[name]).mean()) for name in ("params", "tokens"))
        level = float(np.log(loss).mean())
        return np.array(
            [
                (level - 0.1 + alpha * params, level - 0.1 + beta * tokens, alpha, beta)
                for alpha, beta in product((0.04, 0.08, 0.15, 0.3), repeat=2)
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConstrained:
    """Chinchilla in effective params and tokens: repeats of U unique tokens fade with R_D, spare params with R_N.

    tokens' = U (1 + R_D (1 - exp(-r / R_D))) with r = tokens / U - 1 repeats, params' likewise beyond those that are
    best for U alone. R_D and R_N are weakly determined: look at the profile before using them.
    Source: [muennighoff2023 eq. 5]
    """

    name: ClassVar[str] = "data-constrained"
    title: ClassVar[str] = "Chinchilla in effective params and tokens, where data are repeated"
    inputs: ClassVar[tuple[str, ...]] = ("params", "tokens", "unique_tokens")
    coordinates: ClassVar[tuple[str, ...]] = ("ln_E", "ln_A", "ln_B", "alpha", "beta", "ln_R_D", "ln_R_N")
    centring: ClassVar[tuple[Term, ...]] = (OF_PARAMS, OF_TOKENS)
    bounds: ClassVar[Mapping[str, Box]] = MappingProxyType(
        {"alpha": EXPONENT, "beta": EXPONENT, "ln_R_D": (-3.0, 12.0), "ln_R_N": (-3.0, 12.0)}
    )
    source: ClassVar[str] = "muennighoff2023"

    def log_loss(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """ln(loss)."""
        ln_e, ln_a, ln_b, alpha, beta, ln_rd, ln_rn = _parts(at, 7)
        unique = np.minimum(columns["unique_tokens"], columns["tokens"])
        best = np.exp((np.log(alpha) + ln_a - np.log(beta) - ln_b + beta * np.log(unique)) / alpha)
        enough = np.where(np.real(best) < columns["params"], best, columns["params"])
        params = _faded(enough, columns["params"], np.exp(ln_rn))
        tokens = _faded(unique, columns["tokens"], np.exp(ln_rd))
        return _add_logs(ln_e, ln_a - alpha * np.log(params), ln_b - beta * np.log(tokens))

    def log_gradient(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """Derivatives of ln(loss), by hand: this law is resampled and profiled more than any other."""
        ln_e, ln_a, ln_b, alpha, beta, ln_rd, ln_rn = _parts(at, 7)
        used = columns["params"]
        unique = np.minimum(columns["unique_tokens"], columns["tokens"])
        at_best = (np.log(alpha) + ln_a - np.log(beta) - ln_b + beta * np.log(unique)) / alpha
        spare = np.exp(np.minimum(at_best, 700.0)) < used
        enough = np.where(spare, np.exp(np.minimum(at_best, 700.0)), used)
        params, tokens = _faded(enough, used, np.exp(ln_rn)), _faded(unique, columns["tokens"], np.exp(ln_rd))
        first, second = ln_a - alpha * np.log(params), ln_b - beta * np.log(tokens)
        total = _add_logs(ln_e, first, second)
        of_e, of_a, of_b = np.exp(ln_e - total), np.exp(first - total), np.exp(second - total)
        by_best = np.where(spare, -alpha * of_a * (1.0 - used * _fade(enough, used, ln_rn) / params), 0.0)
        parts = (
            of_e,
            of_a + by_best / alpha,
            of_b - by_best / alpha,
            -of_a * np.log(params) + by_best * (1.0 / alpha - at_best) / alpha,
            -of_b * np.log(tokens) + by_best * (np.log(unique) - 1.0 / beta) / alpha,
            -beta * of_b * _by_reach(unique, columns["tokens"], ln_rd) / tokens,
            -alpha * of_a * _by_reach(enough, used, ln_rn) / params,
        )
        return np.stack(np.broadcast_arrays(*parts), axis=-1)

    def starts(self, columns: Mapping[str, FloatArray], loss: FloatArray) -> FloatArray:
        """A few Chinchilla starts, each with several R_D and R_N: this law has local minima."""
        plain = PLAIN.starts(columns, loss)[6::6]
        decays = list(product(np.log((3.0, 15.0, 100.0)), np.log((2.0, 10.0, 60.0))))
        return np.array([[*row, *decay] for row in plain for decay in decays])


def _faded(enough: FloatArray, used: FloatArray, reach: FloatArray) -> FloatArray:
    """Effective amount where `used` goes beyond `enough` and what is beyond fades with `reach`."""
    beyond = used / enough - 1.0
    return enough * (1.0 + reach * -np.expm1(-beyond / reach))


def _fade(enough: FloatArray, used: FloatArray, ln_reach: FloatArray) -> FloatArray:
    """What the next unit beyond is still worth."""
    return np.exp(-(used / enough - 1.0) * np.exp(-ln_reach))


def _by_reach(enough: FloatArray, used: FloatArray, ln_reach: FloatArray) -> FloatArray:
    """The derivative of `_faded` by ln(reach)."""
    turns = (used / enough - 1.0) * np.exp(-ln_reach)
    found: FloatArray = enough * np.exp(ln_reach) * (-np.expm1(-turns) - turns * np.exp(-turns))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Farseer:
    """Loss = exp(S + s [N]_q) + exp(Q + B [N]_b) D^-exp(E + A [N]_a), [N]_q = (N^q - 1) / q, N and D in billions.

    How fast data help depends on the size of the model. The paper's s N^q + S is the same law with other constants; as
    q goes to 0 those run away, these do not. Nine constants: it takes some hundred runs over a wide range.
    Source: [farseer2025 eq. 1], the units are ours
    """

    name: ClassVar[str] = "farseer"
    title: ClassVar[str] = "Loss = exp(S + s [N]_q) + exp(Q + B [N]_b) D^-exp(E + A [N]_a), [N]_q = (N^q - 1) / q"
    inputs: ClassVar[tuple[str, ...]] = ("params", "tokens")
    coordinates: ClassVar[tuple[str, ...]] = ("s", "q", "S", "B", "b", "Q", "A", "a", "E")
    bounds: ClassVar[Mapping[str, Box]] = MappingProxyType(
        dict.fromkeys("qba", (-1.5, 1.5)) | dict.fromkeys(("s", "S", "B", "Q", "A", "E"), (-20.0, 20.0))
    )
    source: ClassVar[str] = "farseer2025"
    params_unit: float = 1e9
    tokens_unit: float = 1e9
    """With another unit of tokens this is another form; --law auto takes units from the runs, whatever theirs are."""

    def log_loss(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """ln(loss)."""
        s, q, floor, b_scale, b, data, a_scale, a, rate = _parts(at, 9)
        size, tokens = np.log(columns["params"] / self.params_unit), np.log(columns["tokens"] / self.tokens_unit)
        exponent = np.exp(a_scale * _grown(a, size) + rate)
        return _add_logs(s * _grown(q, size) + floor, b_scale * _grown(b, size) + data - exponent * tokens)

    def log_gradient(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """Derivatives of ln(loss), by hand: with nine constants complex steps take six times as long."""
        s, q, floor, b_scale, b, data, a_scale, a, rate = _parts(at, 9)
        size, tokens = np.log(columns["params"] / self.params_unit), np.log(columns["tokens"] / self.tokens_unit)
        falls = -np.exp(a_scale * _grown(a, size) + rate) * tokens
        first, second = s * _grown(q, size) + floor, b_scale * _grown(b, size) + data + falls
        of_floor = 1.0 / (1.0 + np.exp(np.clip(second - first, -300.0, 300.0)))
        of_data = 1.0 - of_floor
        by_s, by_b, by_a = of_floor * _grown(q, size), of_data * _grown(b, size), of_data * falls * _grown(a, size)
        bent = of_floor * s * _bent(q, size), of_data * b_scale * _bent(b, size)
        by_exponent = of_data * falls * a_scale * _bent(a, size)
        parts = (by_s, bent[0], of_floor, by_b, bent[1], of_data, by_a, by_exponent, of_data * falls)
        return np.stack(np.broadcast_arrays(*parts), axis=-1)

    def starts(self, columns: Mapping[str, FloatArray], loss: FloatArray) -> FloatArray:
        """Floors below the lowest loss, the rest for data, mild dependence on size either way."""
        level, low = float(np.log(np.median(loss))), float(np.log(loss.min()))
        tokens = float(np.log(np.median(columns["tokens"]) / self.tokens_unit))
        found = []
        for share, rate, bend in product((0.7, 0.9), (0.25, 0.5), (-0.3, -0.1, 0.1)):
            floor = low + np.log(share)
            rest = level + np.log(max(1.0 - np.exp(floor - level), 0.02)) + rate * tokens
            found.append((-0.05, bend, floor, -0.05, bend, rest, 0.03, -bend, np.log(rate)))
        return np.array(found)


def _grown(exponent: FloatArray, log: FloatArray) -> FloatArray:
    """(x^e - 1) / e from ln x: ln x itself where e is 0. A series near there; exp is ten times as fast as expm1."""
    by = exponent * log
    tiny = np.abs(by) < _TINY
    safe = np.where(tiny, 1.0, by)
    ratio = (np.exp(safe) - 1.0) / safe
    if tiny.any():
        ratio = np.where(tiny, _series(by, (1.0, 2.0, 6.0, 24.0, 120.0, 720.0, 5040.0)), ratio)
    found: FloatArray = log * ratio
    return found


def _bent(exponent: FloatArray, log: FloatArray) -> FloatArray:
    """The derivative of `_grown` by the exponent."""
    by = exponent * log
    tiny = np.abs(by) < _TINY
    safe = np.where(tiny, 1.0, by)
    grown = np.exp(safe)
    ratio = (safe * grown - grown + 1.0) / (safe * safe)
    if tiny.any():
        ratio = np.where(tiny, _series(by, (2.0, 3.0, 8.0, 30.0, 144.0, 840.0, 5760.0)), ratio)
    found: FloatArray = log * log * ratio
    return found


_TINY = 0.02


def _series(by: FloatArray, divisors: tuple[float, ...]) -> FloatArray:
    """Sum of by^k / divisor_k."""
    found = np.full(by.shape, 1.0 / divisors[-1], dtype=by.dtype)
    for divisor in reversed(divisors[:-1]):
        found = found * by + 1.0 / divisor
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Chinchilla in effective params: N (1 - e^(-P_w/g_w)) (1 - e^(-P_a/g_a)) (1 - e^(-P_kv/g_kv)), P bits in training.

    Neglects quantization after training. Source: [kumar2024 eq. 3]
    """

    name: ClassVar[str] = "precision"
    title: ClassVar[str] = "Chinchilla in effective params, fewer with fewer bits in training"
    inputs: ClassVar[tuple[str, ...]] = ("params", "tokens", "weight_bits", "activation_bits", "kv_bits")
    coordinates: ClassVar[tuple[str, ...]] = ("ln_E", "ln_A", "ln_B", "alpha", "beta", "ln_g_w", "ln_g_a", "ln_g_kv")
    centring: ClassVar[tuple[Term, ...]] = (OF_PARAMS, OF_TOKENS)
    bounds: ClassVar[Mapping[str, Box]] = MappingProxyType(
        {"alpha": EXPONENT, "beta": EXPONENT, "ln_g_w": (-4.0, 5.0), "ln_g_a": (-4.0, 5.0), "ln_g_kv": (-4.0, 5.0)}
    )
    source: ClassVar[str] = "kumar2024"

    def log_loss(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """ln(loss)."""
        ln_e, ln_a, ln_b, alpha, beta, *reaches = _parts(at, 8)
        size = np.log(columns["params"])
        for bits, reach in zip(("weight_bits", "activation_bits", "kv_bits"), reaches, strict=True):
            size = size + np.log(-np.expm1(-columns[bits] * np.exp(-reach)))
        return _add_logs(ln_e, ln_a - alpha * size, ln_b - beta * np.log(columns["tokens"]))

    def starts(self, columns: Mapping[str, FloatArray], loss: FloatArray) -> FloatArray:
        """Chinchilla starts with reaches of 1 and 3 bits."""
        plain = PLAIN.starts(columns, loss)[::6]
        return np.array([[*row, *np.log(reach)] for row in plain for reach in ((1.0, 1.0, 1.0), (3.0, 3.0, 1.0))])


@dataclass(frozen=True, slots=True, kw_only=True)
class MoeClark:
    """ln(loss) = a ln N + b ln E' + c ln N ln E' + d, N dense params, E' the experts with saturation at both ends.

    1/E' = 1/(E - 1 + 1/(1/E_s - 1/E_m)) + 1/E_m. Natural logarithms. Source: [clark2022 eq. 2]
    """

    name: ClassVar[str] = "moe-clark"
    title: ClassVar[str] = "ln(loss) = a ln N + b ln E' + c ln N ln E' + d, E' the experts, saturated"
    inputs: ClassVar[tuple[str, ...]] = ("params", "experts")
    coordinates: ClassVar[tuple[str, ...]] = ("a", "b", "c", "d", "ln_E_s", "ln_E_m")
    bounds: ClassVar[Mapping[str, Box]] = MappingProxyType({"ln_E_s": (0.0, 4.0), "ln_E_m": (4.001, 12.0)})
    source: ClassVar[str] = "clark2022"

    def log_loss(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """ln(loss)."""
        a, b, c, d, ln_start, ln_most = _parts(at, 6)
        at_one = 1.0 / (np.exp(-ln_start) - np.exp(-ln_most))
        experts = -np.log(1.0 / (columns["experts"] - 1.0 + at_one) + np.exp(-ln_most))
        size = np.log(columns["params"])
        return np.asarray(a * size + b * experts + c * size * experts + d)

    def starts(self, columns: Mapping[str, FloatArray], loss: FloatArray) -> FloatArray:
        """For each pair of saturations, the rest by least squares: it is linear."""
        found = []
        for start, most in product((1.5, 3.0, 8.0), (100.0, 300.0, 2000.0)):
            basis = np.zeros((4, 6))
            basis[:, 4:] = np.log(start), np.log(most)
            basis[:4, :4] = np.eye(4)
            columns_of = self.log_loss(basis, columns).T
            linear = np.linalg.lstsq(columns_of, np.log(loss), rcond=None)[0]
            found.append([*linear, np.log(start), np.log(most)])
        return np.array(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Downstream:
    """Error of a task from the loss: error = eps - k exp(-gamma loss), the law of the second link of a chain.

    Source: [gadre2024 eq. 5]
    """

    name: ClassVar[str] = "downstream"
    title: ClassVar[str] = "error = eps - k exp(-gamma loss)"
    target: ClassVar[str] = "error"
    inputs: ClassVar[tuple[str, ...]] = ("loss",)
    coordinates: ClassVar[tuple[str, ...]] = ("eps", "ln_k", "gamma")
    bounds: ClassVar[Mapping[str, Box]] = MappingProxyType({"eps": (1e-3, 2.0), "gamma": (0.01, 20.0)})
    source: ClassVar[str] = "gadre2024"
    levels: FloatArray = field(default_factory=lambda: np.array([0.3, 1.0, 3.0]))

    def log_loss(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """ln(error); where the form goes below zero, a very low one."""
        eps, ln_k, gamma = _parts(at, 3)
        error = eps - np.exp(ln_k - gamma * columns["loss"])
        return np.log(np.where(np.real(error) > 1e-9, error, 1e-9 + 0.0 * error))

    def starts(self, columns: Mapping[str, FloatArray], loss: FloatArray) -> FloatArray:
        """For each gamma, eps and k by least squares: they are linear."""
        found = []
        for gamma in self.levels:
            fall = np.exp(-gamma * columns["loss"])
            eps, k = np.linalg.lstsq(np.stack([np.ones_like(fall), -fall], axis=1), loss, rcond=None)[0]
            found.append((max(eps, loss.max()), np.log(max(k, 1e-6)), gamma))
        return np.array(found)
