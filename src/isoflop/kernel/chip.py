"""What an operation runs on: the figures of a chip, its node and its network that time depends on, in base units."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.errors import MissingData
from isoflop.kernel.profile import Profile, profile_in

if TYPE_CHECKING:
    from isoflop.hardware import Device, Node
    from isoflop.hardware.spec import Topology

GROUPS = {
    "fp32": ("fp32-matrix", "fp32"),
    "tf32": ("tf32", "fp32-matrix", "fp32"),
    "16": ("bf16", "fp16"),
    "8": ("fp8", "int8"),
    "4": ("fp4", "fp8"),
}
"""Classes of number formats -> rates of a device that serve them, the first that it has. Products of fp32 run in tf32
only where that is asked for: torch and others keep all 24 bits by default."""

USUAL_NETWORK = 25e9
"""Bytes a second and chip between nodes where no node of a device is catalogued; the answer says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """Peak rates [FLOP/s] by class of format, memory and link bandwidths [byte/s, one way], and who is near whom.

    `domain` chips share the fast links, `node` the server; `network` is one chip's share of what leaves it. `topology`
    of the links: a switch, a mesh or a torus with `peers` neighbours a chip. `cap` is the power limit over that of the
    usual part of its architecture, 1 where there is none lower. `notes` say what was estimated. `own` is the profile
    that a measured device brings with it.
    """

    name: str
    architecture: str
    rates: tuple[tuple[str, float], ...]
    bandwidth: float
    link: float
    network: float
    domain: int
    node: int
    topology: Topology = "switch"
    peers: int = 0
    cap: float = 1.0
    notes: tuple[str, ...] = ()
    own: Profile | None = field(default=None, compare=False)

    def rate(self, group: str) -> float:
        """Dense peak rate of a class of number formats [FLOP/s]."""
        for name, value in self.rates:
            if name == group:
                return value
        raise MissingData(f"{self.name}: no peak rate for formats of {group} bits is catalogued.")


def chip_of(device: Device, node: Node | None = None, *, node_chips: int | None = None) -> Chip:
    """A device as what operations run on, in `node`, else in the catalogued node of it that has `node_chips` chips.

    Missing bandwidths raise MissingData; a network that no source gives is taken as 25 GB/s a chip and said.
    """
    return _chip(device, node or _usual_node(device.name, node_chips), node_chips)


@cache
def _usual_node(name: str, chips: int | None) -> Node | None:
    """The node of a device: of those with so many chips the one with the widest sourced network, else the widest."""
    if name not in hardware.devices():
        return None
    nodes = hardware.nodes_of(name)
    fitting = [node for node in nodes if node.chips == chips] or list(nodes)
    return max(fitting, key=_network_order, default=None)


def _network_order(node: Node) -> tuple[bool, float]:
    network = node.fabric.network
    return (False, 0.0) if network is None else (not network.is_estimate, network.value / node.chips)


def _chip(device: Device, node: Node | None, node_chips: int | None) -> Chip:
    notes = []
    rates = []
    for group, names in GROUPS.items():
        found = next((name for name in names if name in device.peak_rates), None)
        if found is not None:
            rates.append((group, device.peak_rate(found).value))
    network = USUAL_NETWORK
    if node is not None and node.fabric.network is not None:
        network = node.fabric.network.value / node.chips
        if node.fabric.network.is_estimate:
            notes.append(f"network of {node.name}: an estimate")
    else:
        notes.append(f"no network of {device.name} is catalogued: {USUAL_NETWORK / 1e9:g} GB/s a chip taken")
    own = device.link.per_direction if device.link is not None else None
    if own is not None:
        link = own.value
    else:
        link = node.fabric.host_link.value if node is not None and node.fabric.host_link is not None else 16e9
        notes.append(f"{device.name} has no links of its own: its bus to the host, {link / 1e9:g} GB/s")
    topology = device.link.topology if device.link is not None else "none"
    if topology == "bridge":
        notes.append(f"the links of {device.name} tie fixed pairs: larger groups are taken to be tied alike")
    chips = node_chips or (node.chips if node is not None else 8)
    return Chip(
        name=device.name,
        architecture=device.identity.architecture or device.kind,
        rates=tuple(rates),
        bandwidth=device.memory_bandwidth().value,
        link=link,
        network=network,
        domain=node.fabric.domain if node is not None and node.fabric.domain >= RACK else chips,
        node=chips,
        topology=topology,
        peers=(device.link.peers or 0) if device.link is not None else 0,
        cap=_cap(device),
        notes=tuple(notes),
        own=_own(device),
    )


def _own(device: Device) -> Profile | None:
    """The profile in the device's own file, None where there is none."""
    if device.profile is None:
        return None
    return profile_in(device.profile, device.identity.architecture or device.kind, device.name)


RACK = 16
"""Chips from which fast links reach past one server; below, the server that a run states is their reach."""

USUAL_POWER = {"Hopper": 700.0, "Ampere": 400.0, "Blackwell": 1000.0, "Blackwell Ultra": 1100.0}
"""Watts of the part that an architecture's profile was measured on."""


def _cap(device: Device) -> float:
    usual = USUAL_POWER.get(device.identity.architecture)
    try:
        return 1.0 if usual is None else min(1.0, device.power().value / usual)
    except MissingData:
        return 1.0
