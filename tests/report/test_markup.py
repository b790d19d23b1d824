from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from tests.report.samples import ANSWER, HOSTILE, LEDGERS, MEMORY, TOO_LARGE, answers, hostile_answer, hostile_ledger

from isoflop.relation.answer import Answer, Ledger
from isoflop.report import (
    answer_html,
    answer_latex,
    answer_markdown,
    answer_mermaid,
    ledger_html,
    ledger_markdown,
    page,
    styled,
)
from isoflop.report.layout import clean
from isoflop.report.markup import latex_text, markdown_cell, markdown_text, mermaid_text

ALLOWED = {
    *("section", "p", "strong", "span", "div", "h1", "h3", "h4", "ul", "li", "dl", "dt", "dd", "details", "summary"),
    *("table", "thead", "tbody", "caption", "tr", "th", "td", "code", "a", "style", "html", "head", "meta", "title"),
    *("body", "main"),
}
ATTRIBUTES = {"class", "id", "href", "open", "scope", "colspan", "role", "lang", "charset", "name", "content", "rel"}


class Reader(HTMLParser):
    """Collects what a browser would see: tags in order, attributes, text; fails where tags do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.ids: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name == "href"}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    assert reader.tags <= ALLOWED
    assert reader.attributes <= ATTRIBUTES
    assert len(reader.ids) == len(set(reader.ids))
    assert {one for one in reader.links if not re.match("https?://", one)} <= {f"#{one}" for one in reader.ids}
    return reader


def rendered(markdown: str) -> Reader:
    """The Markdown as a CommonMark reader with tables and raw HTML allowed would show it."""
    reader = Reader()
    reader.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))
    return reader


@pytest.mark.parametrize("text", HOSTILE)
def test_html_shows_hostile_text_as_text(text: str) -> None:
    reader = read(page("a page", answer_html(hostile_answer(text)), ledger_html(hostile_ledger(text))))
    assert clean(text) in reader.text


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_hostile_text_as_text(text: str) -> None:
    for drawn in (answer_markdown(hostile_answer(text)), answer_markdown(hostile_answer(text), explain=False)):
        reader = rendered(drawn)
        assert reader.tags <= {"a", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
        assert clean(text) in " ".join(reader.text.split())
    assert clean(text) in " ".join(rendered(ledger_markdown(hostile_ledger(text))).text.split())


@given(st.text(min_size=1, max_size=80))
def test_markdown_round_trip(text: str) -> None:
    shown = rendered(f"- {markdown_text(text)}\n\n| a |\n|---|\n| {markdown_cell(text)} |\n")
    assert shown.tags <= {"ul", "li", "table", "thead", "tbody", "tr", "th", "td"}
    assert "".join(shown.text.split()) == "".join((clean(text) + "a" + clean(text)).split())


@given(answers())
def test_any_answer_is_well_formed_html(answer: Answer) -> None:
    read(answer_html(answer))
    read(answer_html(answer, explain=False, anchor="a b"))


@given(LEDGERS)
def test_any_ledger_is_well_formed_html(ledger: Ledger) -> None:
    read(ledger_html(ledger))
    ledger_markdown(ledger)


def test_the_page_loads_nothing() -> None:
    html = page("plan", answer_html(ANSWER), ledger_html(MEMORY))
    assert html.startswith("<!DOCTYPE html>")
    assert not re.search(r"url\(|@import|<script|<link|<img|\ssrc=", html)
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


def test_every_number_leads_to_its_step() -> None:
    html = answer_html(ANSWER)
    assert 'id="params-step-7"' in html
    assert '<a href="#params-step-8">[8]</a>' in html
    assert "&#x27;" not in read(html).text


def test_a_ledger_over_its_limit_warns() -> None:
    assert '<p class="warning">104 GiB needed' in ledger_html(TOO_LARGE)
    assert "**104 GiB needed" in ledger_markdown(TOO_LARGE)


def test_styled_fragments_carry_their_style() -> None:
    html = styled(answer_html(ANSWER))
    assert html.startswith("<div><style>")
    read(html)


def test_markdown_derivation() -> None:
    text = answer_markdown(ANSWER)
    assert text.startswith("**params = 1.1T (860B to 1.43T) or 28.4B (20B to 31B)**\n\n| step | quantity | value |")
    assert (
        "| \\[9\\] | params | 1.1T (860B to 1.43T) | train\\_flops / (flops\\_per\\_param\\_token · tokens)"
        " with \\[8\\], \\[6\\], \\[2\\] | kaplan2020 §2.1 |" in text
    )
    assert "**Sources:**\n\n- kaplan2020: Kaplan et al. (2020), Scaling Laws" in text
    assert "**Mind:**\n\n- 3.6 tokens per parameter" in text


LATEX = r"""\begin{align*}
\text{[1]}\quad K &= \text{\$100M} && \text{given} \\
\text{[2]}\quad D &= \text{4T} && \text{given} \\
\text{[3]}\quad \eta &= \text{38.7 (30 to 50) \%} && \text{given} \\
\text{[4]}\quad P &= \text{275 TFLOP/s/chip} && \text{catalogue; cloud.google.com/tpu/docs 2022-05-11} \\
\text{[5]}\quad p &= \text{\$1.45/chip/h} && \text{catalogue} \\
\text{[6]}\quad k &= \text{6 FLOP/param/token} && \text{assumed; kaplan2020 \S{}2.1} \\
"""


def test_latex_derivation() -> None:
    text = answer_latex(ANSWER)
    assert text.startswith(LATEX)
    assert r"\psi &= \frac{P\,\eta}{p} = \text{2.65\(\times 10^{17}\) (2.05\(\times 10^{17}\) to " in text
    assert text.endswith("\\end{align*}\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_latex_runs_no_hostile_command(text: str) -> None:
    drawn = answer_latex(hostile_answer(text))
    assert r"\input" not in drawn
    assert "\\end{align*}" not in drawn[:-13]
    assert unescaped(drawn, "%#$_^~") == ""


@given(answers())
def test_latex_braces_close(answer: Answer) -> None:
    plain = re.sub(r"\\[{}]", "", answer_latex(answer))
    assert plain.count("{") == plain.count("}")


def test_latex_writes_greek_and_powers_as_mathematics() -> None:
    assert latex_text("αλ 10⁻²") == r"\(\alpha\)\(\lambda\) 10\(^{-}\)\(^2\)"


@given(st.text())
def test_latex_text_leaves_nothing_special(text: str) -> None:
    assert unescaped(latex_text(text), "%#$&") == ""


def unescaped(latex: str, special: str) -> str:
    """Special characters that no backslash stands before; powers in mathematics and `&=` of align are meant."""
    plain = re.sub(r"\\\(.*?\\\)|\\.|&=|&&", "", latex)
    return "".join(char for char in plain if char in special)


def test_mermaid_flowchart() -> None:
    lines = answer_mermaid(ANSWER).split("\n")
    assert lines[0] == "flowchart TD"
    assert '  s1["train_cost = $100M"]:::given' in lines
    assert '  s6["flops_per_param_token = 6 FLOP/param/token"]:::assumed' in lines
    assert '  s8["train_flops = 2.65e25 FLOP<br>= train_cost · flops_per_usd"]:::computed' in lines
    assert {"  s8 --> s9", "  s6 --> s9", "  s2 --> s9"} <= set(lines)


@given(st.text())
def test_mermaid_labels_hold_no_marks(text: str) -> None:
    assert not set('"<>[]{}|`&\\\n') & set(mermaid_text(text))


@given(answers())
def test_any_answer_is_one_node_a_line(answer: Answer) -> None:
    for line in answer_mermaid(answer).strip().split("\n")[1:]:
        assert re.fullmatch(r'  (s\d+\["[^"]*"\]:::\w+|s\d+ --> s\d+|classDef .*)', line)
