"""Plan: from any of budget, deadline, devices, model, tokens and loss to the whole run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop.ask import DEFAULT_GRID, DEFAULT_LAW, plan_question
from isoflop.errors import BadInput
from isoflop.model.names import Description
from isoflop.model.sheet import sheet
from isoflop.report import component_table, drawn, plan_blocks, plan_json, say
from isoflop.training import ledger, machine_of, step_ledger
from isoflop.web import words
from isoflop.web.fields import Field, Group, Shown, Slider, View
from isoflop.web.views.common import (
    DEVICES,
    MODEL,
    MORE,
    PRICE,
    hovers,
    ledger_part,
    ledger_words,
    linked,
    report_page,
    step_links,
    steps_part,
    table_part,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import altair as alt

    from isoflop.ask import Plan
    from isoflop.relation import Answer
    from isoflop.report.chart_theme import Mode
    from isoflop.web.fields import Part

PLACES = {"memory": "memory", "shape": "shape", "layout": "layout"}
CHARTS = {
    "loss": "Loss against compute, and the valley around the plan",
    "memory": "Training state against memory",
    "tornado": "What moves it",
}


def answer(given: Mapping[str, str]) -> Shown:
    """The plan for what a form says."""
    further = words.lines_of(given.get("knowns", ""))
    flags = {key.replace("-", "_"): value for key, value in given.items() if key != "knowns"}
    twice = sorted(flags.keys() & further.keys())
    if twice:
        raise BadInput(f"'{twice[0]}' is given twice: in its field and under further knowns")
    question = words.asked({**flags, **further}, usual={"law": DEFAULT_LAW, "grid": DEFAULT_GRID})
    return shown(plan_question(question))


def shown(plan: Plan) -> Shown:
    """A plan on the page."""
    blocks = plan_blocks(plan)
    last = plan.answers.get("loss", plan.answers["train_flops"])
    timed = plan.predicted is not None and plan.question.device is not None
    places = {label: anchor for label, anchor in PLACES.items() if timed or anchor != "layout"}
    made = drawn(plan)
    kinds = ("loss", "memory", "tornado") if _has_loss(plan) else ("memory", "tornado")
    return Shown(
        blocks=(blocks,),
        json=partial(plan_json, plan),
        later=lambda: tuple(_parts(plan, last)),
        links={**linked(blocks, places), **step_links(blocks, "plan")},
        hovers={**hovers(last, "plan"), **_says(plan)},
        charts={kind: _chart(plan, kind) for kind in kinds},
        page=partial(report_page, plan),
        files=made.more,
    )


def _parts(plan: Plan, last: Answer) -> Iterator[Part]:
    """What derives the rows: the numbered steps, the training state, the shape, the memory of the layout."""
    yield steps_part(last, "plan")
    yield ledger_part(plan.memory, "memory", title="Training state by term")
    shape = sheet(Description(spec=plan.shape, origin="spec"))
    yield table_part("Shape, component by component", "shape", component_table(shape))
    held, device = plan.predicted, plan.question.device
    if held is None or device is None:
        return
    yield ledger_part(ledger(held.run, held.layout, limit=held.capacity), "layout", title="Memory of a chip by term")
    machine = machine_of(device)
    yield ledger_part(step_ledger(held.run, held.layout, machine.chip, machine.profile), "step", title="Step by term")


def _says(plan: Plan) -> dict[str, str]:
    """What the rows without a numbered step are made of."""
    found = {
        "memory": ledger_words(plan.memory),
        "shape": "The named model, or a concrete shape of about the size that comes out; open it for every component.",
    }
    held = plan.predicted
    if held is not None:
        found["layout"] = (
            f"The fastest of the usual layouts that fit {say(held.capacity, 'memory')} a chip. Step time: the profile "
            f"'{held.profile}', by term below; memory: weights, gradients, optimizer states, saved tensors."
        )
    return found


def _has_loss(plan: Plan) -> bool:
    return plan.question.law is not None and "loss" in plan.answers and plan.valley is not None


def _chart(plan: Plan, kind: str) -> Callable[[Mode, int], alt.TopLevelMixin]:
    def draw(mode: Mode, width: int) -> alt.TopLevelMixin:
        return drawn(plan).charts[kind](width, mode)

    return draw


VIEW = View(
    name="plan",
    title="Plan",
    lead="Say what you have: money, time, chips, a model, tokens, a loss to reach. The rest of the run follows.",
    groups=(
        Group(
            title="What you have",
            open=True,
            fields=(
                Field(name="budget", label="Budget", example="$4k", slider=Slider(low=2, high=9, form="${}", log=True)),
                DEVICES,
                Field(
                    name="deadline", label="Deadline", example="30 days", slider=Slider(low=1, high=365, form="{} days")
                ),
                MODEL,
                Field(name="tokens", label="Training tokens", example="1.4T"),
                Field(name="loss", label="Loss to reach", hint="In nats per token."),
                Field(name="mfu", label="MFU", hint="Left empty it is predicted from the best layout.",
                      example="40%", slider=Slider(low=5, high=70, form="{}%")),
            ),
        ),
        Group(title="Whose price", fields=PRICE),
        Group(
            title="Under which law, from which grid",
            fields=(
                Field(name="law", label="Scaling law", listed="laws", example=DEFAULT_LAW),
                Field(name="params", label="Parameters", hint="Where no model is named."),
                Field(name="demand", label="Tokens served over its life"),
                Field(name="grid", label="Electricity grid", listed="grids", example=DEFAULT_GRID),
                Field(name="dtype", label="Number format of the peak", hint="bf16 where there is one."),
                MORE,
            ),
        ),
    ),
    answer=answer,
    charts=CHARTS,
    first={"budget": "$4k", "on": "tpu-v4", "commitment": "3y"},
    examples=(
        ("$4,000 on TPU v4", {"budget": "$4k", "on": "tpu-v4", "commitment": "3y"}),
        ("64 H100 for 30 days", {"on": "64xh100-sxm", "deadline": "30 days"}),
        ("Llama 2 7B on 2T tokens", {"model": "llama-2-7b", "tokens": "2T", "on": "512xa100-80gb"}),
    ),
)  # fmt: skip
