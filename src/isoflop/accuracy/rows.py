"""Measured training runs as rows of a table: what was set, what was measured, and what is for people only.

A row is split at the door. `Settings` is all that a prediction gets to see; `Measured` holds the targets, and only the
scores read it; `id`, `source`, remarks and the like are for people. The columns are those of `rows/training.csv`; a
table may leave out any but `id`, and an empty cell is a setting that nobody stated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from isoflop.accuracy.cells import MOST_BYTES, number, parse_cells
from isoflop.errors import shorten
from isoflop.quantity.toml_file import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

LARGEST = 1e18


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What was set, by column; None or "" where the row does not say. Flat because its fields are the columns.

    `memory_kind` says which memory was measured, so it is a setting: it is what a prediction has to predict. Of
    `flop_convention` only one word is read: whether weights are frozen ("LoRA").
    """

    gpu: str = ""
    n_gpus: int | None = None
    gpus_per_node: int | None = None
    model: str = ""
    n_params: float | None = None
    layers: int | None = None
    hidden: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None
    ffn: int | None = None
    vocab: int | None = None
    gated_mlp: int | None = None
    experts: int | None = None
    top_k: int | None = None
    mtp_layers: int | None = None
    seq: int | None = None
    global_batch: int | None = None
    micro_batch: int | None = None
    tp: int | None = None
    pp: int | None = None
    vpp: int | None = None
    cp: int | None = None
    ep: int | None = None
    dp: int | None = None
    sp: int | None = None
    zero_stage: int | None = None
    dp_shard: str = ""
    pp_split: str = ""
    recompute: str = ""
    recompute_modules: str = ""
    act_offload_layers: str = ""
    precision: str = ""
    fp8_recipe: str = ""
    optimizer_dtypes: str = ""
    attention_impl: str = ""
    framework: str = ""
    software_era: str = ""
    memory_kind: str = ""
    overlap_tp: str = ""
    overlap_grad: str = ""
    overlap_param: str = ""
    overlap_ep: str = ""
    cuda_graph: str = ""
    moe_dispatcher: str = ""
    moe_routing: str = ""
    flop_convention: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The targets of a row in base units, None where they were not; `unread` names cells that are no number."""

    step_time: float | None = None
    peak_memory: float | None = None
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row: `fault` says which cell of the settings cannot be read, "" where all can."""

    id: str
    source: str
    settings: Settings
    measured: Measured
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A table of rows; `unknown` are its columns that nobody here reads."""

    rows: tuple[Row, ...]
    unknown: tuple[str, ...] = ()


TARGETS = (
    "step_time_s",
    "step_time_calc_s",
    "tokens_per_s_per_gpu",
    "tflops_per_gpu",
    "mfu_pct",
    "peak_mem_gb",
)
PEOPLE = ("id", "source", "remarks", "settings_source")
SETTINGS = Settings.__struct_fields__
COLUMNS = frozenset({*TARGETS, *PEOPLE, *SETTINGS})
"""Columns that were measured, that are for people, that a prediction reads; and all of them."""

_KINDS: Mapping[str, str] = MappingProxyType({name: str(kind) for name, kind in Settings.__annotations__.items()})
_FROM_ZERO = frozenset({"gated_mlp", "mtp_layers", "sp", "zero_stage"})


COMMITTED = Path(__file__).with_name("rows") / "training.csv"


@cache
def committed_rows() -> tuple[Row, ...]:
    """The rows that come with isoflop, with their sources: all that were measured for memory, others for time."""
    return read_rows(COMMITTED).rows


def read_rows(path: str | PathLike[str]) -> Rows:
    """The rows of a CSV file.

    A cell that cannot be read spoils its row, which then says so. Raises: BadFile for what is no such table, naming
    line and column.
    """
    return parse_rows(read_text(path, most_bytes=MOST_BYTES), str(path))


def parse_rows(text: str, name: str) -> Rows:
    """The rows of CSV text; `name` is what errors call it."""
    cells = parse_cells(text, name, "training.csv")
    return Rows(
        rows=tuple(_row(one) for one in cells.rows),
        unknown=tuple(column for column in cells.columns if column not in COLUMNS),
    )


def _row(cells: Mapping[str, str]) -> Row:
    """Settings to one side, targets to the other."""
    found: dict[str, str | float | int] = {}
    fault = ""
    for column in SETTINGS:
        text = cells.get(column, "")
        if not text:
            continue
        value = text if _KINDS[column] == "str" else number(text, whole=_KINDS[column].startswith("int"))
        least = 0 if column in _FROM_ZERO else 1
        if value is None or (not isinstance(value, str) and not least <= value <= LARGEST):
            fault = fault or f"column {column}: '{shorten(text)}' is no {_said(column, least)}"
            continue
        found[column] = value
    return Row(
        id=cells["id"],
        source=cells.get("source", ""),
        settings=msgspec.convert(found, Settings),
        measured=_measured(cells),
        fault=fault,
    )


def _said(column: str, least: int) -> str:
    return f"{'whole ' if _KINDS[column].startswith('int') else ''}number from {least} up"


def _measured(cells: Mapping[str, str]) -> Measured:
    """Targets in base units; decimal GB."""
    unread = []
    found: dict[str, float] = {}
    for column in TARGETS:
        if not cells.get(column):
            continue
        value = number(cells[column])
        if value is None or value <= 0:
            unread.append(column)
        else:
            found[column] = value
    time = found.get("step_time_calc_s", found.get("step_time_s"))
    memory = found.get("peak_mem_gb")
    return Measured(step_time=time, peak_memory=None if memory is None else memory * 1e9, unread=tuple(unread))
