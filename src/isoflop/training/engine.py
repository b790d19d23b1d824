"""Engines: what training software keeps in memory beside what the algorithm needs, as data (`engine.toml`)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from isoflop.errors import BadFile, UnknownName
from isoflop.quantity.toml_file import read_toml

FILE = Path(__file__).with_name("engine.toml")

_Factor = Annotated[float, msgspec.Meta(ge=0)]


class Engine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mechanisms of one engine; the meaning of each field stands at the head of `engine.toml`."""

    title: str
    kernels: Literal["fused", "eager", "compiled", "native", "parts", "layered", "autocast"]
    held_gradients: _Factor
    gathered_units: _Factor
    gathered_gradients: _Factor
    placeholder_layers: _Factor
    placeholder_heads: _Factor
    logit_bytes: _Factor
    fused_logit_bytes: _Factor
    parallel_logit_bytes: _Factor
    transient: _Factor
    whole_pipeline: _Factor
    boundary: _Factor
    uneven_stages: _Factor
    host: _Factor
    gathered_inputs: _Factor
    overhead: tuple[float, float, float]
    context: tuple[float, float, float]
    spread: float
    as_made: _Factor = 0.0
    cast_copies: _Factor = 0.0
    fitted: str = ""


@cache
def engines() -> dict[str, Engine]:
    """All engines by name."""
    try:
        return msgspec.convert(read_toml(FILE), dict[str, Engine])
    except msgspec.ValidationError as error:
        raise BadFile(f"{FILE}: {error}") from error


def engine(name: str) -> Engine:
    """The engine of that name."""
    if name not in engines():
        raise UnknownName("training engine", name, engines())
    return engines()[name]
