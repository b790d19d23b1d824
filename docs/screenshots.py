"""Take the pictures of docs/web.md again: the page in Debian's Chromium, by day and by night.

    python docs/screenshots.py

Needs the extras web, plot and test, and chromium.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from isoflop.web.views import all_views

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = Path(__file__).resolve().parent / "pictures"
TAKEN = (  # file, view, which of its examples, by day or by night, scrolled so far
    ("plan", "plan", 0, "light", 0),
    ("solve", "solve", 0, "light", 0),
    ("training", "training", 0, "dark", 860),
    ("cost", "cost", 1, "dark", 0),
    ("audit", "audit", 0, "light", 0),
    ("laws", "laws", 1, "dark", 0),
    ("compare", "laws/compare", 0, "light", 0),
    ("running", "laws/running", 0, "light", 0),
    ("serving", "serving", 0, "light", 700),
)
SIZE = {"width": 1280, "height": 1000}
DRAWN = "[...document.querySelectorAll('figure.chart')].every((one) => one.dataset.drawn)"


def drawn(page: Page) -> None:
    """Wait until every chart is there."""
    for _ in range(1200):
        if page.locator("figure.chart").count() and page.evaluate(DRAWN):
            return
        page.wait_for_timeout(50)
    raise SystemExit("a chart was not drawn")


def take(where: str) -> None:
    """Every picture."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no Chromium here: apt-get install chromium, or name it in CHROMIUM")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, view, example, mode, under in TAKEN:
            page = browser.new_page(base_url=where, color_scheme=mode, viewport=SIZE)  # type: ignore[arg-type]
            page.goto(f"/{view}?{urlencode(all_views()[view].examples[example][1])}", timeout=120_000)
            drawn(page)
            page.evaluate(f"window.scrollTo(0, {under})")
            page.wait_for_timeout(200)
            page.screenshot(path=PICTURES / f"web-{name}.png")
            page.close()
        browser.close()


def main() -> None:
    """Serve, take, stop."""
    PICTURES.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "isoflop", "web", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        where = process.stdout.readline().strip().rstrip("/")
        for _ in range(400):
            try:
                with urllib.request.urlopen(where, timeout=5):  # noqa: S310 - our own page
                    break
            except OSError:
                time.sleep(0.05)
        take(where)
    finally:
        process.terminate()
        process.wait(timeout=20)


if __name__ == "__main__":
    main()
