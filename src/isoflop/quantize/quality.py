"""Does it still predict text as well: perplexity of a model before and after, on a text of one's own.

Needs torch and transformers (extra `oracle`), a tokenizer beside the weights, and memory for the model in float32.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput, Infeasible, MissingData, shorten
from isoflop.quantize.convert import quantize
from isoflop.quantize.source import open_source

if TYPE_CHECKING:
    from types import ModuleType

    from torch import Tensor

MOST_TEXT = 64_000_000
_FEWEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Mean loss [nats/token] of both models on the same tokens, and how sure their difference is.

    `spread` is the standard error of the mean difference over tokens, which takes neighbours for independent: texts
    repeat themselves, so the true one is larger.
    """

    tokens: int
    loss_before: float
    loss_after: float
    spread: float

    @property
    def perplexity_before(self) -> float:
        """Exp of the loss of the source."""
        return math.exp(self.loss_before)

    @property
    def perplexity_after(self) -> float:
        """Exp of the loss of the converted model."""
        return math.exp(self.loss_after)


def quality(
    source: str | Path, folder: str | Path, text: str | Path, *, window: int = 512, most: int = 16_384
) -> Quality:
    """Perplexity of both checkpoints on the first `most` tokens of a text file, in windows of `window` tokens.

    Where the scheme leaves activations alone, the weights are read back and computed with in float32; where it rounds
    them (FP8, INT8 W8A8), transformers and compressed-tensors do as they do. Each window starts without context, so its
    first tokens are harder than in a long text; both models alike.

    Raises:
        MissingData: torch, transformers or compressed-tensors is not installed.
        BadFile: no tokenizer, or one that transformers cannot read.
        BadInput: too little text.
        Infeasible: the model does not fit in the memory that is free.
    """
    torch, transformers, tokens = check_quality(source, text, window=window, most=most)
    first = open_source(source)
    rows = tokens[: len(tokens) // window * window] if len(tokens) >= window else tokens
    batch = torch.tensor(rows).reshape(-1, min(window, len(rows)))
    before = _losses(torch, transformers, first.folder, batch)
    with TemporaryDirectory() as place:
        after = _losses(torch, transformers, _plain(Path(folder), Path(place) / "plain"), batch)
    off = after - before
    spread = float(off.std()) / math.sqrt(off.numel())
    return Quality(
        tokens=off.numel(), loss_before=float(before.mean()), loss_after=float(after.mean()), spread=spread
    )  # fmt: skip


def check_quality(
    source: str | Path, text: str | Path, *, window: int = 512, most: int = 16_384
) -> tuple[ModuleType, ModuleType, list[int]]:
    """(torch, transformers, tokens), or what `quality` would raise for the source: before a long conversion."""
    torch, transformers = _libraries()
    first = open_source(source)
    _check_memory(sum(tensor.numbers for tensor in first.tensors) * 4, str(source))
    return torch, transformers, _tokens(transformers, first.folder, Path(text), window, most)


def _plain(folder: Path, place: Path) -> Path:
    """The checkpoint read back where only weights are rounded; as it is where the runtime rounds activations too."""
    table = open_source(folder).config.get("quantization_config")
    if not isinstance(table, dict) or '"input_activations": {' in json.dumps(table):
        return folder
    quantize(folder, place, "fp32")
    return place


def _libraries() -> tuple[ModuleType, ModuleType]:
    try:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        import torch
        import transformers
    except ImportError as error:
        raise MissingData(
            "perplexity is computed with torch and transformers: pip install 'isoflop[oracle]'"
        ) from error
    found: tuple[ModuleType, ModuleType] = (torch, transformers)
    return found


def _check_memory(needed: int, called: str) -> None:
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if (told := Path("/proc/meminfo")).is_file():  # what caches hold is free too
        lines = dict(line.split(":", 1) for line in told.read_text(encoding="ascii").splitlines())
        free = 1024 * int(lines.get("MemAvailable", f"{free // 1024} kB").split()[0])
    if needed > 0.9 * free:
        raise Infeasible(
            f"{shorten(called, most=200)}: takes {needed:,} bytes in float32, and {free:,} are free; measure it "
            "on a larger machine, or with the runtime that serves it."
        )


def _tokens(transformers: ModuleType, folder: Path, text: Path, window: int, most: int) -> list[int]:
    if not text.is_file() or text.stat().st_size > MOST_TEXT:
        raise BadFile(f"{shorten(str(text), most=200)}: give a text file of at most {MOST_TEXT:,} bytes.")
    if not 2 <= window <= most:
        raise BadInput(f"a window of {window:,} tokens out of {most:,}: give from 2 up to all of them.")
    words = text.read_text(encoding="utf-8", errors="replace")[: 16 * most]
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadFile(
            f"{shorten(str(folder), most=200)}: no tokenizer that transformers reads: {shorten(str(error))}"
        ) from error
    found: list[int] = tokenizer(words)["input_ids"][:most]
    if len(found) < _FEWEST:
        raise BadInput(f"{shorten(str(text), most=200)}: {len(found)} tokens are too few; give at least {_FEWEST}.")
    return found


def _losses(torch: ModuleType, transformers: ModuleType, folder: Path, batch: Tensor) -> Tensor:
    """Loss of every token but the first of each window."""
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True
        ).eval()
    except ImportError as error:
        raise MissingData(f"{shorten(str(folder), most=200)}: {shorten(str(error), most=200)}") from error
    losses = []
    with torch.inference_mode():
        for row in batch:
            logits = model(row[None]).logits[0, :-1].float()
            losses.append(torch.nn.functional.cross_entropy(logits, row[1:], reduction="none"))
    found: Tensor = torch.cat(losses)
    return found
