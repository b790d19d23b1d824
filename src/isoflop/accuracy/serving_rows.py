"""Measured serving as rows: what was set, what was measured, and what is for people only.

A row is split at the door as those of training runs are: `ServingSettings` is all that a prediction sees. The columns
are those of `rows/serving.csv`; a table may leave out any but `id`, and an empty cell (or "nan") is a setting that
nobody stated.
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
COMMITTED = Path(__file__).with_name("rows") / "serving.csv"


class ServingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What was set, by column; None or "" where the row does not say.

    `batch` is how many sequences ran at once, `concurrency` how many requests were open; `isl` and `osl` tokens of
    input and output; `ctx_depth` tokens in the cache before. `date` is that of the source, "2025-10".
    """

    date: str = ""
    model: str = ""
    model_family: str = ""
    weight_prec: str = ""
    kv_prec: str = ""
    gpu: str = ""
    gpu_family: str = ""
    n_gpus: int | None = None
    tp: int | None = None
    pp: int | None = None
    ep: int | None = None
    dp: int | None = None
    framework: str = ""
    framework_version: str = ""
    scenario: str = ""
    batch: float | None = None
    concurrency: float | None = None
    isl: float | None = None
    osl: float | None = None
    ctx_depth: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingMeasured:
    """The targets in base units, None where nothing was measured; rates and watts of the whole deployment."""

    ttft: float | None = None
    tpot: float | None = None
    output_rate: float | None = None
    prompt_rate: float | None = None
    power: float | None = None
    energy: float | None = None

    @property
    def any(self) -> bool:
        """Whether anything was measured."""
        return any(getattr(self, name) is not None for name in self.__slots__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingRow:
    """A row; `fault` says which cell of the settings cannot be read, "" where all can."""

    id: str
    source: str
    settings: ServingSettings
    measured: ServingMeasured
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingRows:
    """A table of rows; `unknown` are its columns that nobody here reads."""

    rows: tuple[ServingRow, ...]
    unknown: tuple[str, ...] = ()


TARGETS = (
    "ttft_ms", "tpot_ms", "output_tok_s_total", "output_tok_s_per_gpu", "prefill_tok_s", "power_w_total",
    "energy_j_per_out_tok", "memory_gb",
)  # fmt: skip
PEOPLE = ("id", "source", "source_ref", "memory_kind", "notes")
SETTINGS = ServingSettings.__struct_fields__
COLUMNS = frozenset({*TARGETS, *PEOPLE, *SETTINGS})
UNSAID = frozenset({"", "nan", "none", "unknown", "n/a"})
_FROM_ZERO = frozenset({"isl", "osl", "ctx_depth", "ep", "dp"})


@cache
def committed_serving_rows() -> tuple[ServingRow, ...]:
    """The rows that come with isoflop, with their sources."""
    return read_serving_rows(COMMITTED).rows


def read_serving_rows(path: str | PathLike[str]) -> ServingRows:
    """The rows of a CSV file. Raises: BadFile for what is no such table, naming line and column."""
    return parse_serving_rows(read_text(path, most_bytes=MOST_BYTES), str(path))


def parse_serving_rows(text: str, name: str) -> ServingRows:
    """The rows of CSV text; `name` is what errors call it."""
    cells = parse_cells(text, name, "serving.csv")
    return ServingRows(
        rows=tuple(_row(one) for one in cells.rows),
        unknown=tuple(column for column in cells.columns if column not in COLUMNS),
    )


def _row(cells: Mapping[str, str]) -> ServingRow:
    found: dict[str, str | float | int] = {}
    fault = ""
    for column, kind in ServingSettings.__annotations__.items():
        text = cells.get(column, "")
        if text.lower() in UNSAID:
            continue
        if str(kind) == "str":
            found[column] = text
            continue
        whole, least = str(kind).startswith("int"), 0.0 if column in _FROM_ZERO else 1e-9
        value = number(text, whole=whole)
        if value is None or not least <= value <= LARGEST:
            said = f"{'whole ' if whole else ''}number {'from 0 up' if not least else 'above 0'}"
            fault = fault or f"column {column}: '{shorten(text)}' is no {said}"
            continue
        found[column] = value
    return ServingRow(
        id=cells["id"],
        source=cells.get("source", ""),
        settings=msgspec.convert(found, ServingSettings),
        measured=_measured(cells),
        fault=fault,
    )


def _measured(cells: Mapping[str, str]) -> ServingMeasured:
    found = {column: _positive(cells.get(column, "")) for column in (*TARGETS, "n_gpus")}
    first, token, rate = found["ttft_ms"], found["tpot_ms"], found["output_tok_s_total"]
    if rate is None and found["output_tok_s_per_gpu"] is not None:
        rate = found["output_tok_s_per_gpu"] * (found["n_gpus"] or 1)
    return ServingMeasured(
        ttft=None if first is None else first / 1e3,
        tpot=None if token is None else token / 1e3,
        output_rate=rate,
        prompt_rate=found["prefill_tok_s"],
        power=found["power_w_total"],
        energy=found["energy_j_per_out_tok"],
    )


def _positive(text: str) -> float | None:
    value = number(text)
    return float(value) if value is not None and value > 0 else None
