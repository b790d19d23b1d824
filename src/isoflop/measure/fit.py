"""From measurements to the constants of a profile, and how far the profile is off on steps it was not made from.

Products, attention and the optimizer follow from single operations; element-wise work, launches and the loss from a few
training steps, as those of real layers, by least squares in logarithms held near what is usual.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from isoflop.errors import MissingData
from isoflop.kernel import Profile
from isoflop.measure.runs import layout_of, run_of
from isoflop.training.step import step_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.kernel import Chip
    from isoflop.measure.clock import Measured
    from isoflop.measure.machine import Machine
    from isoflop.quantity.types import FloatArray

GROUPS = {"bf16": "16", "fp16": "16", "fp8": "8", "tf32": "tf32", "fp32": "fp32"}
"""Formats that are measured -> the class of formats in a profile; of two of one class the first of `FORMS` wins."""

HOST_BOUND = 4e-5
"""Seconds under which the start of a product by Python decides on a GPU, so that it says nothing of the chip."""

LEAST_SIDE = 64
"""Sides of products from which the form of `kernel.matmul_time` is meant to hold."""

LEAST_SPREAD = 1.06
"""Factor that the spread of a measured profile does not fall below."""


class Constant(NamedTuple):
    """A number of a profile that steps decide: its path, and how far (a spread in logarithms) they may move it."""

    path: str
    spread: float


STEP_CONSTANTS = (
    Constant("elementwise.native", 0.7),
    Constant("elementwise.eager", 0.7),
    Constant("elementwise.loss", 0.5),
    Constant("launch.eager", 1.0),
    Constant("launch.step", 1.0),
    Constant("pace", 0.05),
)
NOISE = 0.03
"""Spread of a measured step about a perfect model, in logarithms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A profile and what it stands on; `left` are residuals of the steps that it was fitted to, in logarithms."""

    profile: Profile
    measured: tuple[str, ...]
    missing: tuple[str, ...]
    left: tuple[float, ...] = ()


def fit_profile(found: Sequence[Measured], chip: Chip, base: Profile, machine: Machine) -> Fitted:
    """The profile that measurements make of `base`; what was not measured stays as it is there, and is named."""
    plain: dict[str, object] = msgspec.to_builtins(base)
    said, missing = [], []
    for name, part in (("products", _products), ("attention", _attention), ("optimizer", _optimizer)):
        changed = part([one for one in found if one.timing is not None], chip, base)
        if changed:
            plain = _merged(plain, changed)
            said.append(name)
        else:
            missing.append(name)
    plain |= {"pace": 1.0, "young": 1.0, "architectures": [], "title": f"{machine.name}, measured {machine.date}"}
    made = msgspec.convert(plain, Profile)
    steps = [one for one in found if one.what == "step" and one.timing is not None]
    left: tuple[float, ...] = ()
    if len(steps) >= 3:
        made, left = _fit_steps(steps, chip, made)
        said.append("steps")
    else:
        missing.append("element-wise work, loss and launches (fewer than three training steps)")
    spread = base.spread if missing else max(LEAST_SPREAD, float(np.exp(2 * np.std([*left, NOISE, -NOISE]))))
    fitted = f"measured on {machine.name}, {machine.date}: {', '.join(said) or 'nothing'}"
    fitted += f"; not measured, as in '{base.title}': {', '.join(missing)}" if missing else ""
    made = msgspec.structs.replace(made, spread=round(spread, 3), fitted=fitted)
    return Fitted(profile=made, measured=tuple(said), missing=tuple(missing), left=left)


def rates_of(found: Sequence[Measured]) -> dict[str, tuple[float, float]]:
    """The fastest product of each format [FLOP/s], and its spread as a share."""
    best: dict[str, tuple[float, float]] = {}
    for one in found:
        if one.what == "product" and one.timing is not None:
            rate = one.figures["flops"] / one.timing.seconds
            if rate > best.get(str(one.settings["form"]), (0.0, 0.0))[0]:
                best[str(one.settings["form"])] = (rate, one.timing.spread)
    return best


def bandwidth_of(found: Sequence[Measured]) -> tuple[float, float] | None:
    """The rate of the largest copy, read and written [byte/s], and its spread as a share; None without one."""
    copies = [one for one in found if one.what == "copy" and one.timing is not None]
    if not copies:
        return None
    largest = max(copies, key=lambda one: one.figures["bytes"])
    assert largest.timing is not None
    return largest.figures["bytes"] / largest.timing.seconds, largest.timing.spread


def _products(found: Sequence[Measured], chip: Chip, base: Profile) -> dict[str, object]:
    """Efficiency, shape and wave of each class of formats."""
    made: dict[str, object] = {}
    forms = {str(one.settings["form"]) for one in found if one.what == "product"}
    for form in sorted(forms, key=FORMS.index):
        group = GROUPS[form]
        rows = [one for one in found if one.what == "product" and one.settings["form"] == form and _says(one, chip)]
        if group in made or len(rows) < 3 or not any(name == group for name, _ in chip.rates):
            continue
        made[group] = _form(rows, chip.rate(group), base.launch.product)
    return {"matmul": made} if made else {}


FORMS = ("bf16", "fp16", "fp8", "tf32", "fp32")


def _says(one: Measured, chip: Chip) -> bool:
    """Whether a product is large enough to say something of the chip."""
    assert one.timing is not None
    sides = min(one.number("m"), one.number("n"), one.number("k"))
    return sides >= LEAST_SIDE and (one.timing.seconds >= HOST_BOUND or chip.architecture == "CPU")


def _form(rows: Sequence[Measured], peak: float, wait: float) -> dict[str, float]:
    """The constants of `kernel.Format` that fit products best, none below zero: least squares of relative times."""
    m, n, k = (np.array([one.number(side) for one in rows]) for side in "mnk")
    time = np.array([one.timing.seconds for one in rows if one.timing is not None])
    target = np.maximum((time - wait) * peak / (2 * m * n * k), 1e-6)
    parts = np.stack([np.ones_like(m), 1 / m + 1 / n + 1 / k, (m + n + k) / (m * n * k) / 3], axis=1)
    scaled = parts / target[:, None]
    best, cost = np.array([1.0, 0.0, 0.0]), np.inf
    for size in (1, 2, 3):
        for chosen in combinations(range(3), size):
            if 0 not in chosen:
                continue
            values = np.zeros(3)
            values[list(chosen)] = _robust(scaled[:, list(chosen)])
            left = float(np.abs(scaled @ values - 1).sum())
            if values.min() >= 0 and values[0] > 0 and left < cost:
                best, cost = values, left
    return {"efficiency": float(min(2.0, 1 / best[0])), "shape": float(best[1]), "wave": float(best[2])}


def _robust(scaled: FloatArray) -> FloatArray:
    """Least absolute deviations from 1, by reweighting."""
    weights = np.ones(len(scaled))
    values: FloatArray = np.zeros(scaled.shape[1])
    for _ in range(30):
        root = np.sqrt(weights)
        values = np.asarray(np.linalg.lstsq(scaled * root[:, None], root, rcond=None)[0], dtype=np.float64)
        weights = 1 / np.maximum(np.abs(scaled @ values - 1), 0.01)
    return values


_GENERATIONS = {"flash": "second", "cudnn": "third", "efficient": "first", "": "second"}


def _attention(found: Sequence[Measured], chip: Chip, base: Profile) -> dict[str, object]:
    """Shares of the peak by generation of kernels, and backward over forward."""
    del base
    shares: dict[str, list[float]] = {}
    backward: list[float] = []
    for one in found:
        if one.what != "attention" or one.number("sequence") < 512:
            continue
        assert one.timing is not None
        width = one.number("head_width")
        narrow = (width + 32) / width * 128 / 160
        rate = one.figures["flops"] * narrow / one.timing.seconds
        shares.setdefault(_GENERATIONS[str(one.settings["kernels"])], []).append(rate)
        backward.append(one.figures["both"] / one.timing.seconds - 1)
        group = GROUPS[str(one.settings["form"])]
    if not shares:
        return {}
    made = {name: float(np.median(rates)) / chip.rate(group) for name, rates in shares.items()}
    if chip.architecture == "CPU":
        made = dict.fromkeys(("first", "second", "third"), made["second"])
    return {"attention": {**made, "backward": float(np.median(backward))}}


def _optimizer(found: Sequence[Measured], chip: Chip, base: Profile) -> dict[str, object]:
    """How much longer the optimizer takes than its bytes."""
    del base
    ratios = [
        one.timing.seconds * chip.bandwidth / one.figures["bytes"]
        for one in found
        if one.what == "optimizer" and one.timing is not None
    ]
    return {"optimizer": float(np.median(ratios))} if ratios else {}


def predicted(one: Measured, chip: Chip, profile: Profile) -> float:
    """Seconds of a training step that was measured, as the step model says."""
    return float(step_time(run_of(one.settings), layout_of(one.settings), chip, profile).total.item())


def _fit_steps(steps: Sequence[Measured], chip: Chip, start: Profile) -> tuple[Profile, tuple[float, ...]]:
    """Gauss-Newton on the logarithms of `STEP_CONSTANTS`."""
    plain = msgspec.to_builtins(start)
    begin = np.log([max(_get(plain, one.path), 1e-7) for one in STEP_CONSTANTS])
    widths = np.array([one.spread for one in STEP_CONSTANTS])
    target = np.log([one.timing.seconds for one in steps if one.timing is not None])

    def profile_at(place: FloatArray) -> Profile:
        return _with(plain, {one.path: value for one, value in zip(STEP_CONSTANTS, np.exp(place), strict=True)})

    def left_at(place: FloatArray) -> FloatArray:
        made = profile_at(place)
        return np.log([predicted(one, chip, made) for one in steps]) - target

    place = begin.copy()
    for _ in range(12):
        left = left_at(place)
        slopes = np.stack([(left_at(place + shift) - left) / 1e-3 for shift in 1e-3 * np.eye(len(place))], axis=1)
        weights = 1 / (NOISE**2 * (1 + (left / (3 * NOISE)) ** 2))
        matrix = slopes.T * weights @ slopes + np.diag(widths**-2.0)
        step = np.linalg.solve(matrix, slopes.T @ (weights * left) + (place - begin) / widths**2)
        place = place - np.clip(step, -0.7, 0.7)
        if float(np.abs(step).max()) < 1e-3:
            break
    return profile_at(place), tuple(float(value) for value in left_at(place))


def _with(plain: dict[str, object], changes: dict[str, float]) -> Profile:
    made = plain
    for path, value in changes.items():
        table, _, name = path.rpartition(".")
        made = _merged(made, {table: {name: float(value)}} if table else {name: float(value)})
    return msgspec.convert(made, Profile)


def _get(plain: dict[str, object], path: str) -> float:
    value: object = plain
    for key in path.split("."):
        assert isinstance(value, dict)
        value = value[key]
    assert isinstance(value, int | float)
    return float(value)


def _merged(base: dict[str, object], changes: dict[str, object]) -> dict[str, object]:
    found = dict(base)
    for name, value in changes.items():
        own = found.get(name)
        found[name] = _merged(own, value) if isinstance(own, dict) and isinstance(value, dict) else value
    return found


def chip_with(chip: Chip, profile: Profile) -> Chip:
    """The chip with a profile of its own. Raises: MissingData where it has no rates."""
    if not chip.rates:
        raise MissingData(f"no product ran on {chip.name}, so it has no peak rate and no profile")
    return replace(chip, own=profile)
