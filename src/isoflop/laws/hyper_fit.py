"""The law of learning rate and batch from a grid of runs: one bowl whose bottom moves with size and data.

ln(loss) within a cell of equal params and tokens is a parabola in ln(rate) and ln(batch), with one curvature for all
cells and a bottom that moves as powers of params and tokens. That is linear in its constants once each cell has a level
of its own, so there is nothing to start from and no other minimum: the certificate is rank, gradient and curvature.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from isoflop.errors import MissingData, UntrustworthyFit
from isoflop.laws.hyper import HyperParameters, Powers
from isoflop.laws.hyper_cells import Cells, cells_of, within
from isoflop.laws.interface import Convention

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws.checks import Check
    from isoflop.laws.result import Origin
    from isoflop.laws.runs import Runs
    from isoflop.quantity import FloatArray

WITHIN = 0.005
"""Runs this much above the best of their cell are near enough to its bottom for a parabola."""

LOST = 0.001
"""Share of the loss for which the breadth of the bowl is told."""

BatchUnit = Literal["batch_tokens", "batch_sequences"]

COORDINATES = ("ln_rate", "rate_params", "rate_tokens", "ln_batch", "batch_params", "batch_tokens")
"""What is fitted: rate and batch at 1 parameter and 1 token, and their exponents."""

_FEWEST, _HELD = 6, 4  # cells with so many runs near their best
_BOTTOMLESS = 0.05
_CONDITION = 1e7


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperCertificate:
    """Why the bottom is believed.

    `objective` is the sum of squares of ln(loss) about the bowl, `gradient` its largest slope over the length of what
    it is a slope by and of the residuals (no unit), `rank` of `unknowns` are determined, `condition` is that of the
    columns at unit length, `flat` and `steep` the curvatures of the bowl along its axes: both above zero.
    """

    objective: float
    gradient: float
    rank: int
    unknowns: int
    condition: float
    flat: float
    steep: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperFit:
    """The fitted law: constants `at` (see COORDINATES) with draws, and what they rest on.

    `curvature` is of ln(loss) by ln(rate) twice, by both, by ln(batch) twice; `offsets` (cells x 2) say how far the
    bottom of each cell lies from the law in ln(rate) and ln(batch). `resamples` were asked for, `bottomless` of them
    had no bottom and gave no draw; `left_out` names cells whose best run is not inside its grid.
    """

    at: FloatArray
    draws: FloatArray
    batch_unit: BatchUnit
    curvature: tuple[float, float, float]
    offsets: FloatArray
    cells: int
    rows: int
    resamples: int
    bottomless: int
    left_out: tuple[str, ...]
    certificate: HyperCertificate
    origin: Origin
    checks: tuple[Check, ...] = ()

    @property
    def rate(self) -> Powers:
        """The best peak learning rate."""
        return Powers(coefficient=float(np.exp(self.at[0])), params=float(self.at[1]), tokens=float(self.at[2]))

    @property
    def batch(self) -> Powers:
        """The best batch, in `batch_unit`."""
        return Powers(coefficient=float(np.exp(self.at[3])), params=float(self.at[4]), tokens=float(self.at[5]))

    @property
    def law(self) -> HyperParameters:
        """The law as the rest of the house takes it; MissingData where the batch is known in sequences only."""
        if self.batch_unit != "batch_tokens":
            raise MissingData(
                "the batch of this law is in sequences of a length that the runs do not give; fit it again with the"
                " length, for instance --set sequence_length=2048."
            )
        return HyperParameters(
            learning_rate=self.rate, batch_tokens=self.batch, convention=Convention(params=self.origin.counts)
        )

    @property
    def constants(self) -> Mapping[str, float]:
        """The constants as people write them: rate, not ln_rate."""
        return MappingProxyType(dict(zip(_PLAIN, _plain(self.at), strict=True)))

    def interval(self, level: float = 0.8) -> Mapping[str, tuple[float, float]]:
        """Low and high of each constant from the draws."""
        low, high = np.quantile(self.draws, (0.5 - level / 2, 0.5 + level / 2), axis=0)
        return MappingProxyType(dict(zip(_PLAIN, zip(_plain(low), _plain(high), strict=True), strict=True)))

    @property
    def breadth(self) -> tuple[float, float]:
        """The factors in rate and in batch, the other held, that cost a thousandth of the loss."""
        rate, _, batch = self.curvature
        return float(np.exp(np.sqrt(2 * LOST / rate))), float(np.exp(np.sqrt(2 * LOST / batch)))

    def predict_interval(
        self, columns: Mapping[str, FloatArray], level: float = 0.8, rng: np.random.Generator | None = None
    ) -> Mapping[str, tuple[FloatArray, FloatArray, FloatArray]]:
        """Rate and batch that are best for runs of `params` and `tokens`: middle, low, high by name.

        The interval is for where the bottom of a new size lies: doubt of the constants, and the scatter of the cells'
        own bottoms about the law. Neglects drift beyond the runs.
        """
        logs = np.log(np.stack([np.ones_like(columns["params"]), columns["params"], columns["tokens"]]))
        logs[0] = 1.0
        rng = rng or np.random.default_rng(0)
        scatter = self.offsets[rng.integers(0, len(self.offsets), len(self.draws))]
        tails = (0.5 - level / 2, 0.5 + level / 2)
        found = {}
        for place, name in enumerate(("learning_rate", self.batch_unit)):
            part = slice(3 * place, 3 * place + 3)
            middle = self.at[part] @ logs
            low, high = np.quantile(self.draws[:, part] @ logs + scatter[:, place, None], tails, axis=0)
            found[name] = np.exp(middle), np.exp(np.minimum(low, middle)), np.exp(np.maximum(high, middle))
        return MappingProxyType(found)


_PLAIN = tuple(name.removeprefix("ln_") if name.startswith("ln_") else f"{name}_exponent" for name in COORDINATES)


def _plain(at: FloatArray) -> list[float]:
    return [
        float(np.exp(value)) if name.startswith("ln_") else float(value)
        for name, value in zip(COORDINATES, at, strict=True)
    ]


def fit_hyper(runs: Runs, *, near: float = WITHIN, resamples: int = 1000, seed: int = 0) -> HyperFit:
    """Learning rate and batch as powers of params and tokens; whole cells are resampled for the draws.

    Only cells whose best run lies inside the rates and batches that were tried there count; the others are named. Where
    the runs give the batch in sequences and no length of them, so does the law. UntrustworthyFit where no bottom is
    determined.
    """
    unit: BatchUnit = (
        "batch_sequences"
        if "batch_tokens" not in runs.columns and "batch_sequences" in runs.columns
        else "batch_tokens"
    )
    held = cells_of(runs, unit, near)
    _refuse_few(held)
    ones = np.ones(held.count)
    at, bend, certificate = bottom(held, ones)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(held.count, ones / held.count, size=resamples).astype(float)
    drawn = np.array([bottom(held, one)[0] for one in weights]).reshape(-1, 6)
    whole = np.isfinite(drawn).all(axis=1)
    bottomless = int((~whole).sum())
    if not np.isfinite(at).all() or bottomless > _BOTTOMLESS * resamples:
        raise UntrustworthyFit(
            f"the losses near the best of each size do not rise on both sides of one learning rate and batch"
            f"{f' in {bottomless} of {resamples} resamples' if np.isfinite(at).all() else ''}.",
            missing=("runs at rates and batches below and above the best of each size",),
        )
    from isoflop.laws.hyper_checks import checked

    found = HyperFit(
        at=at,
        draws=drawn[whole] if whole.any() else at[None],
        batch_unit=unit,
        curvature=(float(bend[0, 0]), float(bend[0, 1]), float(bend[1, 1])),
        offsets=_offsets(held, at, bend),
        cells=held.count,
        rows=len(held.target),
        resamples=resamples,
        bottomless=bottomless,
        left_out=held.left_out,
        certificate=certificate,
        origin=held.origin,
    )
    return checked(found, held)


def _refuse_few(held: Cells) -> None:
    full = int((np.bincount(held.cell, minlength=held.count) >= _HELD).sum())
    if full < _FEWEST:
        raise UntrustworthyFit(
            f"{full} pairs of params and tokens have their best run inside the rates and batches tried and {_HELD} runs"
            f" within {held.near:.1%} of it; a law takes {_FEWEST}.",
            missing=(
                *held.left_out[:3],
                "grids of learning rate and batch at six sizes and amounts of data, on both sides of the best of each",
            ),
        )
    for name in ("params", "tokens"):
        values = np.unique(np.round(held.logs[name], 2))
        if len(values) < 3:
            raise UntrustworthyFit(
                f"grids at {len(values)} value{'s' if len(values) > 1 else ''} of {name} cannot tell an exponent from a"
                " scale.",
                missing=(f"grids at further {name}, for instance {float(np.exp(values[-1])) * 4:.3g}",),
            )


def bottom(held: Cells, weights: FloatArray) -> tuple[FloatArray, FloatArray, HyperCertificate]:
    """Constants of the bottom (NaN where none is), curvature of the bowl, and the certificate; weights are by cell."""
    logs = held.logs
    middle = {name: float(values.mean()) for name, values in logs.items()}
    size, data, rate, batch = (logs[name] - middle[name] for name in logs)
    features = [0.5 * rate**2, rate * batch, 0.5 * batch**2, rate, rate * size, rate * data]
    features += [batch, batch * size, batch * data]
    root = np.sqrt(weights[held.cell])[:, None]
    design = within(np.stack(features, axis=1), held.cell) * root
    right = (within(held.target[:, None], held.cell) * root)[:, 0]
    lengths = np.sqrt((design**2).sum(axis=0)) + 1e-300
    scaled, _, rank, singular = np.linalg.lstsq(design / lengths, right, rcond=1.0 / _CONDITION)
    found = scaled / lengths
    off = design @ found - right
    slope = np.abs(off @ design / lengths).max() / max(float(np.sqrt((off**2).sum())), 1e-300)
    bend = np.array([[found[0], found[1]], [found[1], found[2]]])
    flat, steep = np.linalg.eigvalsh(bend)
    certificate = HyperCertificate(
        objective=float((off**2).sum()),
        gradient=float(slope),
        rank=int(rank),
        unknowns=len(found),
        condition=float(singular[0] / max(singular[-1], 1e-300)),
        flat=float(flat),
        steep=float(steep),
    )
    if flat <= 1e-9 * abs(steep) or rank < len(found):
        return np.full(6, np.nan), bend, certificate
    moves = -np.linalg.solve(bend, found[3:].reshape(2, 3))
    levels = np.array([middle["learning_rate"], middle["batch"]]) + moves[:, 0]
    levels -= moves[:, 1:] @ np.array([middle["params"], middle["tokens"]])
    return np.column_stack([levels, moves[:, 1:]]).ravel(), bend, certificate


def _offsets(held: Cells, at: FloatArray, bend: FloatArray) -> FloatArray:
    """How far the bottom of each cell lies from the law, in ln(rate) and ln(batch), the bowl's curvature held.

    A cell's slope is worth its own curvature against the noise of its few runs: each is drawn towards the law by that.
    """
    size, data = held.logs["params"], held.logs["tokens"]
    x = held.logs["learning_rate"] - (at[0] + at[1] * size + at[2] * data)
    y = held.logs["batch"] - (at[3] + at[4] * size + at[5] * data)
    bowl = 0.5 * (bend[0, 0] * x**2 + 2 * bend[0, 1] * x * y + bend[1, 1] * y**2)
    off = within((held.target - bowl)[:, None], held.cell)[:, 0]
    plane = within(np.stack([x, y], axis=1), held.cell)
    noise = float(np.mean(off**2))
    found = np.zeros((held.count, 2))
    for cell in range(held.count):
        rows = held.cell == cell
        own = plane[rows]
        # A slope of the size of the bowl's own is what the prior expects: half a unit in ln(rate) and ln(batch).
        prior = noise * np.linalg.inv(0.25 * bend @ bend.T)
        slope = np.linalg.solve(own.T @ own + prior, own.T @ off[rows])
        found[cell] = -np.linalg.solve(bend, slope)
    return found
