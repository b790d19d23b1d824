"""Headers of GGUF files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadFile

if TYPE_CHECKING:
    from pathlib import Path

    from isoflop.model.headers.tensors import Tensors


def read_gguf(path: Path) -> Tensors:
    """What a GGUF file lists."""
    raise BadFile(f"{path}: GGUF is not read yet.")
