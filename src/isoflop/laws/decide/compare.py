"""Two laws, or two studies, held against each other: what differs, by how much, and whether that can be told.

Exponents and best sizes compare across tokenizers; losses do not, unless both are of the same tokens or the bytes of a
token of each are known: then they compare in bits per byte. Parameters compare where both count the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from isoflop.errors import BadInput
from isoflop.laws.decide.allocate import Decision, allocate
from isoflop.laws.decide.belief import Estimate
from isoflop.laws.interface import positive
from isoflop.laws.result import interval_of
from isoflop.quantity import quantity, write
from isoflop.relation.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws.decide.belief import Belief
    from isoflop.quantity import FloatArray

Unit = Literal["nats/token", "bits/byte", ""]

FAR_AWAY = 1e15, 1e18
"""Params and tokens at which a form without a constant floor is taken to have reached its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One figure of both laws: `first`, `second`, and second less first (or over it, where `is_ratio`).

    `told` is whether the interval leaves out no difference; `refused` says why two figures are not compared, and then
    there is no `change`.
    """

    name: str
    quantity: str
    first: Estimate
    second: Estimate
    change: Estimate | None
    is_ratio: bool
    told: bool = False
    unit: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Shown):
    """All differences of two laws; `paired` where their draws come from the same resamples of the same runs."""

    first: Belief
    second: Belief
    differences: tuple[Difference, ...]
    paired: bool
    level: float
    loss_unit: Unit
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Where two laws are compared: at which compute (FLOP), at which targets (params, tokens), and in which unit.

    `bytes_per_token` of the two tokenizers turn losses into bits per byte; `same_tokens` says that both losses are of
    the same data and tokenizer.
    """

    flops: tuple[float, ...] = (1e21, 1e24)
    targets: tuple[Mapping[str, float], ...] = ()
    bytes_per_token: tuple[float, float] | None = None
    same_tokens: bool = False
    level: float = 0.8

    def __post_init__(self) -> None:
        if self.bytes_per_token is not None and self.same_tokens:
            raise BadInput("the same tokens need no bytes per token: give one of them")


def compare(first: Belief, second: Belief, grounds: Grounds | None = None) -> Comparison:
    """Differences of exponent, floor, loss at targets and best params and tokens at each compute.

    Where neither the bytes of a token are known nor that the tokens are the same, and the laws are not fitted to the
    same runs, losses are not compared. Draws are paired where both fits resampled the same runs alike, else
    independent.

    >>> from isoflop.laws.decide.belief import believed
    >>> found = compare(believed("besiroglu2024"), believed("hoffmann2022"), Grounds(flops=(1e24,)))
    >>> [one.name for one in found.differences if one.refused]
    ['floor']
    """
    asked = grounds or Grounds()
    level = asked.level
    same_runs = _same_runs(first, second)
    factors, unit, why = _losses(asked.bytes_per_token, same=asked.same_tokens or same_runs)
    alike = first.of == second.of and len(first.draws) == len(second.draws)
    pair = _Pair(first, second, level, paired=same_runs and alike)
    found = [pair.floor(factors, unit, why)]
    found += [pair.loss(one, factors, unit, why) for one in asked.targets]
    for budget in asked.flops:
        found += pair.splits(float(positive("flops", budget)))
    return Comparison(
        first=first,
        second=second,
        differences=tuple(found),
        paired=pair.paired,
        level=level,
        loss_unit=unit,
        why=why,
    )


def _same_runs(first: Belief, second: Belief) -> bool:
    if first.fit is None or second.fit is None:
        return False
    return first.fit.origin.fingerprint == second.fit.origin.fingerprint


def _losses(bytes_per_token: tuple[float, float] | None, *, same: bool) -> tuple[tuple[float, float], Unit, str]:
    """Factors on both losses, the unit they then have, and why they are not compared where they are not."""
    if bytes_per_token is not None:
        ends = [float(positive("bytes per token", one)) for one in bytes_per_token]
        return (1.0 / np.log(2.0) / ends[0], 1.0 / np.log(2.0) / ends[1]), "bits/byte", ""
    if same:
        return (1.0, 1.0), "nats/token", ""
    return (
        (1.0, 1.0),
        "",
        (
            "losses per token of two tokenizers or data sets are not comparable: say --same-tokens, or the"
            " --bytes-per-token of each, which compares them in bits per byte"
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    """What is compared: its name, its quantity, its unit, why it is not compared, whether as a ratio."""

    name: str
    of: str
    unit: str = ""
    refused: str = ""
    is_ratio: bool = False


class _Pair:
    """Two beliefs, and how their draws go together."""

    def __init__(self, first: Belief, second: Belief, level: float, *, paired: bool) -> None:
        self.first, self.second, self.level, self.paired = first, second, level, paired

    def floor(self, factors: tuple[float, float], unit: Unit, why: str) -> Difference:
        """The loss that no compute goes below, as far as the form has one."""
        ends = [self._floor(one) * factor for one, factor in zip((self.first, self.second), factors, strict=True)]
        return self._difference(_Figure(name="floor", of="irreducible_loss", unit=unit, refused=why), ends[0], ends[1])

    def _floor(self, one: Belief) -> FloatArray:
        if one.closed:
            return np.atleast_1d(np.asarray(one.closed_form().E, dtype=np.float64))
        everything = len(one.everything)
        params, tokens = (np.full((everything, 1), value) for value in FAR_AWAY)
        found: FloatArray = np.exp(one.log_loss(params, tokens)[:, 0])
        return found

    def loss(self, at: Mapping[str, float], factors: tuple[float, float], unit: Unit, why: str) -> Difference:
        """Loss at one point."""
        if "params" not in at or "tokens" not in at:
            raise BadInput("a target needs params and tokens, as in N=70B,D=1.4T")
        ends = []
        for one, factor in zip((self.first, self.second), factors, strict=True):
            size = np.full((len(one.everything), 1), float(positive("params", at["params"])))
            data = np.full((len(one.everything), 1), float(positive("tokens", at["tokens"])))
            ends.append(np.exp(one.log_loss(size, data)[:, 0]) * factor)
        place = f"loss at {write(at['params'], quantity('params'))} on {write(at['tokens'], quantity('tokens'))}"
        return self._difference(_Figure(name=place, of="loss", unit=unit, refused=why), ends[0], ends[1])

    def splits(self, flops: float) -> list[Difference]:
        """Exponent, best params and best tokens at a compute."""
        decided = [allocate(one, flops) for one in (self.first, self.second)]
        at = write(flops, quantity("train_flops"))
        counts = (self.first.convention.params, self.second.convention.params)
        why = "" if counts[0] == counts[1] else f"one counts {counts[0]} parameters, the other {counts[1]}"
        names = (("exponent", ""), ("params", why), ("tokens", ""))
        return [self._split(decided, name, at, refused) for name, refused in names]

    def _split(self, decided: list[Decision], name: str, at: str, refused: str) -> Difference:
        ends = [getattr(one, f"{name}_draws") for one in decided]
        label = f"params ~ FLOP^ at {at}" if name == "exponent" else f"best {name} at {at}"
        kind = "" if name == "exponent" else name
        figure = _Figure(name=label, of=kind, refused=refused, is_ratio=name != "exponent")
        return self._difference(figure, ends[0], ends[1])

    def _difference(self, figure: _Figure, first: FloatArray, second: FloatArray) -> Difference:
        bare = Difference(
            name=figure.name,
            quantity=figure.of,
            first=self.first.estimate(first, self.level),
            second=self.second.estimate(second, self.level),
            change=None,
            is_ratio=figure.is_ratio,
            unit=figure.unit,
            refused=figure.refused,
        )
        if figure.refused:
            return bare
        scale = np.log if figure.is_ratio else np.asarray
        point = float(scale(second[0]) - scale(first[0]))
        draws = self._draws(scale(first), scale(second))
        low, high = interval_of(point, draws, self.level) if len(draws) else (point, point)
        low, high = min(low, point), max(high, point)
        ends = np.exp([point, low, high]) if figure.is_ratio else np.array([point, low, high])
        return replace(bare, change=Estimate(*ends.tolist()), told=len(draws) > 0 and not low <= 0.0 <= high)

    def _draws(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Draws of the difference: of the same resamples, else each law's in an order of its own."""
        a, b = first[1:], second[1:]
        if not len(a) and not len(b):
            return np.array([])
        size = max(len(a), len(b))
        if not self.paired:
            rng = np.random.default_rng(0)
            a = rng.permutation(a) if len(a) else a
        a = np.resize(a, size) if len(a) else np.full(size, first[0])
        b = np.resize(b, size) if len(b) else np.full(size, second[0])
        both = b - a
        found: FloatArray = both[np.isfinite(both)]
        return found
