"""Many layouts at once: those that share their pipeline's shape are worked on together, and put back in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from isoflop.quantity.types import FloatArray
    from isoflop.training.spec import Layouts

    Where = slice | npt.NDArray[np.bool_]


class Found(Protocol):
    """What was found of some layouts: terms by name, and the stage that decides."""

    @property
    def terms(self) -> Mapping[str, FloatArray]:
        """Amounts by term."""

    @property
    def stage(self) -> FloatArray:
        """The stage that needs or takes most."""


def by_stages(many: Layouts) -> list[tuple[Where, Layouts]]:
    """Layouts that share pp and vpp, with where they stand among all."""
    keys = many.pp * 2**20 + many.vpp
    if (keys == keys.flat[0]).all():  # the common case; np.unique takes 6 ms to load
        return [(slice(None), many)]
    masks = [keys == key for key in np.unique(keys)]
    return [(mask, many.take(mask)) for mask in masks]


def together(like: FloatArray, parts: Sequence[tuple[Where, Found]]) -> tuple[dict[str, FloatArray], FloatArray]:
    """Terms and stages of all layouts, of the shape of `like`, from those of the parts."""
    terms = {name: np.empty_like(like) for name in parts[0][1].terms}
    stage = np.empty_like(like)
    for where, one in parts:
        stage[where] = one.stage
        for name, values in one.terms.items():
            terms[name][where] = values
    return terms, stage
