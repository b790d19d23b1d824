"""Every answer in every form: reports that stand alone, Methods with citations, model cards, charts in a page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest
from tests.report.samples import ANSWER, MEMORY

import isoflop
from isoflop.errors import MissingData
from isoflop.report import drawn, table_csv, table_latex
from isoflop.report.drawings import _MAKERS
from isoflop.report.methods import Methods, Sentence, methods_bibtex, methods_latex, methods_markdown
from isoflop.report.report_page import Origin, document
from isoflop.training import Layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.report import Drawn


@cache
def account() -> object:
    from isoflop import hardware
    from isoflop.model import model
    from isoflop.training import Terms, account_of, advise, tariff_of

    device = hardware.device("h100-sxm")
    advice = advise(model("gpt2-xl"), "8xh100-sxm", layout=Layout(dp=8))
    return account_of(advice, device, 10e9, tariff_of(device), Terms())


@cache
def fit() -> object:
    return isoflop.laws.fit(isoflop.laws.read_runs("tests/laws/runs/chinchilla_dots.csv"), "chinchilla")


ANSWERS: dict[str, Callable[[], object]] = {
    "answer": lambda: ANSWER,
    "ledger": lambda: MEMORY,
    "plan": cache(lambda: isoflop.plan(train_cost="$4k", on="tpu-v4", commitment="3y", samples=500)),
    "fit": fit,
    "check": cache(lambda: isoflop.check(train_flops=3.14e23, params="175B", tokens="300B")),
    "training": cache(lambda: isoflop.training("gpt2-xl", "8xh100-sxm", tokens="10B", layout=Layout(dp=8))),
    "serving": cache(lambda: isoflop.serving("llama-3.1-8b", "1xh100-sxm", concurrency=4, input="1k", output=128)),
    "cost": account,
    "audit": cache(lambda: isoflop.audit("examples/gpt4_price.toml", mfu="40%")),
    "model": cache(lambda: isoflop.model("gpt2")),
}


@cache
def page_of(name: str) -> str:
    return document(drawn(ANSWERS[name]()), Origin(command="isoflop <b>", version="0", date="2026-01-01"))


@pytest.fixture(params=ANSWERS)
def form(request: pytest.FixtureRequest) -> Drawn:
    return drawn(ANSWERS[request.param]())


def test_every_form_of_every_answer(form: Drawn) -> None:
    assert form.text()
    assert form.text(explain=True, width=60, color=True, ascii_only=True).isascii()
    assert json.loads(json.dumps(dict(form.json()), allow_nan=False))
    assert form.markdown(True)  # noqa: FBT003 - the one choice
    assert form.table is not None
    columns, rows = form.table()
    rows = [list(row) for row in rows]
    assert len(table_csv(columns, rows).splitlines()) >= len(rows) + 1
    latex = table_latex(columns, rows)
    assert latex.count(r"\\") == len(rows) + 1
    assert latex.count("{") == latex.count("}")


@pytest.mark.parametrize("name", ANSWERS)
def test_a_report_stands_alone(name: str) -> None:
    page = page_of(name)
    assert "<script" not in page
    assert not re.search(r"""(?:src|srcset)=["']?http|@import|url\(\s*["']?http|<link""", page)
    assert "isoflop &lt;b&gt;" in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    lead = set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page))
    assert not lead - set(ids)


def test_numbers_of_a_report_lead_to_their_steps() -> None:
    for name in ("plan", "training", "cost", "serving"):
        page = page_of(name)
        assert len(re.findall(r'<td class="ref"><a href="#', page)) >= 5


def test_charts_of_a_page_follow_its_mode() -> None:
    page = page_of("plan")
    assert page.count("<svg") == 2 * 3  # three charts, each for wide and narrow screens
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        assert not re.search(r'(?:fill|stroke)="#[0-9a-fA-F]{6}"', svg)
        named = set(re.findall(r"var\((--[a-z0-9-]+)\)", svg))
        assert named
        for name in named:
            assert page.count(f"{name}:#") == 2  # a colour for light, one for dark


def test_a_report_says_which_chart_it_lacks() -> None:
    made = drawn(ANSWER)

    def lacks(width: int, mode: str) -> None:
        raise MissingData("no curve is known")

    page = document(replace(made, charts={"loss": lacks}))  # type: ignore[dict-item]  # draws nothing
    assert "No chart &#x27;loss&#x27;: no curve is known" in page


def test_nothing_draws_what_is_no_answer() -> None:
    with pytest.raises(MissingData, match="nothing draws a str"):
        drawn("text")


def test_every_class_that_is_drawn_exists() -> None:
    from importlib import import_module

    for path, home in _MAKERS.items():
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(import_module(module), name), type)
        assert callable(import_module(f"isoflop.report.{home}").drawn)


def test_a_fit_is_drawn() -> None:
    found = drawn(fit())
    assert "alpha" in found.text()
    assert found.table is not None
    names = [row[0] for row in found.table()[1]]
    assert names[:2] == ["E", "A"]


METHODS = Methods(
    sentences=(
        Sentence(text="It costs $4k at 40 % of 1.2e21 FLOP", cites=("kaplan2020 §2.1", "definition")),
        Sentence(text="It emits 5_t", cites=("patterson2021", "kaplan2020")),
    ),
    version="1.2",
)


def test_methods_in_plain_english() -> None:
    text = methods_markdown(METHODS)
    assert r"It costs \$4k at 40 % of 1.2e21 FLOP (Kaplan et al. 2020)." in text
    assert text.count("<https://arxiv.org/abs/2001.08361>") == 1


def test_methods_in_latex_cite_what_the_bibliography_has() -> None:
    latex, bib = methods_latex(METHODS), methods_bibtex(METHODS)
    assert r"It costs \$4k at 40 \% of 1.2\(\times 10^{21}\) FLOP~\cite{isoflop,kaplan2020}." in latex
    cited = {key for keys in re.findall(r"\\cite\{([^}]+)\}", latex) for key in keys.split(",")}
    assert cited == set(re.findall(r"^@\w+\{([^,]+),", bib, re.MULTILINE))
    assert "author = {Kaplan and others}" in bib
    assert bib.count("{") == bib.count("}")


@pytest.mark.parametrize("name", ["plan", "training", "cost"])
def test_methods_of_answers_cite_known_works(name: str) -> None:
    more = drawn(ANSWERS[name]()).more
    latex, bib = more["latex"](), more["bibtex"]()
    cited = {key for keys in re.findall(r"\\cite\{([^}]+)\}", latex) for key in keys.split(",")}
    assert cited == set(re.findall(r"^@\w+\{([^,]+),", bib, re.MULTILINE))
    assert "nothing was measured" in more["methods"]()


@pytest.mark.parametrize("name", ["plan", "cost"])
def test_a_model_card_is_read_by_the_hub(name: str) -> None:
    hub = pytest.importorskip("huggingface_hub")
    text = drawn(ANSWERS[name]()).more["card"]()
    block = hub.ModelCard(text, ignore_metadata_errors=False).data.co2_eq_emissions
    assert set(block) == {"emissions", "source", "training_type", "geographical_location", "hardware_used"}
    made = ANSWERS[name]()
    if name == "plan":
        kilograms = made.answers["train_emissions"].value  # type: ignore[attr-defined]  # a plan
    else:
        lines = made.parts["energy"]  # type: ignore[attr-defined]  # an account
        kilograms = next(line.value for line in lines if line.name.startswith("emissions, "))
    assert block["emissions"] == pytest.approx(1e3 * kilograms, rel=1e-3)  # grams, as the Hub wants
    assert block["training_type"] == "pre-training"
    assert "not a measurement" in block["source"]
    assert "Assumptions:" in text
