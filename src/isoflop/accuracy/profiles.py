"""Profiles of devices fitted to measured rows: what `make profiles` and `isoflop calibrate` do.

Constants that belong to software (element-wise work, launches, overlap) are one for all devices, those of silicon
(products, attention, links) one for each class. Each has a prior: a value that the mechanism suggests, and how far
measurements may move it. Rows count evenly by source, a source as much as a few independent rows, because what is
wrong about one of its rows is mostly wrong about all. Nothing is fitted to a source or a model by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from isoflop.accuracy.runs import Contradiction, cases_of
from isoflop.accuracy.times import chip_of_row, reading_spread
from isoflop.errors import IsoflopError
from isoflop.kernel import Profile, profile_of, read_profile
from isoflop.training.legal import faults
from isoflop.training.step import step_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from isoflop.accuracy.rows import Row
    from isoflop.accuracy.shapes import Known
    from isoflop.kernel import Chip
    from isoflop.quantity.types import FloatArray
    from isoflop.training import Layout, Run

NOISE = 0.06
"""Spread of a measured step about a perfect model, in logarithms (releases of the same software differ by so much)."""

SOURCE_ROWS = 8.0
"""As how many independent rows a source counts, however many it has."""

ROBUST = 2.0
"""From how many times the noise on a residual counts ever less (as with Student's t)."""


class Constant(NamedTuple):
    """A constant of a profile: where it stands, its prior spread in logarithms, its bounds; shared by all profiles."""

    path: str
    spread: float
    low: float
    high: float
    shared: bool = True


SILICON = (
    Constant("matmul.16.efficiency", 0.15, 0.4, 0.92, shared=False),
    Constant("matmul.16.shape", 0.4, 50, 1200, shared=False),
    Constant("matmul.8.efficiency", 0.2, 0.3, 0.92, shared=False),
    Constant("matmul.8.shape", 0.4, 50, 1500, shared=False),
    Constant("matmul.4.efficiency", 0.25, 0.2, 0.9, shared=False),
    Constant("matmul.4.shape", 0.4, 50, 2500, shared=False),
    Constant("matmul.16.wave", 0.3, 2e5, 1e7, shared=False),
    Constant("matmul.8.wave", 0.3, 2e5, 1e7, shared=False),
    Constant("matmul.4.wave", 0.3, 2e5, 1e7, shared=False),
    Constant("attention.first", 0.25, 0.05, 0.7, shared=False),
    Constant("attention.second", 0.25, 0.1, 0.75, shared=False),
    Constant("attention.third", 0.2, 0.15, 0.8, shared=False),
    Constant("link.efficiency", 0.1, 0.3, 0.95, shared=False),
)
SOFTWARE = (
    Constant("attention.unfused", 0.4, 2, 30),
    Constant("elementwise.fused", 0.3, 0.7, 4),
    Constant("elementwise.compiled", 0.3, 0.7, 4),
    Constant("elementwise.eager", 0.3, 1, 8),
    Constant("elementwise.loss", 0.3, 0.5, 6),
    Constant("elementwise.cast", 0.4, 1, 16),
    Constant("link.latency", 0.5, 1e-6, 1e-5),
    Constant("network.latency", 0.5, 3e-6, 5e-5),
    Constant("network.efficiency", 0.15, 0.3, 0.95),
    Constant("launch.fused", 0.4, 1e-4, 4e-3),
    Constant("launch.compiled", 0.4, 1e-4, 4e-3),
    Constant("launch.eager", 0.4, 2e-4, 6e-3),
    Constant("launch.experts", 0.4, 1e-5, 2e-3),
    Constant("launch.step", 0.5, 1e-3, 5e-2),
    Constant("overlap.tensor", 0.4, 0.05, 1),
    Constant("launch.product", 0.4, 1e-6, 1e-5),
    Constant("overlap.tensor_alone", 0.1, 0.7, 2),
    Constant("overlap.gradients", 0.5, 0.01, 1),
    Constant("overlap.sharded", 0.5, 0.01, 0.6),
    Constant("overlap.sharded_alone", 0.3, 0.05, 1),
    Constant("overlap.context", 0.5, 0.02, 1),
    Constant("overlap.experts", 0.4, 0.3, 3),
    Constant("overlap.experts_once", 0.3, 0.2, 3),
    Constant("overlap.experts_hidden", 0.5, 0.05, 1),
    Constant("overlap.pipeline", 0.5, 0.02, 1.2),
    Constant("expert_matmul", 0.15, 0.3, 1),
    Constant("expert_low", 0.15, 0.3, 1),
    Constant("power", 0.3, 0.2, 1),
)
YOUNG = Constant("young", 0.06, 1, 1.5, shared=False)
CONSTANTS = (*SILICON, YOUNG, *SOFTWARE)


@dataclass(frozen=True, slots=True)
class Item:
    """A measured row that a profile predicts; `open` is how far, in logarithms, its other readings may be."""

    id: str
    source: str
    run: Run
    layout: Layout
    chip: Chip
    profile: str
    measured: float
    open: float = 0.0


PRIORS = Path(__file__).with_name("priors")


def priors() -> dict[str, Profile]:
    """The profiles that a fit starts from and stays near."""
    return {path.stem: read_profile(path) for path in sorted(PRIORS.glob("*.toml"))}


def items_of(rows: Iterable[Row], library: tuple[Known, ...]) -> list[Item]:
    """The rows with a measured step time that can be predicted, in their likeliest reading."""
    found = []
    for row in rows:
        if row.fault or row.measured.step_time is None:
            continue
        try:
            cases = cases_of(row.settings, library).cases
            chip = chip_of_row(row.settings.gpu, row.settings.gpus_per_node)
            legal = [case for case in cases if not faults(case.run, case.layout)]
        except (IsoflopError, Contradiction):
            continue
        if legal:
            name, profile = profile_of(chip)
            spread = max(reading_spread(legal, chip, profile))
            found.append(Item(row.id, row.source, *legal[0], chip, name, row.measured.step_time, spread))
    return found


def residuals(items: Sequence[Item], profiles: Mapping[str, Profile]) -> FloatArray:
    """Logarithms of predicted over measured step times."""
    times = [float(step_time(one.run, one.layout, one.chip, profiles[one.profile]).total.item()) for one in items]
    return np.log(times) - np.log([one.measured for one in items])


def weights_of(items: Sequence[Item]) -> FloatArray:
    """What each row counts, so that sources count evenly."""
    sources = [one.source for one in items]
    return np.array([min(1.0, SOURCE_ROWS / sources.count(source)) for source in sources])


class _Place(NamedTuple):
    """A number that is fitted: a constant, of one profile or of all."""

    constant: Constant
    profile: str | None


class _Numbers:
    """Profiles as a vector of logarithms and back."""

    def __init__(self, base: Mapping[str, Profile], used: set[str], constants: Sequence[Constant]) -> None:
        self.plain = {name: msgspec.to_builtins(profile) for name, profile in base.items()}
        self.places = [
            _Place(constant, name)
            for constant in constants
            for name in ([None] if constant.shared else sorted(used))
            if name is None or _has(self.plain[name], constant.path)
        ]
        first = min(used)
        values = [_get(self.plain[place.profile or first], place.constant.path) for place in self.places]
        self.start = np.log(values)
        self.bounds = (
            np.log([place.constant.low for place in self.places]) - 1e-9,
            np.log([place.constant.high for place in self.places]) + 1e-9,
        )
        self.start = np.clip(self.start, *self.bounds)
        self.spread = np.array([place.constant.spread for place in self.places])

    def profiles(self, vector: FloatArray) -> dict[str, Profile]:
        """The profiles that a vector stands for."""
        made = {name: msgspec.to_builtins(msgspec.convert(plain, Profile)) for name, plain in self.plain.items()}
        for place, value in zip(self.places, np.exp(vector), strict=True):
            for name in made if place.profile is None else (place.profile,):
                _set(made[name], place.constant.path, float(value))
        return {name: msgspec.convert(plain, Profile) for name, plain in made.items()}


def fitted(
    items: Sequence[Item],
    base: Mapping[str, Profile],
    constants: Sequence[Constant] = CONSTANTS,
    *,
    noise: float = NOISE,
    weights: FloatArray | None = None,
    rounds: int = 8,
) -> dict[str, Profile]:
    """Profiles that bring the items' residuals down, each constant held near its value in `base`.

    Gauss-Newton on logarithms with robust weights; the step is halved where it does not help.
    """
    numbers = _Numbers(base, {one.profile for one in items}, constants)
    weights = (weights_of(items) if weights is None else weights) / noise**2
    place = numbers.start.copy()
    found = residuals(items, numbers.profiles(place))
    cost = _cost(found, weights, noise, place, numbers)
    for _ in range(rounds):
        slopes = _slopes(items, numbers, place, found)
        pull = weights / (1 + (found / (ROBUST * noise)) ** 2)
        left = slopes.T * pull @ slopes + np.diag(numbers.spread**-2.0)
        right = slopes.T @ (pull * found) + (place - numbers.start) / numbers.spread**2
        step = np.linalg.solve(left, right)
        before = cost
        for share in (1.0, 0.5, 0.25, 0.1):
            tried = np.clip(place - share * np.clip(step, -0.5, 0.5), *numbers.bounds)
            residual = residuals(items, numbers.profiles(tried))
            now = _cost(residual, weights, noise, tried, numbers)
            if now < cost:
                place, found, cost = tried, residual, now
                break
        if before - cost < 1e-3 * before:
            break
    return numbers.profiles(place)


def _cost(found: FloatArray, weights: FloatArray, noise: float, place: FloatArray, numbers: _Numbers) -> float:
    scale = ROBUST * noise
    robust = scale**2 * np.log1p((found / scale) ** 2)
    return float((weights * robust).sum() + (((place - numbers.start) / numbers.spread) ** 2).sum())


def _slopes(items: Sequence[Item], numbers: _Numbers, place: FloatArray, found: FloatArray) -> FloatArray:
    """How each residual goes with each number."""
    slopes = np.zeros((len(items), len(place)))
    step = 1e-3
    for column, (_, profile) in enumerate(numbers.places):
        moved = place.copy()
        moved[column] += step
        rows = [row for row, one in enumerate(items) if profile in {None, one.profile}]
        changed = residuals([items[row] for row in rows], numbers.profiles(moved))
        slopes[rows, column] = (changed - found[rows]) / step
    return slopes


def _get(plain: Mapping[str, object], path: str) -> float:
    value: object = plain
    for key in path.split("."):
        assert isinstance(value, dict), path
        value = value[key]
    assert isinstance(value, int | float), path
    return float(value)


def _has(plain: Mapping[str, object], path: str) -> bool:
    group = path.split(".")
    table = plain.get(group[0])
    return group[0] != "matmul" or (isinstance(table, dict) and group[1] in table)


def _set(plain: dict[str, object], path: str, value: float) -> None:
    *groups, last = path.split(".")
    table = plain
    for key in groups:
        inner = table[key]
        assert isinstance(inner, dict), path
        table = inner
    table[last] = value
