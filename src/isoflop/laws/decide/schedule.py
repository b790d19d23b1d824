"""The learning rate of a run over its length, as a share of its peak: constant, cosine, linear, warm-up-stable-decay.

Lengths are in the curve's own measure of progress, steps or tokens: nothing here asks which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from isoflop.errors import BadInput, MissingData, UnknownName

if TYPE_CHECKING:
    from isoflop.quantity import FloatArray

Kind = Literal["constant", "cosine", "linear", "wsd"]
KINDS: tuple[Kind, ...] = ("constant", "cosine", "linear", "wsd")

DECAY = 0.2
"""Share of a warm-up-stable-decay run in which the rate falls, where nothing is said."""

_TOP = 1e-3  # of the peak: how near to it the rate has risen
_CLOSE = 0.03  # of the peak: how near a schedule's rate lies to the logged one


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule of length `total`: `warmup` at first (same measure), `final` the rate at the end over its peak.

    `decay` is the share of the length in which a warm-up-stable-decay run (wsd) falls, linearly.
    """

    kind: Kind
    total: float
    warmup: float = 0.0
    final: float = 0.0
    decay: float = DECAY

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownName("schedule", self.kind, KINDS, hint=f"Known are {', '.join(KINDS)}.")
        if not 0 < self.total < float("inf"):
            raise BadInput(f"the length of a run must be positive; {self.total:g} was given")
        if not 0 <= self.warmup < self.total or not 0 <= self.final <= 1 or not 0 < self.decay <= 1:
            raise BadInput("a schedule needs 0 <= warmup < total, 0 <= final <= 1 and 0 < decay <= 1")

    def rate(self, at: FloatArray) -> FloatArray:
        """The learning rate over its peak."""
        through = np.clip((at - self.warmup) / (self.total - self.warmup), 0.0, 1.0)
        if self.kind == "constant":
            fallen = np.zeros_like(through)
        elif self.kind == "cosine":
            fallen = 0.5 * (1.0 - np.cos(np.pi * through))
        elif self.kind == "linear":
            fallen = through
        else:
            fallen = np.clip((at / self.total - (1.0 - self.decay)) / self.decay, 0.0, 1.0)
        rising = np.clip(at / self.warmup, 0.0, 1.0) if self.warmup > 0 else np.ones_like(through)
        found: FloatArray = np.minimum(rising, 1.0 - (1.0 - self.final) * fallen)
        return found


def warmup_of(at: FloatArray, rate: FloatArray) -> float:
    """Where the logged rate reaches its peak; 0 where it starts there."""
    top = int(np.argmax(rate > rate.max() * (1.0 - _TOP)))
    return float(at[top]) if top else 0.0


def schedule_of(at: FloatArray, rate: FloatArray, total: float) -> tuple[Schedule, str]:
    """The schedule that logged rates follow so far, and what had to be assumed about the rest ("" where nothing)."""
    share = rate / rate.max()
    top = int(np.argmax(share > 1.0 - _TOP))
    warmup = warmup_of(at, rate)
    seen = share[top:]
    if np.ptp(seen) < 1e-3:
        kind: Kind = "constant"
        return Schedule(kind=kind, total=total, warmup=min(warmup, 0.5 * total)), (
            "the rate has not fallen so far: taken as constant to the end; --schedule wsd says what a decay would bring"
        )
    held = _candidates(total, min(warmup, 0.5 * total))
    off = [float(np.max(np.abs(one.rate(at[top:]) - seen))) for one in held]
    best = int(np.argmin(off))
    if off[best] > _CLOSE:
        raise MissingData(
            f"the logged learning rate follows none of {', '.join(KINDS)} over {total:g} (nearest: {held[best].kind},"
            f" off by {off[best]:.0%} of the peak); say --schedule, --total, --warmup and --final"
        )
    also = {
        one.kind
        for one, far in zip(held, off, strict=True)
        if far <= max(off[best], 2e-3) and one.kind != held[best].kind
    }
    return held[best], f"so far the rate could also be {' or '.join(sorted(also))}" if also else ""


def _candidates(total: float, warmup: float) -> list[Schedule]:
    found = [
        Schedule(kind=kind, total=total, warmup=warmup, final=final)
        for kind in ("cosine", "linear")
        for final in (0.0, 0.01, 0.05, 0.1, 0.2)
    ]
    return found + [
        Schedule(kind="wsd", total=total, warmup=warmup, final=final, decay=decay)
        for decay in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
        for final in (0.0, 0.1)
    ]
