"""Runtimes by version as data (`runtime.toml`): what software takes of a device, and how it pages the cache."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from isoflop.errors import BadFile, BadInput
from isoflop.quantity.toml_file import read_toml

if TYPE_CHECKING:
    from isoflop.serving.spec import Runtime

FILE = Path(__file__).with_name("runtime.toml")

_Bytes = Annotated[float, msgspec.Meta(ge=0)]
_Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
_Flag = Annotated[int, msgspec.Meta(ge=0, le=1)]


class Era(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Versions of a runtime that do alike; the meaning of each field stands at the head of `runtime.toml`."""

    since: str
    released: str
    title: str
    fraction: _Share
    of: Literal["total", "free", "static", "asked"]
    block: int
    windows: Literal["full", "groups", "pool", "cells"]
    tokens: Literal["blocks", "groups", "concurrency"]
    large: _Bytes
    step_tokens: int
    step_sequences: int
    activation: tuple[float, float]
    logit_bytes: _Bytes
    spread: Annotated[float, msgspec.Meta(ge=1)]
    fitted: str
    fractions: tuple[tuple[float, float], ...] = ()
    window_pool: float = 1.0
    chunks: _Flag = 0
    whole: _Flag = 0
    latent_multiple: int = 0
    absorbed: Annotated[int, msgspec.Meta(ge=0, le=2)] = 0
    state_blocks: int = 1
    state_pool: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    draft_slots: _Flag = 0
    graphs_inside: _Flag = 0
    graphs: _Bytes = 0.0
    graphs_large: _Bytes = 0.0
    large_tokens: int = 0
    large_sequences: int = 0
    sequence_profiled: _Flag = 0
    chunked_beyond: int = 0
    all_logits: _Flag = 0
    context: _Bytes = 0.0
    outside: _Bytes = 0.0
    communication: _Bytes = 0.0
    communication_bus: _Bytes = 0.0
    mxfp4_pad: tuple[int, int] = (1, 1)
    loaded: _Bytes = 0.0


@cache
def eras() -> dict[str, tuple[Era, ...]]:
    """All eras by the name of the runtime, the oldest first."""
    try:
        return msgspec.convert(read_toml(FILE), dict[str, tuple[Era, ...]])
    except msgspec.ValidationError as error:
        raise BadFile(f"{FILE}: {error}") from error


def era_of(runtime: Runtime, month: str = "") -> Era:
    """The era of a runtime's version; without a version that of `month` ("2025-06"), without either the newest."""
    listed = eras()[runtime.name]
    if runtime.version:
        wanted = version_key(runtime.version)
        return next((one for one in reversed(listed) if version_key(one.since) <= wanted), listed[0])
    if month:
        return next((one for one in reversed(listed) if one.released <= month), listed[0])
    return listed[-1]


def version_key(text: str) -> tuple[int, ...]:
    """A version as numbers to compare: "0.10.2" is (0, 10, 2). Letters end it ("0.14.0rc2")."""
    found = re.match(r"\s*[vb]?(\d+(?:\.\d+)*)", text)
    if found is None:
        raise BadInput(f"runtime version '{text[:40]}' is no number like 0.11.0; leave it out for a current one")
    return tuple(int(part) for part in found[1].split(".")[:4])
