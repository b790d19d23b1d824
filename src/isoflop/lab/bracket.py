"""Whether the runs at one budget enclose a best size, seeds and their noise taken into account; and what to run next.

A bottom counts as enclosed where the seed-averaged loss has its lowest point inside, and rises on both sides of it by
more than twice the noise of that difference. Else no exponent follows from this budget, whatever a parabola says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Side = Literal["enclosed", "smaller", "larger", "both"]
"""Where further sizes are needed."""

SIGNIFICANT = 2.0
"""Standard errors by which a side must rise."""

FEWEST = 5
"""Sizes at a budget, so that a curve through them has something left to be wrong about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """One budget: seed-averaged losses by parameters, their noise (of one run, nats), and what is missing.

    `seeds`: the fewest runs that a mean is of.
    """

    budget: float
    params: tuple[int, ...]
    losses: tuple[float, ...]
    noise: float
    seeds: int
    missing: Side
    why: str

    @property
    def enclosed(self) -> bool:
        """Whether the best size lies inside."""
        return self.missing == "enclosed"


def bracket(budget: float, losses: Mapping[int, Sequence[float]], *, noise: float | None = None) -> Bracket:
    """Judge the runs of one budget: final losses of all seeds by parameters; those that diverged are infinite.

    `noise`: the spread of one run where it is known from elsewhere (other budgets); else from the seeds here, and from
    a cubic through the sizes where there is one seed each.
    """
    params = tuple(sorted(losses))
    finite = {size: [one for one in losses[size] if np.isfinite(one)] for size in params}
    mean = np.array([np.mean(finite[size]) if finite[size] else np.inf for size in params])
    many = np.array([max(len(finite[size]), 1) for size in params])
    spread = noise if noise is not None else spread_of(finite)
    held = {"budget": budget, "params": params, "losses": tuple(float(one) for one in mean), "noise": spread}
    held |= {"seeds": int(many.min())}

    def said(missing: Side, why: str) -> Bracket:
        return Bracket(**held, missing=missing, why=why)  # type: ignore[arg-type]

    if not np.isfinite(mean).any():
        return said("both", "every run diverged")
    lowest = int(np.argmin(mean))
    error = spread * np.sqrt(1 / many + 1 / many[lowest])
    rises = mean - mean[lowest] > SIGNIFICANT * error
    left, right = bool(rises[:lowest].any()), bool(rises[lowest + 1 :].any())
    if left and right:
        if len(params) < FEWEST:
            middle = lowest < len(params) / 2
            return said("smaller" if middle else "larger", f"{len(params)} sizes, {FEWEST} are needed")
        return said("enclosed", "")
    if not left and not right:
        return said("both", f"no size stands out of the noise of {spread:.3f} nats a run")
    side: Side = "larger" if left else "smaller"
    return said(side, f"the loss does not rise towards {side} sizes by more than twice its noise")


def spread_of(losses: Mapping[int, Sequence[float]]) -> float:
    """The standard deviation of one run: pooled over seeds, or from a cubic in ln(params) where there are none."""
    groups = [np.asarray(one, dtype=float) for one in losses.values() if len(one) > 1]
    degrees = sum(len(one) - 1 for one in groups)
    if degrees:
        return float(np.sqrt(sum(((one - one.mean()) ** 2).sum() for one in groups) / degrees))
    sizes = np.log([size for size, held in losses.items() if held])
    values = np.array([held[0] for held in losses.values() if held])
    if len(sizes) < 6:
        return 0.0
    left = values - np.polyval(np.polyfit(sizes - sizes.mean(), values, 3), sizes - sizes.mean())
    return float(np.sqrt((left**2).sum() / (len(sizes) - 4)))
