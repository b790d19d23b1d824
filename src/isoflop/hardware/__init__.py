"""What models run on: devices, nodes, prices and grids, each figure with unit, source and date.

`device`, `node`, `grid` and `choose_price` look one entry up (by name, alias, unique beginning or own file);
`devices`, `nodes`, `prices` and `grids` give all of them. One file an entry: devices/*.toml, nodes/*.toml,
prices/*.toml; grids.toml holds all grids.

    >>> from isoflop import hardware
    >>> hardware.device("h100-sxm").memory_bandwidth().value, hardware.node("dgx-h100").chips
    (3350000000000.0, 8)
"""

from __future__ import annotations

from isoflop.hardware.catalog import (
    choose_price,
    device,
    device_names,
    devices,
    find_prices,
    grid,
    grid_names,
    grids,
    node,
    node_names,
    nodes,
    nodes_of,
    prices,
)
from isoflop.hardware.choice import Choice
from isoflop.hardware.site import Fabric, Grid, Node, Price, Sale
from isoflop.hardware.spec import Device, Disagreement, Figure, Link, Memory

__all__ = [
    "Choice",
    "Device",
    "Disagreement",
    "Fabric",
    "Figure",
    "Grid",
    "Link",
    "Memory",
    "Node",
    "Price",
    "Sale",
    "choose_price",
    "device",
    "device_names",
    "devices",
    "find_prices",
    "grid",
    "grid_names",
    "grids",
    "node",
    "node_names",
    "nodes",
    "nodes_of",
    "prices",
]
