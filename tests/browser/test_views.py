"""Each view used as a person would: type, slide, paste, upload, compare, reload; by day, by night, on a telephone."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from tests.web.test_pages import RUNS

from isoflop.web.fields import View
from isoflop.web.views import all_views

VIEWS = list(all_views().values())
MENU = [view for view in VIEWS if not view.under and view.name != "accuracy"]
NIGHT = {"color_scheme": "dark"}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
WITHOUT = {"java_script_enabled": False}
ALL_DRAWN = "[...document.querySelectorAll('figure.chart')].every((one) => one.dataset.drawn)"


def await_charts(page: Page, least: int = 0) -> None:
    """Until every chart is drawn; by polling, for the page's policy lets nobody evaluate text, Playwright neither."""
    for _ in range(400):
        if page.locator("figure.chart").count() >= least and page.evaluate(ALL_DRAWN):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"not drawn: {[one.inner_text() for one in page.locator('figure.chart').all()]}")


def path_of(view: View) -> str:
    words = view.first or dict(view.examples[0][1])
    return f"/{view.name}?{urlencode(words)}"


def named(part: object) -> str | None:
    return part.name if isinstance(part, View) else None


def faults(page: Page) -> list[str]:
    """What axe-core finds wrong."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['target']} {node['html'][:120]}" for one in found for node in one["nodes"][:3]]


@pytest.mark.parametrize("view", VIEWS, ids=named)
def test_it_can_be_read_by_day_by_night_and_on_a_telephone(look: Page, view: View) -> None:
    look.goto(path_of(view), timeout=60_000)
    await_charts(look)
    look.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    await_charts(look)
    if not view.under:  # a tab is of the same stuff: once is enough
        assert faults(look) == []
    look.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert faults(look) == []
    look.set_viewport_size({"width": 390, "height": 844})
    assert look.evaluate("document.documentElement.scrollWidth") == 390
    look.set_viewport_size({"width": 3840, "height": 2160})
    assert look.evaluate("document.documentElement.scrollWidth") == 3840


@pytest.mark.parametrize("path", ["/", "/api", "/plan", "/plan?on=nothing"])
@pytest.mark.parametrize("look", [NIGHT], indirect=True, ids=["night"])
def test_pages_without_an_answer_are_as_readable(look: Page, path: str) -> None:
    look.goto(path)
    assert faults(look) == []


@pytest.mark.parametrize("look", [PHONE], indirect=True, ids=["phone"])
def test_charts_are_drawn_to_the_width_of_a_telephone(look: Page) -> None:
    look.goto(path_of(all_views()["training"]))
    await_charts(look, 3)
    assert look.evaluate("document.documentElement.scrollWidth") == 390
    sizes = look.evaluate("[...document.querySelectorAll('figure.chart text')].map((one) => one.getBBox().height)")
    scale = look.evaluate("(() => { const one = document.querySelector('figure.chart svg'); "
                          "return one.getBoundingClientRect().width / one.viewBox.baseVal.width; })()")  # fmt: skip
    assert scale * max(sizes) > 9, "words shrink to nothing"


@pytest.mark.parametrize("view", [*MENU, all_views()["laws/allocate"]], ids=named)
@pytest.mark.parametrize("look", [WITHOUT], indirect=True, ids=["no script"])
def test_without_javascript_every_view_answers(look: Page, view: View) -> None:
    look.goto(f"/{view.name}")
    words = dict(view.first or view.examples[0][1])
    for name, text in words.items():
        field = look.locator(f'[name="{name}"]')
        if not field.is_visible():
            look.locator("details.group", has=field).locator("summary").click()
        if field.evaluate("one => one.tagName") == "SELECT":
            field.select_option(text)
        else:
            field.fill(text)
    look.get_by_role("button", name=view.button).click()
    expect(look.locator("#answer .facts .value").first).not_to_be_empty()
    for image in look.locator("figure.chart img").all():
        image.scroll_into_view_if_needed()
        assert image.evaluate("one => one.decode().then(() => one.naturalWidth)") > 200


def test_typing_changes_the_answer_and_the_address(look: Page) -> None:
    look.goto("/plan")
    look.get_by_label("Budget", exact=True).fill("$4k")
    look.get_by_label("Devices", exact=True).fill("8xh100-sxm")
    expect(look.locator("#answer")).to_contain_text("$4,000 buys")
    expect(look).to_have_url(re.compile(r"/plan\?budget=%244k&on=8xh100-sxm$"))
    await_charts(look)
    before = look.locator("#answer .facts").inner_text()
    look.reload()
    expect(look.get_by_label("Budget", exact=True)).to_have_value("$4k")
    assert look.locator("#answer .facts").inner_text() == before


def test_a_slider_writes_into_its_field(look: Page) -> None:
    look.goto("/plan?budget=$4k&on=8xh100-sxm")
    slider = look.get_by_label("Budget, slide")
    assert float(slider.input_value()) == pytest.approx(3.6, abs=0.011)
    slider.fill("6")
    expect(look.get_by_label("Budget", exact=True)).to_have_value("$1M")
    expect(look.locator("#answer")).to_contain_text("$1M buys")


def test_tabs_lead_to_what_stands_under_a_view(look: Page) -> None:
    look.goto("/laws")
    look.get_by_role("navigation", name="Laws").get_by_role("link", name="A run under way").click()
    look.get_by_label("or an example's").select_option("cosine")
    look.get_by_label("Whole length").fill("4000")
    expect(look.locator("#answer")).to_contain_text("will end at")
    await_charts(look, 1)
    expect(look.locator(".top [aria-current]")).to_have_text("Laws")


def test_a_number_opens_its_derivation(look: Page) -> None:
    look.goto("/plan?budget=$4k&on=8xh100-sxm&mfu=40%25")
    part = look.locator("details#plan")
    expect(part).not_to_have_attribute("open", "")
    number = look.locator("a.derive", has_text="FLOP = ")
    tip = look.locator(f"#{number.get_attribute('aria-describedby')}")
    expect(tip).to_be_hidden()
    number.focus()
    expect(tip).to_contain_text("train_flops = ")
    expect(tip).to_be_visible()
    look.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    number.hover()
    look.keyboard.press("Shift")
    expect(tip).to_be_visible()
    look.keyboard.press("Enter")
    expect(part).to_have_attribute("open", "")
    step = look.locator(str(number.get_attribute("href")))
    expect(step).to_be_in_viewport()
    expect(step).to_contain_text("train_flops")


def test_a_chart_says_what_a_point_is(look: Page) -> None:
    look.goto("/serving?model=llama-3.1-8b&on=1xh100-sxm&concurrency=8")
    await_charts(look)
    assert look.locator("figure.chart svg").count() == 3
    assert look.locator("figure.chart svg text").count() > 20


def test_a_pasted_config_is_counted(look: Page) -> None:
    look.goto("/model")
    look.get_by_label("or paste a config.json").fill(
        '{"model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, '
        '"num_attention_heads": 32, "vocab_size": 32000}'
    )
    expect(look.locator("#answer")).to_contain_text("6,738,415,616")
    look.reload()
    expect(look.locator("#answer")).to_contain_text("6,738,415,616")


def test_a_pasted_text_is_audited(look: Page) -> None:
    look.goto("/audit")
    look.get_by_label("It is").select_option("napkin (TOML)")
    look.get_by_label("MFU where it was forgotten").fill("32% to 49%")
    look.get_by_label("Text", exact=True).fill(all_views()["audit"].first["text"])
    expect(look.locator("#answer")).to_contain_text("3 wrong")
    await_charts(look, 1)


def test_uploaded_runs_are_fitted_and_drawn(look: Page) -> None:
    look.goto("/laws")
    look.get_by_label("A table of runs").set_input_files(
        {"name": "runs.csv", "mimeType": "text/csv", "buffer": RUNS.encode()}
    )
    expect(look.locator("#answer")).to_contain_text("30 rows")
    await_charts(look, 5)
    assert look.locator("figure.chart svg").count() == 3, "the rest is drawn once it is unfolded"
    look.locator("summary", has_text="What the law leaves").click()
    expect(look.locator("#chart-residuals svg")).to_have_count(1)
    assert "params" not in look.url, "a file does not go into the address"


def test_plans_are_pinned_and_compared(look: Page) -> None:
    look.goto("/plan?budget=$4k&on=8xh100-sxm&mfu=40%25")
    look.get_by_role("link", name="Pin and compare").click()
    look.get_by_label("Budget", exact=True).fill("$40k")
    table = look.locator(".compare table")
    expect(look.locator("#answer")).to_contain_text("$40,000 buys")
    expect(table).to_contain_text("$4,000 buys")
    expect(table.locator("thead th")).to_have_count(3)
    look.reload()
    expect(table.locator("thead th")).to_have_count(3)
    table.get_by_role("link", name="Take away").click()
    expect(look.locator(".compare")).to_have_count(0)


def test_what_cannot_be_read_is_said_in_place(look: Page) -> None:
    look.goto("/solve?target=params&knowns=tokens%3D4T")
    expect(look.get_by_role("alert")).to_contain_text("Undetermined")
    look.get_by_label("What you know").fill("tokens=4T\ntokens_per_param=20")
    expect(look.get_by_role("alert")).to_have_count(0)
    expect(look.locator("#answer .value .derive").first).to_have_text("200B")
