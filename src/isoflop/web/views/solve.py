"""Solve: any quantity from any others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop.ask import solve_question
from isoflop.ask.sensitivity import courses, moved
from isoflop.errors import BadInput
from isoflop.quantity import quantity
from isoflop.report import Blocks, Row, Section, answer_json, drawn
from isoflop.report.chart_answer import course_chart, moved_chart
from isoflop.report.outline import groups, movers
from isoflop.web import words
from isoflop.web.fields import FILES, Field, Group, Shown, View
from isoflop.web.views.common import hovers, report_page, said, steps_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import altair as alt

    from isoflop.ask import Question
    from isoflop.relation import Answer
    from isoflop.report.chart_theme import Mode

CHARTS = {"tornado": "What each known does to it", "course": "What it would be at other values"}
SEED = {
    "target": "params",
    "knowns": "train_cost=$100m\ntokens=4T\ndevice=tpu-v4\nprice=$33,849/month/slice\nslice=32 chip\nmfu=0.3 to 0.5",
}


def answer(given: Mapping[str, str]) -> Shown:
    """The quantity that is asked for."""
    if "target" not in given:
        raise BadInput("say which quantity is asked for, such as params, train_cost or mfu")
    entry = quantity(given["target"].strip().replace("-", "_"))
    question = words.asked(words.lines_of(given.get("knowns", "")), without=entry.name)
    return shown(solve_question(question, entry.name), question)


def shown(found: Answer, question: Question) -> Shown:
    """An answer on the page."""
    value, interval = said(found)
    moved = movers(found)
    value = value.removeprefix(f"{found.quantity} = ")
    rows = (Row(label=found.quantity, value=value, remark=interval),)
    sections = tuple(
        part
        for part in (
            Section(heading="Also possible", lines=tuple(" ".join(said(one)) for one in found.alternatives)),
            Section(heading="What moves it", lines=(moved,) if moved else ()),
            Section(heading="Mind", lines=tuple(found.warnings), loud=True),
        )
        if part.lines
    )
    numbers = [line.number for group in groups(found) for line in group.lines if line.quantity == found.quantity]
    return Shown(
        blocks=(Blocks(rows=rows, sections=sections),),
        json=partial(answer_json, found),
        parts=(steps_part(found, "solve", unfolded=True),),
        links={found.quantity: f"solve-step-{numbers[-1]}"} if numbers else {},
        hovers=hovers(found, "solve"),
        charts={kind: _chart(found, question, kind) for kind in CHARTS if not found.alternatives},
        page=partial(report_page, found),
        files={kind: make for kind, make in drawn(found).more.items() if kind in FILES},
    )


def _chart(found: Answer, question: Question, kind: str) -> Callable[[Mode, int], alt.TopLevelMixin]:
    def draw(mode: Mode, width: int) -> alt.TopLevelMixin:
        if kind == "tornado":
            return moved_chart(found, moved(question, found), width=width, mode=mode)
        return course_chart(found, courses(question, found, _movers(found)), width=width, mode=mode)

    return draw


def _movers(found: Answer) -> list[str]:
    """Knowns by how much the answer moves with them."""
    weight = {key: abs(slope) for key, slope in found.elasticities.items()}
    return sorted(weight, key=lambda key: (-found.shares.get(key, 0.0), -weight[key]))


VIEW = View(
    name="solve",
    title="Solve",
    lead="Any quantity from any others: name what you want to know, and write down what you know.",
    groups=(
        Group(
            title="The question",
            open=True,
            fields=(
                Field(name="target", label="What you want to know", listed="quantities", example="params", needed=True),
                Field(
                    name="knowns",
                    label="What you know",
                    kind="area",
                    needed=True,
                    hint="One name=value a line. A name is a quantity, or device, model, law, grid, provider, "
                    "commitment; slice=32 chip ties a noun.",
                    example=SEED["knowns"],
                ),
            ),
        ),
    ),
    answer=answer,
    charts=CHARTS,
    first=SEED,
    examples=(
        ("How large was it?", SEED),
        ("MFU of GPT-4, as rumoured", {
            "target": "mfu", "knowns": "chips=25000 A100\ntrain_time=90-100 days\ntrain_flops=2.15e25",
        }),
        ("Size for a loss", {"target": "params", "knowns": "loss=2.2\ntrain_flops=1e22\nlaw=hoffmann2022-rounded"}),
    ),
)  # fmt: skip
