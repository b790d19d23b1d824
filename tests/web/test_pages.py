"""Every view as people see it, without a browser: what it answers, that each number leads to its derivation."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient
from tests.web.pages import FRAGMENT, address

from isoflop.web.fields import View
from isoflop.web.views import all_views

QUICK = [view for view in all_views().values() if view.name != "accuracy"]
HEAVY = {"form", "train-below"}
"""Words of examples that take seconds: test_laws.py asks the same of fewer runs."""

ASKED = [(view, dict(words)) for view in QUICK for _, words in view.examples if not HEAVY & set(words)]
RUNS = "params,tokens,loss\n" + "".join(
    f"{n:.6g},{d:.6g},{1.8 + 480 / n**0.35 + 2100 / d**0.37:.6f}\n"
    for n in (5e7, 1e8, 2e8, 4e8, 8e8, 1.6e9)
    for d in (1e9, 3e9, 9e9, 2.7e10, 8.1e10)
)


class Reader(HTMLParser):
    """Ids, links to places in the page, unclosed elements, and labels of a page."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "source", "option", "hr", "rect", "path"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.places: list[str] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.labelled: set[str] = set()
        self.fields: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        if held.get("id"):
            self.ids.append(str(held["id"]))
        if str(held.get("href", "")).startswith("#"):
            self.places.append(str(held["href"])[1:])
        if tag == "label":
            self.labelled.add(str(held["for"]))
        if tag in {"input", "select", "textarea"} and "aria-label" not in held:
            self.fields.add(str(held["id"]))
        if "style" in held or any(name.startswith("on") for name in held):
            self.wrong.append(f"{tag} has a style or a handler inline, which the policy forbids")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")


def check(text: str) -> Reader:
    read = Reader(text)
    assert not read.wrong
    assert not read.open
    assert len(read.ids) == len(set(read.ids)), "two elements have one id"
    assert not set(read.places) - set(read.ids), "links lead nowhere"
    assert not read.fields - read.labelled, "fields without a label"
    return read


@pytest.mark.parametrize("path", ["/", "/api", *(f"/{view.name}" for view in QUICK)])
def test_every_page_is_whole(page: TestClient, path: str) -> None:
    answer = page.get(path)
    assert answer.status_code == 200
    check(answer.text)
    assert (
        re.findall(r'(?:src|href|srcset|action)="(?:https?:)?//', re.sub(r'<a [^>]*rel="noreferrer">', "", answer.text))
        == []
    )


@pytest.mark.parametrize(("view", "words"), ASKED, ids=lambda part: part.name if isinstance(part, View) else None)
def test_every_example_answers_whole(page: TestClient, view: View, words: dict[str, str]) -> None:
    answer = page.get(address(f"/{view.name}", **words))
    assert answer.status_code == 200
    read = check(answer.text)
    assert '<dl class="facts">' in answer.text
    assert read.places, "no number leads to its derivation"


def test_every_number_of_a_plan_opens_its_derivation(page: TestClient) -> None:
    text = page.get(address("/plan", budget="$4k", on="tpu-v4", commitment="3y"), headers=FRAGMENT).text
    bare = re.findall(r"<dt>([^<]*)</dt>\s*<dd><span class=\"value\">(?!<a )", text)
    assert bare == ["start from"], "the settings of a rule of thumb alone have no derivation"
    found = re.search(r'href="#(plan-step-\d+)" aria-describedby="([^"]*)">2,7\d\d chip-hours', text)
    assert found is not None
    assert f'<tr id="{found[1]}">' in text
    tip = re.search(rf'role="tooltip" id="{found[2]}">([^<]*)<', text)
    assert tip is not None
    assert "chip_time = " in tip[1]


def test_the_address_is_the_state(page: TestClient) -> None:
    text = page.get(address("/plan", budget="$5k", on="8xh100-sxm", mfu="40%")).text
    assert 'name="budget" value="$5k"' in text
    assert 'name="mfu" value="40%"' in text
    assert "$5,000 buys" in text
    assert "/download/plan.json?budget=%245k&amp;mfu=40%25&amp;on=8xh100-sxm" in text


def test_what_is_shown_unasked_has_its_charts_and_files_too(page: TestClient) -> None:
    text = page.get("/devices").text
    assert 'data-src="/chart/devices/roof.json?"' in text
    assert page.get("/chart/devices/roof.json?").status_code == 200
    assert '<a href="/download/devices.csv?">CSV</a>' in text


def test_a_fragment_is_the_answer_of_the_page(page: TestClient) -> None:
    path = address("/solve", target="train_flops", knowns="params=7B\ntokens=2T")
    alone, whole = page.get(path, headers=FRAGMENT).text, page.get(path).text
    assert "<html" not in alone
    assert alone.strip() in whole
    assert "8.4e22 FLOP" in alone


def test_without_words_a_view_says_how_to_begin(page: TestClient) -> None:
    assert "start from an example" in page.get("/plan").text
    assert "start from an example" in page.get("/plan?budget=&on=").text


def test_a_pasted_config_is_counted(page: TestClient) -> None:
    config = (
        '{"model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, '
        '"num_attention_heads": 32, "vocab_size": 32000}'
    )
    text = page.post("/model", data={"config": config}, headers=FRAGMENT).text
    assert "6,738,415,616" in text


def test_a_pasted_text_is_audited_and_the_slips_are_named(page: TestClient) -> None:
    view = all_views()["audit"]
    text = page.post("/audit", data=dict(view.first), headers=FRAGMENT).text
    assert "3 wrong" in text
    assert "x32 too small" in text
    assert 'data-post="/chart/audit/tornado.json"' in text or 'data-src="/chart/audit/tornado.json' in text


def test_uploaded_runs_are_fitted(page: TestClient) -> None:
    answer = page.post("/laws", files={"runs": ("runs.csv", RUNS)}, data={"form": "chinchilla"}, headers=FRAGMENT)
    assert answer.status_code == 200
    facts = re.sub(r"<[^>]+>|\s+", " ", answer.text)
    assert re.search(r"alpha\s+0\.3[45]\d*", facts), facts[:600]
    assert "30 rows" in facts


def test_a_form_without_javascript_gets_its_charts_as_svg(page: TestClient) -> None:
    head, *rows = RUNS.splitlines()
    long = "\n".join(
        [f"{head},name", *(f"{row},{'a run with a long name ' * 10}{place}" for place, row in enumerate(rows))]
    )
    table = page.post("/laws", files={"runs": ("runs.csv", long)}, data={"form": "power-params"}).text
    assert "data-post=" in table
    assert table.count("<svg") == 4, "two charts, by day and by night"
    check(re.sub(r"<svg.*?</svg>", "", table, flags=re.DOTALL))


def test_charts_come_for_the_browser_and_as_svg(page: TestClient) -> None:
    words = {"budget": "$4k", "on": "tpu-v4", "commitment": "3y"}
    spec = page.get(address("/chart/plan/loss.json", width="400", **words)).json()
    assert set(spec) == {"spec", "light", "dark"}
    assert "config" not in spec["spec"]
    svg = page.get(address("/chart/plan/memory.svg", mode="dark", **words))
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert svg.text.startswith("<svg")
    assert page.get(address("/chart/plan/nothing.svg", **words)).status_code == 400
    assert page.get(address("/chart/plan/loss.gif", **words)).status_code == 400


def test_four_answers_stand_side_by_side(page: TestClient) -> None:
    path = address("/solve", target="train_flops", knowns="params=7B\ntokens=2T")
    for count in range(1, 5):
        text = page.get(path).text
        found = re.search(r'<a href="(/solve\?[^"]*pin=[^"]*)">Pin and compare</a>', text)
        assert found is not None
        path = found[1].replace("&amp;", "&").replace(f"{count + 1}T", f"{count + 2}T", 1)
    text = page.get(path).text
    assert text.count(">take away</a>") == 4
    assert "Pin and compare" not in text
    assert page.get(path + "&pin=target%3Dparams").status_code == 400
    for tokens in ("8.4e22", "1.26e23", "1.68e23", "2.1e23", "2.52e23"):
        assert tokens in text


@pytest.mark.parametrize(("of", "what"), [("serving", "time to first token"), ("training", "peak memory")])
def test_the_record_says_how_far_predictions_were_off(page: TestClient, of: str, what: str) -> None:
    text = page.get(address("/accuracy", of=of), headers=FRAGMENT).text
    check(text)
    facts = re.sub(r"<[^>]+>|\s+", " ", text)
    found = re.search(rf"{what} +(\d+\.\d) % median error", facts)
    assert found is not None
    assert 0 < float(found[1]) < 60
    assert "kept apart" in facts, "these rows were fitted to, and that is said"
    assert page.get(address("/accuracy", of="nothing")).status_code == 400


def test_an_answer_comes_as_a_file(page: TestClient) -> None:
    words = {"device": "h100-sxm-80gb"}
    for form, start in (("json", "{"), ("csv", "device,"), ("html", "<!DOCTYPE html>")):
        answer = page.get(address(f"/download/prices.{form}", **words))
        assert answer.text.startswith(start)
        assert answer.headers["content-disposition"] == f'attachment; filename="isoflop-prices.{form}"'
    assert (
        page.get(address("/download/solve.csv", target="params", knowns="train_flops=1e21\ntokens=20B")).status_code
        == 422
    )


def test_a_layout_comes_as_settings_of_training_tools(page: TestClient) -> None:
    words = {"model": "llama-3.1-8b", "on": "8xh100-sxm", "sequence": "8k"}
    text = page.get(address("/training", **words), headers=FRAGMENT).text
    assert "Settings for training tools" in text
    for tool, said in (("megatron", "--tensor-model-parallel-size"), ("torchtitan", "["), ("deepspeed", "{")):
        answer = page.get(address(f"/download/training.{tool}", **words))
        assert answer.status_code == 200
        assert said in answer.text
    assert page.get(address("/download/training.nothing", **words)).status_code == 422


def test_a_run_is_accounted_for_and_goes_into_a_model_card(page: TestClient) -> None:
    words = {"model": "llama-3.1-8b", "on": "512xh100-sxm", "tokens": "1T"}
    text = page.get(address("/cost", **words), headers=FRAGMENT).text
    check(text)
    assert "t CO2e" in text
    assert "co2_eq_emissions" in page.get(address("/download/cost.card", **words)).text


def test_while_a_slider_moves_the_rows_alone_come(page: TestClient) -> None:
    path = address("/plan", budget="$4k", on="tpu-v4", commitment="3y")
    rows, whole = (page.get(path, headers={"x-fragment": kind}).text for kind in ("rows", "answer"))
    assert whole.startswith(rows.rstrip())
    assert len(rows) < 0.5 * len(whole)
    assert "<details" not in rows


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "'; --"])
def test_what_is_sent_is_never_markup(page: TestClient, text: str) -> None:
    for path in (
        address("/plan", budget=text),
        address("/solve", target=text, knowns=text),
        address("/audit", text=f"{text} 7B x 2T x 6 = 8.4e22"),
        address("/model", model=text),
        f"/{text}",
        address("/plan", budget="$4k", on="tpu-v4", pin=f"budget={text}"),
        address("/plan", **{"bud<b>get": text}),
    ):
        answer = page.get(path)
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert "<b>get" not in answer.text


def test_the_first_page_is_light(page: TestClient) -> None:
    """What a browser loads before and while it draws: at most 400 kB compressed."""
    total, words = 0, {"budget": "$4k", "on": "tpu-v4"}
    files = [f"/static/{name}" for name in ("page.css", "page.js", "report.css", "vega.js")]
    for path in (address("/plan", **words), *files, address("/chart/plan/loss.json", **words)):
        with page.stream("GET", path, headers={"accept-encoding": "gzip"}) as answer:
            total += sum(len(part) for part in answer.iter_raw())
            assert answer.headers["content-encoding"] == "gzip"
    assert total < 400_000


def test_what_takes_too_long_is_given_up() -> None:
    from tests.web.pages import client

    with client(seconds=1e-4) as hurried:
        answer = hurried.get(address("/training", model="llama-3.1-70b", on="64xh100-sxm"))
    assert answer.status_code == 503
    assert "longer than the page waits" in answer.text
