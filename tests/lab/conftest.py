"""A small corpus that every test of the laboratory reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from isoflop.lab import Corpus, DataSpec, build_corpus

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Words drawn from a small language: some structure to learn, no file of anybody."""
    folder = tmp_path_factory.mktemp("text")
    rng = np.random.default_rng(0)
    words = np.array(["".join(rng.choice(list("etaoinshr"), rng.integers(2, 7))) for _ in range(60)])
    for number in range(30):
        picked = words[rng.zipf(1.5, 3000) % len(words)]
        (folder / f"{number:02d}.txt").write_text(" ".join(picked) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def corpus(text_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return build_corpus(DataSpec(source=str(text_folder)), tmp_path_factory.mktemp("corpus"))
