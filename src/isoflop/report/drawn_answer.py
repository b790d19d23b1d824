"""An Answer and a Ledger in every form."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.errors import MissingData
from isoflop.relation.answer import Answer, Ledger
from isoflop.report.drawings import Drawn, Story
from isoflop.report.table import Column
from isoflop.report.words import base_unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    import altair as alt

    from isoflop.ask import Question
    from isoflop.relation.answer import Step
    from isoflop.report.chart_theme import Mode
    from isoflop.report.drawings import Table


def drawn(found: Answer | Ledger) -> Drawn:
    """Every form of an answer or of a ledger."""
    return _answer(found) if isinstance(found, Answer) else _ledger(found)


def _answer(found: Answer) -> Drawn:
    from isoflop.report.json import answer_json
    from isoflop.report.latex import answer_latex
    from isoflop.report.markdown import answer_markdown
    from isoflop.report.mermaid import answer_mermaid
    from isoflop.report.text import answer_text

    return Drawn(
        text=partial(answer_text, found),
        json=partial(answer_json, found),
        markdown=partial(answer_markdown, found),
        story=partial(_story, found),
        table=partial(steps_table, found.steps),
        charts=MappingProxyType({"shares": partial(_shares, found)}),
        more=MappingProxyType({"latex": partial(answer_latex, found), "mermaid": partial(answer_mermaid, found)}),
    )


SOLVED = ("tornado", "course", "shares")
"""Charts of an answer whose question is known."""


def drawn_solved(found: Answer, question: Question) -> Drawn:
    """The same of an answer whose question is known: it is solved anew at other values of the knowns."""
    return replace(
        _answer(found), charts=MappingProxyType({kind: partial(_moved, found, question, kind) for kind in SOLVED})
    )


def _moved(found: Answer, question: Question, kind: str, width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.ask.sensitivity import courses, moved
    from isoflop.report.chart_answer import course_chart, moved_chart

    if found.alternatives:
        raise MissingData("there are several answers, and one chart is of one of them: give a known more")
    if kind == "tornado":
        return moved_chart(found, moved(question, found), width=width, mode=mode)
    if kind == "shares":
        return _shares(found, width, mode)
    weight = {key: abs(slope) for key, slope in found.elasticities.items()}
    names = sorted(weight, key=lambda key: (-found.shares.get(key, 0.0), -weight[key]))
    return course_chart(found, courses(question, found, names), width=width, mode=mode)


def _shares(found: Answer, width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.report.chart_shares import answer_chart

    return answer_chart(found, width=width, mode=mode)


def _story(found: Answer) -> Story:
    from isoflop.report.html import answer_html

    return Story(
        title=found.quantity.replace("_", " "),
        question=given_words(found.steps),
        answer=answer_html(found, explain=True),
        sources=found.sources,
    )


def given_words(steps: Iterable[Step]) -> tuple[tuple[str, str], ...]:
    """What was given, as it was written."""
    from isoflop.report.words import say_around

    return tuple(
        (step.gives, step.text or say_around(step.value, step.low, step.high, step.gives))
        for step in steps
        if step.kind == "given"
    )


def steps_table(steps: Iterable[Step]) -> Table:
    """A derivation as rows, a step each, in base units."""
    columns: tuple[Column | str, ...] = (
        Column(name="step", right=True), "quantity", "kind", Column(name="value", right=True),
        Column(name="low", right=True), Column(name="high", right=True), "unit", "formula", "from", "sources", "note",
    )  # fmt: skip
    rows = [
        (
            float(step.number), step.gives, step.kind, step.value, step.low, step.high, base_unit(step.gives),
            step.formula, " ".join(str(number) for _, number in step.inputs), "; ".join(step.sources), step.note,
        )
        for step in steps
    ]  # fmt: skip
    return columns, rows


def _ledger(found: Ledger) -> Drawn:
    from isoflop.report.json import ledger_json
    from isoflop.report.markdown import ledger_markdown
    from isoflop.report.text import ledger_text

    def text(*, explain: bool = False, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
        del explain
        return ledger_text(found, width=width, color=color, ascii_only=ascii_only)

    return Drawn(
        text=text,
        json=partial(ledger_json, found),
        markdown=lambda _: ledger_markdown(found),
        story=partial(_ledger_story, found),
        table=lambda: (
            ("term", Column(name="value", quantity=found.quantity), "note"),
            [(term.name, float(term.value), term.note) for term in found.terms],
        ),
    )


def _ledger_story(found: Ledger) -> Story:
    from isoflop.report.html import ledger_html

    return Story(title=found.title or found.quantity, answer=ledger_html(found), sources=found.sources)
