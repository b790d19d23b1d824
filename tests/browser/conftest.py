"""A page served on loopback, and Debian's Chromium before it; where there is no browser these tests say so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

# Without them only test_extra.py is collected, which says so.
NEEDED = ("playwright", "axe_playwright_python", "fastapi", "httpx2")
collect_ignore_glob = [] if all(map(find_spec, NEEDED)) else ["test_[!e]*.py"]

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="package")
def address() -> Iterator[str]:
    """The page, served by the command as people start it."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium, or name it in CHROMIUM")
    served = subprocess.Popen(
        [sys.executable, "-m", "isoflop", "web", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert served.stdout is not None
    try:
        where = served.stdout.readline().strip().rstrip("/")
        assert where.startswith("http://127.0.0.1:")
        _await(where)
        yield where
    finally:
        served.terminate()
        served.communicate(timeout=20)


def _await(where: str) -> None:
    import time
    import urllib.request

    for _ in range(400):
        try:
            with urllib.request.urlopen(where, timeout=5):  # noqa: S310 - our own page
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail("the page did not begin to answer")


@pytest.fixture(scope="package")
def browser(address: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        made = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


class Watched:
    """What a page asked for and complained of, while it was open."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.address = address
        self.outside: list[str] = []
        self.complaints: list[str] = []
        context.on("request", lambda asked: self._ask(asked.url))
        context.on("console", lambda said: self._hear(said.type, said.text))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def _hear(self, kind: str, text: str) -> None:
        """Keep what went wrong; that a question was answered with 400 or 422 is no fault of the page."""
        if kind in {"error", "warning"} and "the server responded with a status of 4" not in text:
            self.complaints.append(text)

    def _ask(self, url: str) -> None:
        if not url.startswith((f"{self.address}/", "data:", "blob:")):
            self.outside.append(url)


@pytest.fixture
def look(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A tab of its own; a request that leaves loopback, a script error or a broken policy fails the test at its end.

    Parametrise with what the browser is like: color_scheme, viewport, java_script_enabled.
    """
    like = getattr(request, "param", {})
    context = browser.new_context(base_url=address, **{"viewport": {"width": 1280, "height": 900}, **like})
    watched = Watched(context, address)
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()
    assert watched.outside == []
    assert watched.complaints == []
