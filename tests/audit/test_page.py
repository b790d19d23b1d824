"""docs/audit.md names every level and class, and shows what the command prints."""

from __future__ import annotations

import pytest
from tests.architecture.house import ROOT

from isoflop.audit import CLASSES, LEVELS

PAGE = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("word", [*LEVELS, *CLASSES])
def test_the_page_says_what_it_means(word: str) -> None:
    assert f"`{word}`" in PAGE
