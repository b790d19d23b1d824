"""What the settings of a tool do not hold of a layout: fields by name, and in words what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isoflop.training.spec import Layout

Lacking = dict[str, str]

USUAL = {
    "tp": 1, "pp": 1, "vpp": 1, "cp": 1, "ep": 1, "etp": 1, "shard": 0,
    "sequence_parallel": 0, "offload_optimizer": 0.0, "offload_layers": 0,
}  # fmt: skip
"""What a layout has where nothing is asked for."""


def lacking(layout: Layout, says: str, *names: str) -> Lacking:
    """Those of `names` that the layout asks for."""
    return {
        name: f"{getattr(layout, name)} is asked for; {says}" for name in names if getattr(layout, name) != USUAL[name]
    }
