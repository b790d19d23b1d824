"""Real checkpoints in fewer bits, with a report of what was lost; number formats, one value at a time.

The room is called like what it does, and can be called: `isoflop.quantize(source, folder, "int4-g128")`.

    >>> from isoflop import quantize
    >>> quantize.scheme("int4-g128").name, quantize.number_format("bf16").bits
    ('int4-g128', 16)
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from isoflop.quantize.convert import dequantize, quantize
from isoflop.quantize.formats import FORMATS, NumberFormat, Stored, number_format, store
from isoflop.quantize.options import Options
from isoflop.quantize.report import Report, TensorReport
from isoflop.quantize.scheme import Scheme, scheme, schemes

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

__all__ = [
    "FORMATS",
    "NumberFormat",
    "Options",
    "Report",
    "Scheme",
    "Stored",
    "TensorReport",
    "dequantize",
    "number_format",
    "quantize",
    "scheme",
    "schemes",
    "store",
]


class _Room(ModuleType):
    """This module, with the room's main job as what a call of it does."""

    def __call__(
        self,
        source: str | PathLike[str],
        folder: str | PathLike[str],
        to: str | Scheme,
        *,
        options: Options | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Report:
        """Convert a checkpoint: see `isoflop.quantize.quantize`."""
        return quantize(source, folder, to, options=options, progress=progress)


sys.modules[__name__].__class__ = _Room
