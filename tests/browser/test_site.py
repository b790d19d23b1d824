"""The documentation site in a browser: on a phone nothing runs over the edge, and nothing is asked of anybody else."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from docs.build_site import build
from playwright.sync_api import Error
from tests.browser.conftest import CHROMIUM

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = ("index", "glossary", "derivations", "how_wrong", "tours/fine_tuning", "add/device", "notebooks/01_plan")

pytestmark = [
    pytest.mark.skipif(find_spec("zensical") is None, reason="the site needs zensical: pip install -e '.[docs]'"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here"),
]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("built") / "site"
    build(folder, outputs=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_site_fits_a_phone_and_asks_nobody(browser: Browser, site: str) -> None:
    asked: list[str] = []
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        for name in PAGES:
            answered = page.goto(f"{site}/{name}.html")
            assert answered is not None
            assert answered.ok
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, f"{name} runs over the edge"
        page.close()
    assert not [url for url in asked if not url.startswith((site, "data:", "blob:"))]


def test_the_search_finds_a_derivation(browser: Browser, site: str) -> None:
    page = browser.new_page()
    for patience in range(8):  # keys are heard once the page's script has been read, which takes as long as it takes
        page.goto(f"{site}/index.html")
        page.wait_for_timeout(500 * (1 + patience))
        page.keyboard.press("Control+k")
        page.wait_for_timeout(500)
        page.keyboard.type("pipeline bubble")
        found = page.get_by_text("The bubble of a pipeline").first
        try:
            found.wait_for(timeout=8_000)
        except Error:
            continue
        break
    assert found.is_visible()
    page.close()
