"""Audit: a text of claims recomputed; which step is wrong, by what factor, probably why."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from isoflop.audit import audit_text
from isoflop.errors import BadInput
from isoflop.report import Blocks, Row, Section, audit_chart, audit_html, audit_json
from isoflop.report.audit import audit_fragment, headline, result_rows
from isoflop.web.fields import Field, Group, Part, Shown, View
from isoflop.web.names import guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import altair as alt

    from isoflop.audit import Report
    from isoflop.report.chart_audit import AuditChart
    from isoflop.report.chart_theme import Mode

CHARTS = {"tornado": "What each uncertain input does to the result"}
KINDS = ("prose", "napkin (TOML)", "table of claims (CSV)")
_NAMES = dict(zip(KINDS, ("the text.md", "the napkin.toml", "the table.csv"), strict=True))
MOST = 200_000
"""Characters of a text: some fifty pages."""

CLAIM = "GPT-4 was trained on 25,000 A100 for 95 days. At an MFU of 35 % that is 2.15e25 FLOP."
NAPKIN = """\
title = "How large a model do $100M train?"
result = "params"

[units]
slice = "32 chip"

[assume]
1 = { name = "cost", value = "$100m", is = "train_cost" }
2 = { name = "tokens", value = "2T to 4T token", is = "tokens" }
3 = { name = "rent", value = "$33,849/month/slice", is = "price" }
4 = { name = "peak", value = "275 TFLOP/s/chip", is = "peak_rate" }

[imply]
5 = { name = "tokens_per_dollar", expr = "tokens / cost", says = "40k tokens/$", is = "tokens_per_usd" }
6 = { name = "work_per_dollar", expr = "peak / rent", says = "2.12e16 FLOP/$", is = "flops_per_usd" }
7 = { name = "work_per_token", expr = "work_per_dollar / tokens_per_dollar", says = "5.3e11 FLOP/token" }
8 = { name = "params", expr = "work_per_token / 2 [FLOP/param/token]", says = "265B parameters", is = "params" }
"""
FIRST = {"text": NAPKIN, "kind": KINDS[1], "mfu": "32% to 49%"}


def answer(given: Mapping[str, str]) -> Shown:
    """The audit of the text."""
    guarded(given, texts=frozenset({"text"}))
    text = given.get("text", "")
    if not text.strip():
        raise BadInput("paste the text whose numbers are to be recomputed")
    if len(text) > MOST:
        raise BadInput(f"the text has {len(text):,} characters; at most {MOST:,} are read here: take the part in doubt")
    kind = given.get("kind", KINDS[0])
    if kind not in _NAMES:
        raise BadInput(f"kind is one of: {', '.join(KINDS)}")
    return shown(audit_text(text, _NAMES[kind], mfu=given.get("mfu")))


def shown(report: Report) -> Shown:
    """The audit on the page: the verdict, what is right instead, and the text marked up."""
    wrong = tuple(one for one in report.findings if one.is_wrong)
    rows = (Row(label="Verdict", value=headline(report)), *result_rows(report))
    mind = tuple(f"[{one.step}] {one.reason}" for one in wrong)
    sections = (Section(heading="Wrong", lines=mind, loud=True),) if mind else ()
    uncertain = report.sensitivity is not None and any(one.low != one.high for one in report.sensitivity.drivers)
    return Shown(
        blocks=(Blocks(rows=rows, sections=sections),),
        json=lambda: audit_json(report),
        parts=(Part(title="The text, recomputed", anchor="marked", html=audit_fragment(report), open=True),),
        links={row.label: "marked" for row in rows},
        hovers={
            "marked": "Every number of the text recomputed from those before it, in base units; open it to see each."
        },
        charts={kind: _chart(report, kind) for kind in CHARTS if uncertain},
        page=lambda: audit_html(report),
    )


def _chart(report: Report, kind: str) -> Callable[[Mode, int], alt.TopLevelMixin]:
    def draw(mode: Mode, width: int) -> alt.TopLevelMixin:
        return audit_chart(report, cast("AuditChart", kind), width=width, mode=mode)

    return draw


VIEW = View(
    name="audit",
    title="Audit",
    lead="Paste a text with numbers: every step is recomputed, slips are named with their factor.",
    posts=True,
    button="Audit it",
    groups=(
        Group(
            title="The text",
            open=True,
            fields=(
                Field(name="text", label="Text", kind="area", needed=True, example=CLAIM,
                      hint="Prose, a napkin or a table; read in memory, kept nowhere."),
                Field(name="kind", label="It is", kind="choice", choices=KINDS),
                Field(name="mfu", label="MFU where it was forgotten", example="32% to 49%"),
            ),
        ),
    ),
    answer=answer,
    charts=CHARTS,
    first=FIRST,
    examples=(("A napkin with three slips", FIRST), ("A claim about GPT-4", {"text": CLAIM})),
)  # fmt: skip
