"""The thing that is trained: shapes as data, counted exactly, by name or by size.

    >>> from isoflop.model import counts, model
    >>> counts(model("gpt2")).params
    124439808

`model` turns a preset, a size, a config.json or `hf:org/name` into a `ModelSpec`, and `describe` says how sure that
reading is; `counts`, `forward_flops`, `train_flops_per_token`,
`decode_flops`, `state_elements` and `kv_bytes_per_token` count it; `runs` are published training runs as printed.
Parts (`Attention`, `Mlp`, ...) are for who describes a model of their own.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from isoflop.model.count import Counts, counts, params, weights
from isoflop.model.flops import CONVENTIONS, Convention, decode_flops, forward_flops, train_flops_per_token
from isoflop.model.known import known_quantities
from isoflop.model.names import Description, describe, model
from isoflop.model.parts import (
    Attention,
    Convolution,
    Embedding,
    Head,
    Index,
    LatentAttention,
    Linear,
    Mlp,
    Moe,
    Norm,
    Recurrent,
    Saved,
    State,
    Weight,
)
from isoflop.model.presets import Preset, model_names, preset, read_preset
from isoflop.model.sizes import shape_for
from isoflop.model.spec import Apart, Group, Layer, ModelSpec, Stack
from isoflop.model.state import kv_bytes_per_token, kv_elements_per_token, state_bytes, state_elements

if TYPE_CHECKING:
    from isoflop.model.headers import Tensors, model_of, read_tensors
    from isoflop.model.published import Footprint, Recount, Run, Use, Work, read_runs, recount, runs, table, tables
    from isoflop.model.restate import Restated, chip_time_of, restated
    from isoflop.model.weight_bytes import Storage, storage_of

__all__ = [
    "CONVENTIONS",
    "Apart",
    "Attention",
    "Convention",
    "Convolution",
    "Counts",
    "Description",
    "Embedding",
    "Footprint",
    "Group",
    "Head",
    "Index",
    "LatentAttention",
    "Layer",
    "Linear",
    "Mlp",
    "ModelSpec",
    "Moe",
    "Norm",
    "Preset",
    "Recount",
    "Recurrent",
    "Restated",
    "Run",
    "Saved",
    "Stack",
    "State",
    "Storage",
    "Tensors",
    "Use",
    "Weight",
    "Work",
    "chip_time_of",
    "counts",
    "decode_flops",
    "describe",
    "forward_flops",
    "known_quantities",
    "kv_bytes_per_token",
    "kv_elements_per_token",
    "model",
    "model_names",
    "model_of",
    "params",
    "preset",
    "read_preset",
    "read_runs",
    "read_tensors",
    "recount",
    "restated",
    "runs",
    "shape_for",
    "state_bytes",
    "state_elements",
    "storage_of",
    "table",
    "tables",
    "train_flops_per_token",
    "weights",
]

_PUBLISHED = ("Footprint", "Recount", "Run", "Use", "Work", "read_runs", "recount", "runs", "table", "tables")
_RESTATED = ("Restated", "chip_time_of", "restated")
_HEADERS = ("Tensors", "model_of", "read_tensors")
_STORED = ("Storage", "storage_of")


def __getattr__(name: str) -> object:
    """Load published runs, files of weights and stored bytes when first asked for: a count does without."""
    if name in _PUBLISHED:
        return getattr(import_module("isoflop.model.published"), name)
    if name in _HEADERS:
        return getattr(import_module("isoflop.model.headers"), name)
    if name in _STORED:
        return getattr(import_module("isoflop.model.weight_bytes"), name)
    if name in _RESTATED:
        return getattr(import_module("isoflop.model.restate"), name)
    raise AttributeError(f"module 'isoflop.model' has no attribute {name!r}")


class _Room(ModuleType):
    """The room as a function: `isoflop.model(name)` is `isoflop.describe(name)`."""

    __call__ = staticmethod(describe)


sys.modules[__name__].__class__ = _Room
