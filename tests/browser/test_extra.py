"""Says that the tests in a browser were skipped, where what they need is not installed."""

from __future__ import annotations

import pytest
from tests.browser.conftest import NEEDED


@pytest.mark.parametrize("name", NEEDED)
def test_what_a_browser_is_driven_by_is_there(name: str) -> None:
    assert pytest.importorskip(name, reason=f"no tests in a browser without {name}: extra test") is not None
