"""Models and devices by the names that rows of serving give them; something like them in the last resort, said so."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from isoflop.accuracy.state_models import Found, model_of
from isoflop.errors import IsoflopError, MissingData, UnknownName
from isoflop.hardware import device
from isoflop.model import counts, describe
from isoflop.model.parts import Mlp, Moe
from isoflop.model.spec import Group
from isoflop.serving.memory import capacity_of

if TYPE_CHECKING:
    from isoflop.accuracy.serving_rows import ServingSettings
    from isoflop.hardware import Device
    from isoflop.model.names import Description
    from isoflop.model.spec import ModelSpec


class Notes:
    """What was assumed on the way, and how far off that may make the answer."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.wide = 1.0

    def add(self, text: str, wide: float = 1.0) -> None:
        """Something assumed, which widens intervals by a factor."""
        self.said.append(text)
        self.wide = float(np.exp(np.hypot(np.log(self.wide), np.log(wide))))


_MIXTURE = re.compile(r"(\d+(?:\.\d+)?)b[-_ ]?a(\d+(?:\.\d+)?)b", re.IGNORECASE)
_SIZE = re.compile(r"(?<![\d.a-z])(\d+(?:\.\d+)?)\s*b(?![a-z])", re.IGNORECASE)


@lru_cache(maxsize=512)
def _sized(name: str) -> Description | None:
    """A shape of the size in a name ("Qwen3.6-27B"); a mixture of experts where it has an active size ("30B-A3B")."""
    mixture, plain = _MIXTURE.search(name), _SIZE.search(name)
    if mixture is not None and float(mixture[2]) < float(mixture[1]):
        return describe(_mixture(float(mixture[1]) * 1e9, float(mixture[2]) * 1e9))
    return describe(f"{plain[1]}B") if plain else None


MIXED = 8
"""Experts of a layer that a token passes, in a mixture of which only sizes are known."""


def _mixture(params: float, active: float) -> ModelSpec:
    """A dense model of the active size whose feed-forward parts are cut into experts, and so many more of them."""
    dense = describe(active).spec
    counted = counts(dense)
    layer = dense.stack.groups[0].layer
    assert isinstance(layer.mlp, Mlp)
    inner = 3 * dense.width * layer.mlp.width * dense.stack.layers
    experts = max(MIXED, round(MIXED * (params - counted.params + inner) / inner))
    part = Moe(experts=experts, active=MIXED, expert=replace(layer.mlp, width=max(layer.mlp.width // MIXED, 1)))
    group = Group(dense.stack.layers, replace(layer, mlp=part))
    return replace(dense, name=f"{params / 1e9:g}B-A{active / 1e9:g}B", stack=replace(dense.stack, groups=(group,)))


def model_in(row: ServingSettings, library: dict[str, Description], notes: Notes) -> Found:
    """The model of a name; in the last resort a shape of the size that the name says."""
    try:
        found = model_of(row.model, row.model_family, library)
    except MissingData:
        for name in (row.model, row.model_family):
            sized = _sized(name)
            if sized is not None:
                notes.add(f"the shape of {name}: {sized.spec.name}, by its size alone", 1.5)
                return Found(sized, 0.0)
        if not row.model:
            raise
        notes.add(f"the size of {row.model[:40]}: 8B", 3.0)
        return Found(describe("8B"), 0.0)
    for text in found.assumed:
        notes.add(text, 1.1)
    return found


USUAL_DEVICE = "rtx-4090"
"""Taken for a row that names none: consumer cards run what says so little."""
USUAL_SERVER = "h100"
"""Taken for a name that is not known, but where llama.cpp runs."""


_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*gi?b\b", re.IGNORECASE)
_BUILT = re.compile(r"\d+[- ]cores?\b|\b[cg]pu\b", re.IGNORECASE)

USUAL_MEMORY = 512e9
"""Bytes of a host that holds as many as were bought."""


@dataclass(frozen=True, slots=True)
class Chips:
    """A device, how many of it a row counts as one, and its memory where the device's own is not meant."""

    device: Device
    boards: int
    memory: float = 0.0


def device_in(row: ServingSettings, notes: Notes) -> Chips:
    """The device that a row names, or what stands in for it."""
    boards = 2 if re.search(r"\bdual\b", row.gpu.lower()) else 1
    if not row.gpu and row.gpu_family:
        notes.add(f"the device: {row.gpu_family[:40]}, by its family", 1.1)
        return device_in(msgspec.structs.replace(row, gpu=row.gpu_family), notes)
    if not row.gpu:
        notes.add(f"the device: {USUAL_DEVICE}", 2.0)
        return Chips(device(USUAL_DEVICE), boards)
    try:
        chip = device(row.gpu)
    except (IsoflopError, UnknownName):
        return _like_it(row, boards, notes)
    try:
        capacity_of(chip)
    except MissingData:
        notes.add(f"{USUAL_MEMORY / 1e9:.0f} GB of memory")
        return Chips(chip, boards, USUAL_MEMORY)
    return Chips(chip, boards)


def _like_it(row: ServingSettings, boards: int, notes: Notes) -> Chips:
    """The same chip with other memory or fewer cores; in the last resort a usual one."""
    size = _MEMORY.search(row.gpu)
    bare = _BUILT.sub(" ", _MEMORY.sub(" ", row.gpu))
    try:
        chip = device(bare)
    except (IsoflopError, UnknownName):
        if row.gpu_family not in {"", row.gpu}:
            notes.add(f"{row.gpu_family[:40]} for '{row.gpu[:40]}', which is not known", 1.3)
            return device_in(msgspec.structs.replace(row, gpu=row.gpu_family), notes)
        usual = USUAL_DEVICE if "llama.cpp" in row.framework.lower() else USUAL_SERVER
        notes.add(f"{usual} for '{row.gpu[:40]}', which is not known", 3.0)
        return Chips(device(usual), boards)
    notes.add(f"{chip.name} for '{row.gpu[:40]}'", 1.2)
    share = capacity_of(chip) / chip.memory_labelled().value
    return Chips(chip, boards, float(size[1]) * 1e9 * share if size else 0.0)
