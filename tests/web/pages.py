"""A client on loopback, as a browser on the same machine is."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.testclient import TestClient

from isoflop.web import Door, create_app


def client(door: Door | None = None, *, seconds: float = 60.0) -> TestClient:
    """The application, asked by its own name."""
    return TestClient(create_app(door, seconds=seconds), base_url="http://127.0.0.1")


def address(path: str, **words: str) -> str:
    """A path with a query; `as_of` is written as-of."""
    return f"{path}?{urlencode({key.replace('_', '-'): text for key, text in words.items()})}"


FRAGMENT = {"x-fragment": "answer"}
