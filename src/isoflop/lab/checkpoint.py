"""A run's whole state in one safetensors file: weights, optimizer, random numbers, position. No pickle."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from isoflop.errors import BadFile
from isoflop.lab.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor


def whole(tensor: Tensor) -> Tensor:
    """The tensor itself, gathered where it is sharded over processes."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def state_of(named: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Everything a step depends on but the data, by name."""
    found = {f"weight.{name}": whole(one.detach()).contiguous().clone() for name, one in named.items()}
    for name, one in named.items():
        for key, value in optimizer.state[one].items():
            found[f"optimizer.{key}.{name}"] = whole(value.detach()).contiguous().clone()
    found["random"] = torch.get_rng_state()
    if any(one.device.type == "cuda" for one in named.values()):
        found["random.cuda"] = torch.cuda.get_rng_state()
    return found


def load_state(held: Mapping[str, Tensor], named: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
    """Put a state back; names must be those of the model."""
    if {name.removeprefix("weight.") for name in held if name.startswith("weight.")} != set(named):
        raise BadFile("the checkpoint is of another model: its tensors have other names.")
    with torch.no_grad():
        for name, one in named.items():
            one.copy_(_like(held[f"weight.{name}"], one))
            keys = [key.split(".")[1] for key in held if key.startswith("optimizer.") and _of(key) == name]
            if keys:
                optimizer.state[one] = {key: _like(held[f"optimizer.{key}.{name}"], one) for key in keys}
    torch.set_rng_state(held["random"])
    if "random.cuda" in held and any(one.device.type == "cuda" for one in named.values()):
        torch.cuda.set_rng_state(held["random.cuda"])


def _of(key: str) -> str:
    return key.split(".", 2)[2]


def _like(value: Tensor, one: Tensor) -> Tensor:
    """The value where the parameter is, and sharded as it is."""
    if not hasattr(one, "full_tensor") or value.ndim == 0:
        return value.clone().to(one.device)
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value, one.device_mesh, one.placements)


def write_checkpoint(path: Path, state: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    """The state with a few words about it, atomically."""
    write_atomically(path, save(dict(state), metadata=dict(about)))


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """State and words; BadFile where the file is no checkpoint."""
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            names = list(file.keys())
            return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})
    except SafetensorError as error:
        raise BadFile(f"{path}: no checkpoint ({error}); delete it, and the run starts again.") from error


def about_checkpoint(path: Path) -> dict[str, str]:
    """The words alone; BadFile where the file is no checkpoint."""
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            return dict(file.metadata() or {})
    except SafetensorError as error:
        raise BadFile(f"{path}: no checkpoint ({error}); delete it, and its runs start again.") from error
