"""A layout as settings of other training tools; what a tool cannot say is listed, never dropped in silence.

>>> from isoflop.model import model
>>> from isoflop.training import Layout, Run
>>> run = Run(model=model("llama-3.1-8b"), sequence=8192, batch=64)
>>> text, left_out = exported(run, Layout(dp=8, zero=1), "megatron")
>>> "--use-distributed-optimizer" in text, left_out
(True, ())
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import UnknownName
from isoflop.training.export.accelerate import accelerate
from isoflop.training.export.deepspeed import deepspeed
from isoflop.training.export.megatron import megatron
from isoflop.training.export.torchtitan import torchtitan

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.training.export.lacking import Lacking
    from isoflop.training.spec import Layout, Run

__all__ = ["WRITERS", "exported"]

WRITERS: dict[str, Callable[[Run, Layout], tuple[str, Lacking]]] = {
    "megatron": megatron,
    "torchtitan": torchtitan,
    "deepspeed": deepspeed,
    "accelerate": accelerate,
}
"""Writers by tool: text, and fields of the layout or recipe that it does not hold, with what to do instead."""


def exported(run: Run, layout: Layout, tool: str) -> tuple[str, tuple[str, ...]]:
    """The settings of `tool` for a layout, and in words what they do not hold."""
    if tool not in WRITERS:
        raise UnknownName("training tool", tool, WRITERS)
    text, lacking = WRITERS[tool](run, layout)
    return text, tuple(f"{name}: {says}" for name, says in lacking.items())
