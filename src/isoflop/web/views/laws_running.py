"""Laws, a run under way: where it will end, from its curve so far and its schedule."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop import laws
from isoflop.errors import MissingData
from isoflop.flags.laws import schedule_for
from isoflop.report.chart_progress import running_chart
from isoflop.report.laws_running import Foreseen, running_blocks, running_html, running_json, running_steps
from isoflop.web import law_words, words
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.names import guarded
from isoflop.web.uploads import table_in
from isoflop.web.views.common import linked, list_part

if TYPE_CHECKING:
    from collections.abc import Mapping

CHARTS = {"outlook": "The curve so far, and where it goes"}
SCHEDULE = ("total", "schedule", "warmup", "final", "decay")
FIRST = {"sample": "cosine", "total": "4000"}


def answer(given: Mapping[str, str]) -> Shown:
    """The outlook of the run."""
    guarded(given, texts=VIEW.texts)
    text, name = law_words.table_of(given)
    if not text:
        raise MissingData("upload the log of a run, or paste it: step (or tokens) and loss, a row a step")
    curve = laws.curve_of(
        table_in(text, name), columns=words.lines_of(given.get("columns", "")), run=given.get("run", "")
    )
    schedule, said = schedule_for(curve, law_words.schedule_words(law_words.said(given, SCHEDULE)))
    outlook = laws.foresee(curve, schedule, level=law_words.LEVEL, notes=(said,) if said else ())
    return shown(Foreseen(outlook=outlook, curve=curve))


def shown(found: Foreseen) -> Shown:
    """The outlook on the page."""
    blocks, steps = running_blocks(found), running_steps(found)
    return Shown(
        blocks=(blocks,),
        json=partial(running_json, found),
        parts=(list_part("Derivation, step by step", "steps", steps),),
        links=linked(blocks, {}, usual="steps"),
        hovers={"steps": "\n".join(steps[:2])},
        charts={"outlook": lambda mode, width: running_chart(found, width=width, mode=mode)},
        page=partial(running_html, found),
    )


VIEW = View(
    name="laws/running",
    under="laws",
    title="Where a run will end",
    tab="A run under way",
    lead="The final loss of a run that is under way, with an interval, from its curve and its schedule.",
    posts=True,
    slow=True,
    button="Look ahead",
    groups=(
        law_words.runs_group(
            "Its log so far", Field(name="run", label="Which run", hint="Where the log holds several.")
        ),
        Group(
            title="How it goes on",
            open=True,
            fields=(
                Field(name="total", label="Whole length", example="20000", hint="In steps or tokens, as the log."),
                Field(name="schedule", label="Schedule", kind="choice", choices=("constant", "cosine", "linear", "wsd"),
                      hint="A logged learning rate tells it; else say it."),
                Field(name="warmup", label="Warm-up"),
                Field(name="final", label="Final rate over the peak", example="0.1"),
                Field(name="decay", label="Share of a wsd run that decays", example="0.2"),
            ),
        ),
    ),
    answer=answer,
    charts=CHARTS,
    first=FIRST,
    examples=(("A cosine run, 2,600 of 4,000 steps in", FIRST),),
)  # fmt: skip
