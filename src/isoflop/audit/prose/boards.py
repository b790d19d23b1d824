"""Boards that a name may mean, and their rates."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from isoflop import hardware
from isoflop.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from isoflop.audit.prose.names import Name
    from isoflop.hardware import Device


_FLOATS = frozenset(
    {
        "fp64",
        "fp64-matrix",
        "fp32",
        "fp32-matrix",
        "tf32",
        "fp16",
        "fp16-acc16",
        "bf16",
        "fp8",
        "fp8-acc16",
        "fp6",
        "fp4",
    }
)


SAME = {
    "fp16": ("fp16", "bf16", "fp16-acc16"),
    "bf16": ("bf16", "fp16"),
    "fp8": ("fp8", "fp8-acc16"),
    "int8": ("int8", "fp8"),
    "fp32": ("fp32", "fp32-matrix", "tf32"),
    "fp64": ("fp64", "fp64-matrix"),
    "tf32": ("tf32",),
    "fp4": ("fp4",),
    "int4": ("int4",),
    "16bit": ("fp16", "bf16"),
    "fp6": ("fp6", "fp4"),
    "fp8e4m3": ("fp8",),
    "fp8e5m2": ("fp8",),
    "8bit": ("fp8", "int8"),
    "4bit": ("fp4", "int4"),
    "32bit": ("fp32", "fp32-matrix", "tf32"),
}


@lru_cache(maxsize=512)
def devices_of(key: str, words: tuple[str, ...]) -> tuple[Device, ...]:
    """The catalogued boards that a name may mean: "a100" is four of them, "a100 80gb" two."""
    stem = re.sub(r"^tpu(?=v)", "tpu-", key)
    stem = {
        "trainium": "trainium1",
        "trn1": "trainium1",
        "trn2": "trainium2",
        "trillium": "tpu-v6e",
        "ironwood": "tpu-v7",
        "tpu-v5": "tpu-v5p",
    }.get(stem, stem)
    stem = re.sub(r"^(rtx|gtx)(?=\d)", r"\1-", stem)
    if re.fullmatch(r"\d{4}", stem):
        stem = f"rtx-{stem}"
    named = [
        name
        for name in hardware.device_names()
        if name == stem or name.startswith(f"{stem}-") or name.replace("-", "") == stem
    ]
    if not named:
        try:
            return (hardware.device(key),)
        except BadInput:
            return ()
    kept = [name for name in named if all(_fits(name, word) for word in words)]
    return tuple(hardware.devices()[name] for name in kept or named)


def _fits(name: str, word: str) -> bool:
    word = word.replace("gib", "gb")
    if word.startswith("sxm"):
        return "sxm" in name
    if word.endswith("gb"):
        return re.search(rf"-{word}$", name) is not None or not re.search(r"-\d+gb$", name)
    return word not in {"pcie", "nvl"} or word in name


def usual_boards(name: Name) -> tuple[Device, ...]:
    """The boards of a name; one that leaves it open is what the catalogue takes for it: "H100" is the SXM one."""
    boards = devices_of(name.key, name.words)
    if name.words or len(boards) < 2:
        return boards
    try:
        return (hardware.device(name.key),)
    except BadInput:
        return boards


def peaks_of(name: Name) -> tuple[float, float]:
    """Least and largest dense peak of 16-bit formats over the usual boards of a name; (0, 0) for none."""
    for dtypes in (("bf16", "fp16"), ("fp32",)):
        found = [board.peak_rates.get(dtype) for board in usual_boards(name) for dtype in dtypes]
        values = [figure.value for figure in found if figure]
        if values:
            return min(values), max(values)
    return 0.0, 0.0


def rates_of(boards: Iterable[Device], dtypes: tuple[str, ...], *, sparse: bool) -> list[float]:
    """Rates of boards in some formats, all that are floats where none is named."""
    values = []
    for board in boards:
        rates = board.sparse_rates if sparse else board.peak_rates
        values += [
            figure.value
            for dtype, figure in rates.items()
            if (dtype in dtypes if dtypes else dtype in _FLOATS or not sparse)
        ]
    return values
