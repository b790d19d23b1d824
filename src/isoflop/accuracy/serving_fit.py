"""Constants of inference fitted to measured rows: `pace.toml`, each held near what its mechanism suggests.

A constant is a base by mechanism times ratios by device class, software and era (`isoflop.serving.rates`). Ratios start
at 1 and are held there by their spread: what one class was measured at hardly moves the others, and a class without
rows keeps the base. Sources count evenly. Nothing is fitted to a source or a model by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from isoflop.accuracy.serving_items import predicted
from isoflop.serving.rates import RATIOS, base_key, read_constants
from isoflop.serving.step import Rates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.accuracy.serving_items import Item, Places, Table
    from isoflop.quantity.types import FloatArray
    from isoflop.serving.rates import Constants, Slot

PRIOR = Path(__file__).with_name("priors") / "serving" / "pace.toml"

NOISE = {"tpot": 0.08, "ttft": 0.15, "output_rate": 0.12, "prompt_rate": 0.12, "energy": 0.2, "power": 0.1}
"""Spread of a measured value about a perfect model, in logarithms."""

SOURCE_ROWS = 60.0
"""As how many rows a source counts at most, a quantity."""

ROBUST = 2.0
"""From how many times the noise on a residual counts ever less."""


class Place(NamedTuple):
    """A number that is fitted: an entry of a table of a constant."""

    slot: str
    table: str
    key: str


@dataclass(frozen=True, slots=True)
class Numbers:
    """All numbers that some items depend on: where each stands, its start and spread in logarithms, who uses it.

    `uses` has a row an item and constant: up to five numbers whose sum is the constant's logarithm, filled with the
    last number, which is always 0.
    """

    places: tuple[Place, ...]
    start: FloatArray
    spread: FloatArray
    uses: Places

    def rates(self, vector: FloatArray, chosen: Places | None = None) -> Rates:
        """The constants of every item (or of those chosen) under a vector of numbers."""
        padded = np.append(vector, 0.0)
        uses = self.uses if chosen is None else self.uses[chosen]
        return Rates(*np.exp(padded[uses].sum(axis=2)).T)

    def users(self, number: int) -> Places:
        """Items that depend on a number."""
        return np.flatnonzero((self.uses == number).any(axis=(1, 2)))


def numbers_of(items: Sequence[Item], prior: Constants) -> Numbers:
    """The numbers that these items depend on."""
    known: dict[Place, int] = {}
    uses = np.full((len(items), len(Rates._fields), 1 + len(RATIOS)), -1)
    for row, item in enumerate(items):
        for column, name in enumerate(Rates._fields):
            slot = prior.slots[name]
            wanted = [Place(name, "base", base_key(slot, item.keys))]
            wanted += [Place(name, table, getattr(item.keys, table)) for table in RATIOS if table in slot.spread]
            for depth, place in enumerate(wanted):
                uses[row, column, depth] = known.setdefault(place, len(known))
    uses[uses < 0] = len(known)
    start = [np.log(value_at(prior.slots[place.slot], place)) for place in known]
    spread = [prior.slots[place.slot].spread[place.table] for place in known]
    return Numbers(tuple(known), np.array(start), np.array(spread), uses)


def value_at(slot: Slot, place: Place) -> float:
    """The value of an entry, 1 of a ratio that is not there."""
    table = getattr(slot, place.table)
    return float(table.get(place.key, 1.0))


def residuals(table: Table, found: dict[str, FloatArray]) -> FloatArray:
    """Logarithms of predicted over measured values, a target each."""
    values = [found[target.quantity][target.item] for target in table.targets]
    with np.errstate(all="ignore"):
        left = np.log(np.array(values)) - np.log(table.measured)
    clipped: FloatArray = np.clip(np.nan_to_num(left, nan=5.0, posinf=5.0, neginf=-5.0), -5.0, 5.0)
    return clipped


def weights_of(table: Table, used: FloatArray) -> FloatArray:
    """What each target counts: sources evenly, a quantity; nothing where its item is not used."""
    pairs = [(target.quantity, table.items[target.item].row.source) for target in table.targets]
    inside = [bool(used[target.item]) for target in table.targets]
    counted: dict[tuple[str, str], int] = {}
    for pair, there in zip(pairs, inside, strict=True):
        counted[pair] = counted.get(pair, 0) + there
    return np.array(
        [min(1.0, SOURCE_ROWS / counted[pair]) if there else 0.0 for pair, there in zip(pairs, inside, strict=True)]
    )


def fitted_vector(table: Table, numbers: Numbers, used: FloatArray, rounds: int = 12) -> FloatArray:
    """Gauss-Newton on logarithms with robust weights and priors; slopes are taken again every few rounds."""
    vector, before = numbers.start.copy(), np.inf
    for _ in range(rounds):
        slopes = slopes_at(table, numbers, vector)
        vector, cost = moved(table, numbers, used, vector, slopes)
        if before - cost < 1e-3 * cost:
            break
        before = cost
    return vector


def moved(
    table: Table, numbers: Numbers, used: FloatArray, vector: FloatArray, slopes: FloatArray, rounds: int = 4
) -> tuple[FloatArray, float]:
    """(the vector after a few steps with slopes that stand still, its cost); a step that does not help is shortened.

    Slopes are nearly the same for all folds of a table, which makes a fit without some rows cheap.
    """
    noise = np.array([NOISE[target.quantity] for target in table.targets])
    weights = weights_of(table, used)
    left = residuals(table, predicted(table, numbers.rates(vector)))
    cost = _cost(left, weights, noise, vector, numbers)
    for _ in range(rounds):
        pull = weights / noise**2 / (1 + (left / (ROBUST * noise)) ** 2)
        matrix = slopes.T * pull @ slopes + np.diag(numbers.spread**-2.0)
        side = slopes.T @ (pull * left) + (vector - numbers.start) / numbers.spread**2
        step = np.clip(np.linalg.solve(matrix, side), -0.7, 0.7)
        before = cost
        for share in (1.0, 0.5, 0.25, 0.1, 0.03):
            tried = vector - share * step
            residual = residuals(table, predicted(table, numbers.rates(tried)))
            now = _cost(residual, weights, noise, tried, numbers)
            if now < cost:
                vector, left, cost = tried, residual, now
                break
        if before - cost < 1e-3 * before:
            break
    return vector, cost


def _cost(left: FloatArray, weights: FloatArray, noise: FloatArray, vector: FloatArray, numbers: Numbers) -> float:
    scaled = left / noise
    robust = ROBUST**2 * np.log1p((scaled / ROBUST) ** 2)
    return float((weights * robust).sum() + (((vector - numbers.start) / numbers.spread) ** 2).sum())


def slopes_at(table: Table, numbers: Numbers, vector: FloatArray) -> FloatArray:
    """How each residual goes with each number; only items that depend on a number are computed again."""
    left = residuals(table, predicted(table, numbers.rates(vector)))
    slopes = np.zeros((len(table.targets), len(vector)))
    step = 1e-3
    quantity = [target.quantity for target in table.targets]
    owner = np.array([target.item for target in table.targets])
    for column in range(len(vector)):
        users = numbers.users(column)
        moved = vector.copy()
        moved[column] += step
        found = predicted(table, numbers.rates(moved, users), users)
        position = np.full(len(table.items), -1)
        position[users] = np.arange(len(users))
        rows = np.flatnonzero(position[owner] >= 0)
        with np.errstate(all="ignore"):
            values = np.log([found[quantity[row]][position[owner[row]]] for row in rows])
        changed = np.clip(np.nan_to_num(values - np.log(table.measured[rows]), nan=5.0), -5.0, 5.0)
        slopes[rows, column] = (changed - left[rows]) / step
    return slopes


def constants_of(prior: Constants, numbers: Numbers, vector: FloatArray, said: str) -> Constants:
    """The constants that a vector stands for; ratios that did not move from 1 are left out."""
    plain = msgspec.to_builtins(prior)
    for place, value in zip(numbers.places, np.exp(vector), strict=True):
        plain["slots"][place.slot][place.table][place.key] = float(f"{value:.4g}")
    for slot in plain["slots"].values():
        slot["spread"] = {}
        for name in RATIOS:
            slot[name] = {key: value for key, value in sorted(slot[name].items()) if abs(value - 1) > UNMOVED}
    return msgspec.convert(plain | {"fitted": said}, type(prior))


UNMOVED = 0.002
"""A ratio nearer to 1 than this was not measured."""


def prior() -> Constants:
    """The constants that a fit starts from."""
    return read_constants(PRIOR)
