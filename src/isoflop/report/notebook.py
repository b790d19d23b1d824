"""Drawings of Answer, Ledger, Plan, Description and the audit's Report in notebooks.

The classes live in a room that draws nothing, so their drawings are hung on from here, once, by `register`. What draws
is imported when something is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from isoflop.relation.answer import Answer, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoflop.ask import Plan
    from isoflop.audit import Report
    from isoflop.model import Description

T = TypeVar("T")


def register() -> None:
    """Give Answer, Ledger and Plan `_repr_html_`, `_repr_markdown_` and a readable `str()`; twice does no harm."""
    from isoflop.ask import Plan  # who draws an answer has asked, or will

    _draw(Answer, _answer_html, _answer_markdown, _answer_text)
    _draw(Ledger, _ledger_html, _ledger_markdown, _ledger_text)
    _draw(Plan, _plan_html, _plan_markdown, _plan_text)


def register_models() -> None:
    """The same for the description of a model."""
    from isoflop.model import Description

    _draw(Description, _model_html, _model_markdown, _model_text)


def register_audits() -> None:
    """The same for the report of an audit."""
    from isoflop.audit import Report

    _draw(Report, _audit_html, _audit_markdown, _audit_text)


def _draw(cls: type[T], html: Callable[[T], str], markdown: Callable[[T], str], text: Callable[[T], str]) -> None:
    for name, draw in (("_repr_html_", html), ("_repr_markdown_", markdown), ("__str__", text)):
        setattr(cls, name, draw)


def _answer_html(answer: Answer) -> str:
    from isoflop.report.html import answer_html, styled

    return styled(answer_html(answer, explain=False))


def _answer_markdown(answer: Answer) -> str:
    from isoflop.report.markdown import answer_markdown

    return answer_markdown(answer)


def _answer_text(answer: Answer) -> str:
    from isoflop.report.text import answer_text

    return answer_text(answer)


def _ledger_html(ledger: Ledger) -> str:
    from isoflop.report.html import ledger_html, styled

    return styled(ledger_html(ledger))


def _ledger_markdown(ledger: Ledger) -> str:
    from isoflop.report.markdown import ledger_markdown

    return ledger_markdown(ledger)


def _ledger_text(ledger: Ledger) -> str:
    from isoflop.report.text import ledger_text

    return ledger_text(ledger)


def _plan_html(plan: Plan) -> str:
    from isoflop.report.blocks import blocks_html
    from isoflop.report.html import styled
    from isoflop.report.plan import plan_blocks

    return styled(blocks_html(plan_blocks(plan)))


def _plan_markdown(plan: Plan) -> str:
    from isoflop.report.plan import plan_markdown

    return plan_markdown(plan)


def _plan_text(plan: Plan) -> str:
    from isoflop.report.plan import plan_text

    return plan_text(plan)


def _model_html(described: Description) -> str:
    from isoflop.model.sheet import sheet
    from isoflop.report.html import styled
    from isoflop.report.model import model_html

    return styled(model_html(sheet(described)))


def _model_markdown(described: Description) -> str:
    from isoflop.model.sheet import sheet
    from isoflop.report.model import model_markdown

    return model_markdown(sheet(described))


def _model_text(described: Description) -> str:
    from isoflop.model.sheet import sheet
    from isoflop.report.model import model_text

    return model_text(sheet(described))


def _audit_html(report: Report) -> str:
    from isoflop.report.audit import audit_fragment
    from isoflop.report.html import styled

    return styled(audit_fragment(report))


def _audit_markdown(report: Report) -> str:
    from isoflop.report.audit import audit_markdown

    return audit_markdown(report)


def _audit_text(report: Report) -> str:
    from isoflop.report.audit import audit_text

    return audit_text(report)
