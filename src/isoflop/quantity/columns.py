"""Specs whose fields are numbers, and the same with arrays for fields: what both rooms that have them share."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from isoflop.errors import BadInput, UnknownName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

    from isoflop.quantity.types import FloatArray, Real


def check_whole(name: str, value: object, *, least: int = 1, below: int = 2**31) -> None:
    """Refuse what is no whole number from `least` to under `below`. Raises: BadInput that names the field."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < below:
        raise BadInput(f"{name} = {value!r}: give a whole number from {least} up")


def check_range(spec: DataclassInstance, name: str, most: Mapping[str, float], usual: float, said: str = "") -> None:
    """Refuse a field of numbers or arrays below 0, or above what `most` says of it, else `usual`.

    `name` stands before the field's in the message, `said` behind its 0. Raises: BadInput.
    """
    for one in fields(spec):
        value = np.asarray(getattr(spec, one.name), dtype=np.float64)
        top = most.get(one.name, usual)
        if not bool(np.all((value >= 0) & (value <= top))):
            raise BadInput(f"{name}.{one.name} = {value}: give a number from 0{said} to {top:g}")


def columns(default: DataclassInstance, sizes: Mapping[str, Real], noun: str) -> dict[str, FloatArray]:
    """Every field of a spec as an array, all of one shape; those that `sizes` leaves out are as in `default`.

    Raises: UnknownName for a size that is no field.

    >>> from isoflop.serving.spec import Placement
    >>> sorted(
    ...     name for name, held in columns(Placement(), {"tp": np.array([1, 2, 4])}, "placement").items() if held[2] > 1
    ... )
    ['tp']
    """
    names = sorted(one.name for one in fields(default))
    unknown = next(iter(set(sizes) - set(names)), None)
    if unknown is not None:
        raise UnknownName(f"field of a {noun}", unknown, names)
    given = [np.asarray(sizes.get(name, getattr(default, name)), dtype=np.float64) for name in names]
    return dict(zip(names, np.broadcast_arrays(*given), strict=True))
