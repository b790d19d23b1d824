"""Laws, which runs to do next: those that narrow the interval at a target most for their compute."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop import laws
from isoflop.errors import BadInput
from isoflop.flags.laws import target_of
from isoflop.quantity import quantity, read
from isoflop.report.chart_progress import design_chart
from isoflop.report.laws_design import (
    design_blocks,
    design_csv,
    design_html,
    design_json,
    design_steps,
    design_table,
    design_toml,
)
from isoflop.web import law_words
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.names import guarded
from isoflop.web.views.common import linked, list_part, table_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.laws import Design

FIRST = {"sample": "chinchilla", "targets": "N=70B,D=1.4T", "allowance": "1e21"}
CHARTS = {"width": "How sure the target becomes"}


def answer(given: Mapping[str, str]) -> Shown:
    """The next runs."""
    guarded(given, texts=VIEW.texts)
    if "targets" not in given or "allowance" not in given:
        raise BadInput("say where to be sure (N=70B,D=1.4T) and what the new runs may take together (1e21 FLOP)")
    runs = law_words.runs_of(given)
    targets = [target_of(text) for text in given["targets"].split()]
    flops = float(read(given["allowance"], quantity("train_flops")).spread.median)
    forms = () if "form" not in given or law_words.form_of(given) == "auto" else (law_words.form_of(given),)
    return shown(laws.design(runs, targets, flops, forms=forms, level=law_words.LEVEL))


def shown(found: Design) -> Shown:
    """The design on the page."""
    blocks, steps = design_blocks(found), design_steps(found)
    return Shown(
        blocks=(blocks,),
        json=partial(design_json, found),
        parts=(
            table_part("The next runs, dearest first", "cells", design_table(found), unfolded=True),
            list_part("Derivation, step by step", "steps", steps),
        ),
        links=linked(blocks, {"next runs": "cells"}, usual="steps"),
        hovers={
            "steps": "\n".join(steps[:2]),
            "cells": "Cells chosen one after the other, each the best for its FLOP.",
        },
        charts={"width": lambda mode, width: design_chart(found, width=width, mode=mode)},
        page=partial(design_html, found),
        csv=partial(design_csv, found),
        files={"study": partial(design_toml, found)},
    )


VIEW = View(
    name="laws/design",
    under="laws",
    title="Which runs to do next",
    tab="Next runs",
    lead="The runs that narrow the interval at a target most for their compute, ready for the laboratory.",
    posts=True,
    slow=True,
    button="Design",
    groups=(
        law_words.runs_group("Runs there are"),
        Group(
            title="What for",
            open=True,
            fields=(
                Field(name="targets", label="Where to be sure", example="N=70B,D=1.4T", needed=True,
                      hint="Parameters and tokens; several with spaces."),
                Field(name="allowance", label="What new runs may take", example="1e21", hint="FLOP, or 10 PF-days."),
                law_words.FORM,
            ),
        ),
    ),
    answer=answer,
    charts=CHARTS,
    first=FIRST,
    examples=(("Chinchilla's runs, for 70B on 1.4T", FIRST),),
)  # fmt: skip
