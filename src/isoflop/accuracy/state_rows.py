"""Start-up logs of serving runtimes as rows: what was set, and what the runtime printed of memory and cache.

A row is split at the door as those of training runs are: `StateSettings` is all that a prediction sees. The columns are
those of `rows/serving_memory.csv`; a table may leave out any but `id`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from isoflop.accuracy.cells import MOST_BYTES, number, parse_cells
from isoflop.errors import shorten
from isoflop.quantity.toml_file import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

LARGEST = 1e18
COMMITTED = Path(__file__).with_name("rows") / "serving_memory.csv"


class StateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What was set, by column; None or "" where the row does not say. `date` says which software it was."""

    date: str = ""
    framework: str = ""
    version: str = ""
    model: str = ""
    model_family: str = ""
    weight_prec: str = ""
    kv_prec: str = ""
    gpu: str = ""
    n_gpus: int | None = None
    tp: int | None = None
    pp: int | None = None
    ep: int | None = None
    dp: int | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    gpu_mem_util: float | None = None
    block_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMeasured:
    """What was printed: bytes on one device (llama.cpp's cache: on all), tokens, sequences; None where nothing was."""

    weights: float | None = None
    state: float | None = None
    tokens: float | None = None
    concurrency: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRow:
    """A row; `inferred` where its settings were guessed from what was printed. `fault`: a cell that cannot be read."""

    id: str
    source: str
    settings: StateSettings
    measured: StateMeasured
    inferred: bool = False
    fault: str = ""


TARGETS = (
    "weights_gib_per_gpu", "activation_gib", "cudagraph_gib", "nontorch_gib", "kv_gib_per_gpu", "kv_tokens",
    "gpu_blocks", "max_concurrency",
)  # fmt: skip
PEOPLE = ("id", "source", "remarks", "config_known")
SETTINGS = StateSettings.__struct_fields__
COLUMNS = frozenset({*TARGETS, *PEOPLE, *SETTINGS})

_GIB = 2.0**30


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRows:
    """A table of rows; `unknown` are its columns that nobody here reads."""

    rows: tuple[StateRow, ...]
    unknown: tuple[str, ...] = ()


@cache
def committed_state_rows() -> tuple[StateRow, ...]:
    """The rows that come with isoflop, with their sources."""
    return read_state_rows(COMMITTED).rows


def read_state_rows(path: str | PathLike[str]) -> StateRows:
    """The rows of a CSV file. Raises: BadFile for what is no such table, naming line and column."""
    return parse_state_rows(read_text(path, most_bytes=MOST_BYTES), str(path))


def parse_state_rows(text: str, name: str) -> StateRows:
    """The rows of CSV text; `name` is what errors call it."""
    cells = parse_cells(text, name, "serving_memory.csv")
    return StateRows(
        rows=tuple(_row(one) for one in cells.rows),
        unknown=tuple(column for column in cells.columns if column not in COLUMNS),
    )


def _row(cells: Mapping[str, str]) -> StateRow:
    found: dict[str, str | float | int] = {}
    fault = ""
    kinds = StateSettings.__annotations__
    for column in SETTINGS:
        text = cells.get(column, "")
        if not text:
            continue
        if str(kinds[column]) == "str":
            found[column] = text
            continue
        whole = str(kinds[column]).startswith("int")
        value = number(text, whole=whole)
        most = 1.0 if column == "gpu_mem_util" else LARGEST
        if value is None or not 0 < value <= most:
            ends = " and up to 1" if most == 1 else ""
            fault = fault or f"column {column}: '{shorten(text)}' is no {'whole ' if whole else ''}number above 0{ends}"
            continue
        found[column] = value
    return StateRow(
        id=cells["id"],
        source=cells.get("source", ""),
        settings=msgspec.convert(found, StateSettings),
        measured=_measured(cells),
        inferred=cells.get("config_known", "y") == "n",
        fault=fault,
    )


def _measured(cells: Mapping[str, str]) -> StateMeasured:
    """Targets in base units; tokens as printed, else blocks times the tokens of one."""
    numbers = {column: number(cells.get(column, ""), whole=False) for column in (*TARGETS, "block_size")}
    weights, state, tokens = numbers["weights_gib_per_gpu"], numbers["kv_gib_per_gpu"], numbers["kv_tokens"]
    blocks, size = numbers["gpu_blocks"], numbers["block_size"]
    if tokens is None and blocks is not None and size is not None:
        tokens = blocks * size
    return StateMeasured(
        weights=None if weights is None else weights * _GIB,
        state=None if state is None else state * _GIB,
        tokens=tokens,
        concurrency=numbers["max_concurrency"],
    )
