"""Laws, what to train: compute, money or time split by a published law or one fitted to runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop import laws
from isoflop.errors import BadInput
from isoflop.flags.laws import aim_of, budget_of, choices_of
from isoflop.report.chart_decide import allocate_chart
from isoflop.report.laws_allocate import (
    Allocated,
    allocate_blocks,
    allocate_html,
    allocate_json,
    allocate_steps,
)
from isoflop.web import law_words
from isoflop.web.fields import Field, Group, Shown, Slider, View
from isoflop.web.names import guarded
from isoflop.web.views.common import DEVICES, PRICE, linked, list_part, steps_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.web.fields import Part

CHARTS = {"valley": "Loss over size at this compute"}
AIM = (
    "flops", "budget", "deadline", "on", "mfu", "price", "commitment", "provider", "region", "as-of", "dtype", "loss",
    "demand", "serve-ratio", "unique-tokens", "epochs", "within", "set",
)  # fmt: skip


def answer(given: Mapping[str, str]) -> Shown:
    """The best split under a law."""
    guarded(given, texts=VIEW.texts)
    options = law_words.aim_words(law_words.said(given, AIM))
    answers = budget_of(options)
    aim = aim_of(options, answers)
    if aim.flops is None and aim.loss is None:
        raise BadInput("say what may be spent (FLOP, a budget, a deadline with chips), or the loss to reach")
    runs = law_words.runs_of(given) if law_words.has_runs(given) else None
    law = law_words.believed(given) if runs is None else law_words.fitted(given, runs)
    choices = choices_of(options["constants"])  # type: ignore[arg-type]  # words
    decided = [laws.allocate(law, aim, one) for one in choices]
    decided.sort(key=lambda one: one.loss.value if aim.flops is not None else one.train_flops.value)
    sides = laws.approaches(runs, decided[0]) if runs is not None else ()
    further = tuple(decided) if len(decided) > 1 else ()
    return shown(Allocated(decision=decided[0], sides=sides, budget=answers, choices=further))


def shown(found: Allocated) -> Shown:
    """The decision on the page."""
    blocks = allocate_blocks(found)
    steps = allocate_steps(found)
    parts: list[Part] = [list_part("Derivation, step by step", "steps", steps, unfolded=True)]
    parts += [steps_part(one, f"budget-{place}") for place, one in enumerate(found.budget, start=1)]
    return Shown(
        blocks=(blocks,),
        json=partial(allocate_json, found),
        parts=tuple(parts),
        links=linked(blocks, {"to spend": "budget-1"} if found.budget else {}, usual="steps"),
        hovers={"steps": "\n".join(steps[:3]), "budget-1": _budget_words(found)},
        charts={"valley": lambda mode, width: allocate_chart(found, width=width, mode=mode)},
        page=partial(allocate_html, found),
    )


def _budget_words(found: Allocated) -> str:
    """How a budget becomes FLOP."""
    steps = found.budget[0].steps if found.budget else ()
    return "\n".join(f"{one.gives} = {one.formula}" for one in steps if one.inputs)


VIEW = View(
    name="laws/allocate",
    under="laws",
    title="What to train",
    tab="Split a budget",
    lead="The best size and data for compute, money or time, under a published law or one fitted to your runs.",
    posts=True,
    slow=True,
    groups=(
        Group(
            title="What may be spent",
            open=True,
            fields=(
                Field(name="flops", label="Compute", example="1e24", hint="FLOP, or 3700 PF-days.",
                      slider=Slider(low=18, high=27, form="{}", log=True)),
                Field(name="budget", label="or a budget", example="$2m", hint="Then devices too."),
                Field(name="deadline", label="or a deadline", example="30 days", hint="Then a number of chips too."),
                DEVICES,
                Field(name="mfu", label="MFU", example="40%"),
                Field(name="loss", label="or the loss to reach", hint="In nats per token."),
            ),
        ),
        Group(
            title="The law",
            open=True,
            fields=(Field(name="law", label="Published law", listed="laws", example="besiroglu2024"),),
        ),
        law_words.runs_group("or your own runs", law_words.FORM, unfolded=False),
        Group(
            title="Serving, and how much data there is",
            fields=(
                Field(name="demand", label="Tokens served over its life", example="5T"),
                Field(name="serve-ratio", label="Cost of a FLOP served over one trained", example="4"),
                Field(name="unique-tokens", label="Different tokens there are", example="300B"),
                Field(name="epochs", label="Seen at most so often", example="4"),
                Field(name="within", label="Nearly as good", example="0.005", hint="Of the loss."),
                Field(name="set", label="Further inputs of the law", example="experts=8"),
            ),
        ),
        Group(title="Whose price", fields=PRICE),
    ),
    answer=answer,
    charts=CHARTS,
    first={"law": "besiroglu2024", "flops": "1e24"},
    examples=(
        ("1e24 FLOP", {"law": "besiroglu2024", "flops": "1e24"}),
        ("$2M on H100, then 5T tokens served", {"budget": "$2m", "on": "h100-sxm", "demand": "5T"}),
        ("1e24 FLOP, and 500B tokens of data", {"flops": "1e24", "unique-tokens": "500B"}),
    ),
)  # fmt: skip
