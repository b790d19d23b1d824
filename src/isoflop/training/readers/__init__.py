"""Settings of other training tools, read into isoflop's words; what was not understood is listed, never guessed.

>>> from isoflop.training.readers import settings_of
>>> found = settings_of({"zero_optimization.stage": 3, "train_micro_batch_size_per_gpu": 2}, "ds.json")
>>> found.tool, found.layout(8).words()
('DeepSpeed', 'dp 8, ZeRO-3, micro-batch 2')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadFile, UnknownName
from isoflop.training.readers.accelerate import accelerate
from isoflop.training.readers.axolotl import axolotl
from isoflop.training.readers.deepspeed import deepspeed
from isoflop.training.readers.files import flags, read_table
from isoflop.training.readers.keys import tool_keys
from isoflop.training.readers.megatron import megatron, nemo
from isoflop.training.readers.settings import Settings
from isoflop.training.readers.torchtitan import torchtitan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

__all__ = ["TOOLS", "Settings", "read_settings", "settings_of", "settings_of_flags", "tool_of"]

TOOLS: dict[str, Callable[[Mapping[str, object], str], Settings]] = {
    "megatron": megatron,
    "nemo": nemo,
    "torchtitan": torchtitan,
    "deepspeed": deepspeed,
    "axolotl": axolotl,
    "accelerate": accelerate,
}
"""Readers by tool; each takes the flat keys of a file, and what to call it in messages."""


def read_settings(path: str | PathLike[str], tool: str = "") -> Settings:
    """What a settings file says; of which tool it is follows from its keys where `tool` does not say.

    Raises: BadFile for a file that is broken, contradicts itself or is none of a known tool; MissingData where YAML is
    to be read and PyYAML is not installed.
    """
    return settings_of(read_table(path), str(path), tool)


def settings_of(values: Mapping[str, object], file: str, tool: str = "") -> Settings:
    """The same from keys that were read already, nested ones joined by dots."""
    if tool and tool not in TOOLS:
        raise UnknownName("training tool", tool, TOOLS)
    return TOOLS[tool or tool_of(values, file)](values, file)


def settings_of_flags(words: Sequence[str], file: str = "arguments") -> Settings:
    """The same from the words of Megatron-LM's command line."""
    return megatron(dict(flags(words)), file)


def tool_of(values: Mapping[str, object], file: str) -> str:
    """Whose keys these are: the tool of which most marks are there."""
    marks = {
        tool: sum(mark in values or any(key.startswith(f"{mark}.") for key in values) for mark in known.marks)
        for tool, known in tool_keys().items()
    }
    best = max(marks, key=lambda tool: marks[tool])
    if not marks[best]:
        titles = ", ".join(known.title for known in tool_keys().values())
        raise BadFile(f"{file}: its keys are of no tool that is known ({titles}). Say which with --tool.")
    return best
