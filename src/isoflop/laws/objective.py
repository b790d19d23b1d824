"""What a fit minimises: a weighted sum of losses of residuals r = ln(law) - ln(measured)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from isoflop.errors import BadInput

if TYPE_CHECKING:
    from isoflop.quantity import FloatArray

Kind = Literal["log-huber", "soft-l1", "squared", "asymmetric"]
KINDS: tuple[Kind, ...] = ("log-huber", "soft-l1", "squared", "asymmetric")

DELTA = 1e-3
"""Hoffmann et al.'s: beyond 0.1 % of loss a residual counts by its size, no longer by its square."""

OUTSIDE = 1e-3
"""Share of the quadratic above Huber's straight part that counts as curvature there: none leaves no step to take."""

OVER = 10.0
"""How many times dearer an asymmetric fit takes a law above a run than one below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """Huber's loss of log residuals with corner `delta`; `over` multiplies rows where the law lies above the run.

    "soft-l1" rounds the corner: delta^2 (sqrt(1 + (r / delta)^2) - 1), which is SciPy's `soft_l1` with f_scale = delta.
    "squared" is Huber's with its corner at infinity. "asymmetric" (over > 1) asks for the lower envelope of the runs
    and not for their middle: its E is lower, and the two must not be compared.
    """

    kind: Kind = "log-huber"
    delta: float = DELTA
    over: float = 1.0

    @classmethod
    def of(cls, kind: str, delta: float = DELTA) -> Self:
        """The objective of that name; soft_l1, as SciPy writes it, is soft-l1."""
        kind = kind.replace("_", "-")
        if kind not in KINDS:
            raise BadInput(f"no loss '{kind}'; known are {', '.join(KINDS)}")
        if not delta > 0 or not np.isfinite(delta):
            raise BadInput(f"delta must be positive and finite; {delta:g} was given")
        corner = float("inf") if kind == "squared" else delta
        return cls(kind=kind, delta=corner, over=OVER if kind == "asymmetric" else 1.0)

    def __str__(self) -> str:
        return self.kind if self.kind == "squared" else f"{self.kind} at {self.delta:g}"

    @property
    def soft(self) -> bool:
        """Whether the corner is rounded."""
        return self.kind == "soft-l1"

    @property
    def sharp(self) -> bool:
        """Whether there is a corner without curvature beyond it."""
        return not self.soft and bool(np.isfinite(self.delta))

    def wider(self, factor: float) -> Self:
        """The same with its corner `factor` times as far out."""
        return replace(self, delta=self.delta * factor)

    def terms(self, residual: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Loss, its slope and its curvature at each residual."""
        if self.delta == float("inf"):
            value, slope, curvature = 0.5 * residual**2, residual, np.ones_like(residual)
        elif self.soft:
            ratio = residual / self.delta
            root = np.sqrt(1.0 + ratio**2)
            # delta^2 (root - 1) without the cancellation for small residuals.
            value, slope, curvature = residual**2 / (root + 1.0), residual / root, root**-3.0
        else:
            slope = np.clip(residual, -self.delta, self.delta)
            value = slope * (residual - 0.5 * slope)
            size = np.abs(residual)
            curvature = np.where(size <= self.delta, 1.0, OUTSIDE * self.delta / np.maximum(size, self.delta))
        if self.over == 1.0:
            return value, slope, curvature
        factor = np.where(residual > 0, self.over, 1.0)
        return value * factor, slope * factor, curvature * factor
