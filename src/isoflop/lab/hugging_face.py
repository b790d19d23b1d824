"""A trained model as others read it: config.json, model.safetensors, and the tokenizer where there is one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save

from isoflop.errors import BadInput
from isoflop.lab.files import write_atomically
from isoflop.lab.quantized import settled
from isoflop.torchmodel.decoder import Decoder
from isoflop.torchmodel.shape import config_of, published_name, shape_of

if TYPE_CHECKING:
    from pathlib import Path

    from isoflop.lab.spec import RunSpec


def export_model(model: Decoder, spec: RunSpec, folder: Path, tokenizer: Path) -> None:
    """Write the model; weights that were trained quantized are written as they are used. `model` is spent by this."""
    settled(model)
    folder.mkdir(exist_ok=True)
    state = {
        name: value for name, value in model.state_dict().items() if not (spec.shape.tied and name == "head.weight")
    }
    held = {published_name(name): value.detach().contiguous().clone() for name, value in state.items()}
    write_atomically(folder / "model.safetensors", save(held, metadata={"format": "pt"}))
    config = config_of(spec.shape, context=spec.sequence)
    write_atomically(folder / "config.json", json.dumps(config, indent=2).encode())
    if tokenizer.exists():
        write_atomically(folder / "tokenizer.json", tokenizer.read_bytes())


def import_model(folder: Path) -> Decoder:
    """The decoder in such a folder.

    Raises: BadInput where it is of another kind, or lacks tensors.
    """
    from isoflop.model import model as model_of

    shape = shape_of(model_of(folder))
    model = Decoder(shape)
    held = load_file(folder / "model.safetensors")
    wanted = {published_name(name): name for name in model.state_dict()}
    if shape.tied:
        held["lm_head.weight"] = held["model.embed_tokens.weight"]
    if set(held) != set(wanted):
        raise BadInput(f"{folder}: tensors {sorted(set(held) ^ set(wanted))[:3]} do not belong, or lack")
    model.load_state_dict({wanted[name]: value.to(torch.float32) for name, value in held.items()})
    return model
