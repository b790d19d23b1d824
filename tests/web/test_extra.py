"""Says that the tests of the page were skipped, where what they need is not installed."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("name", ["fastapi", "jinja2", "python_multipart", "uvicorn", "httpx2", "vl_convert"])
def test_what_the_page_needs_is_there(name: str) -> None:
    assert pytest.importorskip(name, reason=f"no tests of the page without {name}: extras web, plot, test") is not None
