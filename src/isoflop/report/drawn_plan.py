"""A Plan in every form."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.report import plan as pages
from isoflop.report.drawings import Drawn, Story
from isoflop.report.table import Column
from isoflop.report.words import base_unit

if TYPE_CHECKING:
    import altair as alt

    from isoflop.ask import Plan
    from isoflop.relation import Step
    from isoflop.report.chart_theme import Mode
    from isoflop.report.drawings import Table
    from isoflop.report.methods import Methods
    from isoflop.report.model_card import Footprint

CHARTS = ("loss", "memory", "tornado")


def drawn(plan: Plan) -> Drawn:
    """Every form of a plan."""
    from isoflop.report.methods import methods_forms

    return Drawn(
        text=partial(pages.plan_text, plan),
        json=partial(pages.plan_json, plan),
        markdown=lambda explain: pages.plan_markdown(plan, explain=explain),
        story=partial(_story, plan),
        table=partial(answers_table, plan),
        charts=MappingProxyType({kind: partial(_chart, plan, kind) for kind in CHARTS}),
        more=MappingProxyType({
            **methods_forms(partial(_methods, plan), partial(_said_table, plan)),
            "card": partial(_card, plan),
        }),
    )  # fmt: skip


def _chart(plan: Plan, kind: str, width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.ask.sensitivity import moved
    from isoflop.report.chart_answer import moved_chart
    from isoflop.report.chart_plan import plan_chart

    last = pages.last(plan)
    if kind == "tornado":
        return moved_chart(last, moved(plan.question, last), width=width, mode=mode)
    return plan_chart(plan, "memory" if kind == "memory" else "loss", width=width, mode=mode)


def _methods(plan: Plan) -> Methods:
    from isoflop.report.methods_words import plan_methods

    return plan_methods(plan)


def _card(plan: Plan) -> str:
    from isoflop.report.model_card import card

    return card(_footprint(plan))


def _footprint(plan: Plan) -> Footprint:
    from isoflop.report.model_card import plan_footprint

    return plan_footprint(plan)


def answers_table(plan: Plan) -> Table:
    """What the plan predicts, a quantity a row, with its interval."""
    columns = ("quantity", Column(name="value", right=True), Column(name="low", right=True),
               Column(name="high", right=True), "unit", "formula")  # fmt: skip
    by_name = {step.gives: step for step in plan.steps}
    rows = [
        (name, one.value, one.low, one.high, base_unit(name), by_name[name].formula if name in by_name else "")
        for name, one in plan.answers.items()
    ]
    return columns, rows


def _said_table(plan: Plan) -> Table:
    """The same as people read it, for a paper."""
    from isoflop.report.words import say_around

    rows = [
        (name.replace("_", " "), say_around(one.value, one.low, one.high, name)) for name, one in plan.answers.items()
    ]
    return ("quantity", "value (90 % interval)"), rows


def _story(plan: Plan) -> Story:
    from isoflop.report.blocks import blocks_html
    from isoflop.report.drawn_answer import given_words
    from isoflop.report.html import ledger_html, steps_html

    last = pages.last(plan)
    derivation = steps_html(last.steps, anchor=last.quantity) + ledger_html(plan.memory)
    assumed = (step for step in last.steps if step.kind == "default")
    question = (*given_words(last.steps), *((key, text) for key, text in plan.question.choices.items()))
    return Story(
        title="A plan for a training run",
        question=tuple(dict(question).items()),
        answer=blocks_html(pages.plan_blocks(plan), anchor=last.quantity),
        derivation=derivation,
        assumptions=tuple(map(assumption_words, assumed)),
        sources=tuple(dict.fromkeys(source for step in last.steps for source in step.sources)),
        methods=_methods(plan),
    )


def assumption_words(step: Step) -> str:
    """An assumption in a line: what, how much, why."""
    from isoflop.report.words import say_around

    said = f"{step.gives} = {say_around(step.value, step.low, step.high, step.gives)}"
    return f"{said}: {step.note}" if step.note else said
