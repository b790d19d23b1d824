"""One application for all tests of the page: answers are remembered, as they are for people."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi", reason="the page needs the extra 'web'")

from starlette.testclient import TestClient
from tests.web.pages import client


@pytest.fixture(scope="package")
def page() -> Iterator[TestClient]:
    with client() as made:
        yield made
