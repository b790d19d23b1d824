"""Reports in a browser: read by day, by night, on a telephone and on paper; nothing is asked of anybody."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

import isoflop
from isoflop.report import document, drawn

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page


@cache
def page_of(name: str) -> str:
    found = (
        isoflop.plan(train_cost="$4k", on="tpu-v4", commitment="3y", samples=500)
        if name == "plan"
        else isoflop.serving("llama-3.1-8b", "1xh100-sxm", concurrency=4, input="1k", output=128)
    )
    return document(drawn(found))


def opened(browser: Browser, path: Path, name: str, **look: object) -> Page:
    file = path / f"{name}.html"
    file.write_text(page_of(name), encoding="utf-8")
    page = browser.new_page(**look)  # type: ignore[arg-type]  # what a context takes
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.goto(file.as_uri())
    assert asked == [file.as_uri()]
    return page


@pytest.mark.parametrize("name", ["plan", "serving"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 390])
def test_it_can_be_read_everywhere(browser: Browser, tmp_path: Path, name: str, scheme: str, width: int) -> None:
    page = opened(browser, tmp_path, name, color_scheme=scheme, viewport={"width": width, "height": 800})
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    shown = page.locator("figure.chart svg:visible")
    assert shown.count() == page.locator("figure.chart").count()
    drawn_wide = max(shown.nth(place).bounding_box()["width"] for place in range(shown.count()))  # type: ignore[index]
    assert drawn_wide <= width
    page.close()


def test_ink_is_dark_on_paper_whatever_the_screen(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, "plan", color_scheme="dark")
    colour = "getComputedStyle(document.querySelector('main')).color"
    fill = "getComputedStyle(document.querySelector('figure.chart .at-wide svg text')).fill"
    dark, dark_fill = page.evaluate(colour), page.evaluate(fill)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(colour) != dark
    assert page.evaluate(colour) == "rgb(27, 31, 36)"
    assert page.evaluate(fill) != dark_fill
    page.close()


def test_a_number_leads_to_its_step(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, "plan")
    link = page.locator("td.ref a").first
    target = link.get_attribute("href")
    assert target is not None
    link.click()
    assert page.url.endswith(target)
    assert page.locator(f"tr{target} code").first.is_visible()
    page.close()
