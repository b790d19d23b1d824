"""One application for all tests of the page: answers are remembered, as they are for people."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient

# Without the extra 'web' only test_extra.py is collected, which says so.
collect_ignore_glob = [] if find_spec("fastapi") and find_spec("httpx2") else ["test_[!e]*.py"]


@pytest.fixture(scope="package")
def page() -> Iterator[TestClient]:
    from tests.web.pages import client

    with client() as made:
        yield made
