"""Software of measured runs as mechanisms: which engine, which formats and which fusions are usual in which year."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from isoflop.errors import BadFile
from isoflop.quantity.toml_file import read_toml

FILE = Path(__file__).with_name("software.toml")
NEVER = 2099

_YEAR = re.compile(r"(?<!\d)(20[12]\d)(?!\d)")
_CONTAINER = re.compile(r"(?<![\d.])([12]\d)\.(0[1-9]|1[0-2])(?!\d)")


class Software(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of `software.toml`; the meaning of each field stands at its head."""

    name: str
    holds: tuple[str, ...]
    engine: str
    compiled: str = ""
    compiles: Literal["said", "fp8"] = "said"
    year: int = 2024
    fused_loss: int = NEVER
    fused_attention: int = 2023
    attention_second: int = 2023
    attention_third: int = NEVER
    overlap_gradients: int = 2023
    sequence_parallel: int = NEVER
    dropout: int = 0
    zero: int = 0
    gradients: str = "fp32"
    reduce: str = "fp32"
    held: Literal["compute", "master"] = "compute"


@cache
def entries() -> tuple[Software, ...]:
    """All entries, in the order in which they are tried."""
    try:
        return msgspec.convert(read_toml(FILE), dict[str, tuple[Software, ...]])["software"]
    except msgspec.ValidationError as error:
        raise BadFile(f"{FILE}: {error}") from error


def software_of(framework: str, dp_shard: str) -> Software | None:
    """What is known of a framework; of one that is not in the table, what its way to shard says. None for neither."""
    text = framework.lower()
    for entry in entries():
        if any(word in text for word in entry.holds):
            return entry
    by_sharding = {"fsdp": "PyTorch FSDP", "dist-optimizer": "Megatron-LM"}.get(dp_shard.partition(":")[0])
    return next((entry for entry in entries() if entry.name == by_sharding), None)


def usual_software() -> Software:
    """What stands for software that is not known: Megatron-LM, whose mechanisms most others share."""
    return next(entry for entry in entries() if entry.name == "Megatron-LM")


def year_of(framework: str, era: str, default: int) -> int:
    """The year of the software: a year in the text, or an NVIDIA container ("24.07"); else `default`."""
    for text in (era, framework):
        found = _YEAR.search(text)
        if found:
            return int(found[1])
        container = _CONTAINER.search(text)
        if container:
            return 2000 + int(container[1])
    return default


def month_of(framework: str, era: str) -> tuple[int, int] | None:
    """Year and month of an NVIDIA container ("25.04.01"), None where the texts name none."""
    found = _CONTAINER.search(era) or _CONTAINER.search(framework)
    return (2000 + int(found[1]), int(found[2])) if found else None
