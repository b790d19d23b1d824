"""A model in use: what fits on which chips, how fast it answers, for how much.

`Deployment` is a model on devices under a runtime, `Traffic` what is asked of it.
"""

from __future__ import annotations

from isoflop.serving.spec import (
    RUNTIMES,
    Deployment,
    Formats,
    Offload,
    Placement,
    Placements,
    Runtime,
    RuntimeName,
    Settings,
    Speculation,
    Traffic,
    kv_bits,
)

__all__ = [
    "RUNTIMES",
    "Deployment",
    "Formats",
    "Offload",
    "Placement",
    "Placements",
    "Runtime",
    "RuntimeName",
    "Settings",
    "Speculation",
    "Traffic",
    "kv_bits",
]
