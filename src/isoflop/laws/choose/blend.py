"""Several fitted forms as one law: ln(loss) is the weighted mean of theirs, and its draws are draws of one of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from isoflop.laws.curves import Farseer
from isoflop.laws.shape import gradient_of
from isoflop.laws.shapes import shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.laws.shape import Box, Shape
    from isoflop.quantity import FloatArray

NAME = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One member: its form, how tables call it, its weight."""

    shape: Shape
    label: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """The weighted mean of members' ln(loss); `coordinates` are those of all members, one after the other."""

    parts: tuple[Part, ...]

    name: ClassVar[str] = NAME
    title: ClassVar[str] = "forms averaged by how well their fits to the cheaper runs predicted the dearer ones"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that any member needs."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.shape.inputs))

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Each constant after its member's label."""
        return tuple(f"{part.label}: {name}" for part in self.parts for name in part.shape.coordinates)

    @property
    def bounds(self) -> Mapping[str, Box]:
        """None: a blend is not fitted itself."""
        return {}

    @property
    def places(self) -> tuple[slice, ...]:
        """Where the constants of each member stand."""
        ends = np.cumsum([0, *(len(part.shape.coordinates) for part in self.parts)]).tolist()
        return tuple(slice(low, high) for low, high in pairwise(ends))

    @property
    def weights(self) -> FloatArray:
        """Of the members; they add up to 1."""
        return np.array([part.weight for part in self.parts])

    def log_loss(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """ln(loss)."""
        found = [
            part.weight * np.asarray(part.shape.log_loss(at[..., place], columns))
            for part, place in zip(self.parts, self.places, strict=True)
        ]
        return np.asarray(sum(found[1:], found[0]))

    def log_gradient(self, at: FloatArray, columns: Mapping[str, FloatArray]) -> FloatArray:
        """Derivatives of ln(loss) by the constants of all members."""
        found = [
            part.weight * gradient_of(part.shape, at[..., place], columns)
            for part, place in zip(self.parts, self.places, strict=True)
        ]
        return np.concatenate(found, axis=-1)

    def log_loss_drawn(self, at: FloatArray, columns: Mapping[str, FloatArray], rng: np.random.Generator) -> FloatArray:
        """ln(loss) of each draw by one member, taken by weight: the spread between forms is in it, not averaged out."""
        which = rng.choice(len(self.parts), size=len(at), p=self.weights)
        rows = len(next(iter(columns.values())))
        found = np.empty((len(at), rows))
        for index, (part, place) in enumerate(zip(self.parts, self.places, strict=True)):
            own = which == index
            if own.any():
                found[own] = part.shape.log_loss(at[own][:, place], columns)
        return found

    def starts(self, columns: Mapping[str, FloatArray], loss: FloatArray) -> FloatArray:
        """None: its members are fitted one by one."""
        del columns, loss
        return np.empty((0, len(self.coordinates)))


def blend_object(shape: Shape) -> list[dict[str, object]]:
    """The members of a blend as plain data; of any other shape, none."""
    if not isinstance(shape, Blend):
        return []
    return [
        {
            "law": part.shape.name,
            "label": part.label,
            "weight": part.weight,
            "units": {"params": part.shape.params_unit, "tokens": part.shape.tokens_unit}
            if isinstance(part.shape, Farseer)
            else {},
        }
        for part in shape.parts
    ]


def blend_of(members: Sequence[tuple[str, str, float, Mapping[str, float]]]) -> Blend:
    """The blend of members as (form, label, weight, units)."""
    parts = []
    for law, label, weight, units in members:
        shape = shape_of(law)
        if isinstance(shape, Farseer) and units:
            shape = Farseer(params_unit=units["params"], tokens_unit=units["tokens"])
        parts.append(Part(shape=shape, label=label, weight=weight))
    return Blend(parts=tuple(parts))
