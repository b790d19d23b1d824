"""Training: does it fit, how fast, for how much; the best layouts of a run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from isoflop.errors import BadInput
from isoflop.report import layout_table, training_blocks, training_chart, training_html, training_json
from isoflop.report.training_time import scale_table
from isoflop.training import RECIPES, activation_ledger, engines
from isoflop.web import words
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.views.common import DEVICES, MODEL, PRICE, ledger_part, linked, table_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import altair as alt

    from isoflop.report.chart_theme import Mode
    from isoflop.report.chart_training import TrainingChart
    from isoflop.training import Advice
    from isoflop.web.fields import Part

CHARTS = {"step": "Where the time of a step goes", "memory": "Memory of a chip", "pareto": "Time against memory"}
DEGREES = ("dp", "tp", "pp", "vpp", "cp", "ep", "zero", "micro-batch")
PLACES = {"each chip": "memory", "at most": "memory", "rule of thumb": "memory", "layout": "layouts"}


def answer(given: Mapping[str, str]) -> Shown:
    """What `isoflop training` says of the form."""
    for name in ("model", "on"):
        if name not in given:
            raise BadInput("a training run needs a model and devices, such as llama-3.1-8b on 8xh100-sxm")
    return shown(words.training_advice(given))


def shown(advice: Advice) -> Shown:
    """The advice on the page."""
    blocks = training_blocks(advice)
    parts: list[Part] = []
    if advice.timing is not None:
        parts.append(ledger_part(advice.timing.step, "step"))
    if advice.memory is not None:
        parts.append(ledger_part(advice.memory, "memory"))
    if advice.held is not None:
        parts.append(ledger_part(activation_ledger(advice.held.run, advice.held.layout), "activations"))
    if len(advice.fits) > 1:
        parts.append(table_part("Layouts that fit", "layouts", layout_table(advice)))
    if advice.scales:
        parts.append(table_part("Fewer and more chips", "scales", scale_table(advice), unfolded=True))
    anchors = {part.anchor for part in parts}
    places = {label: anchor for label, anchor in PLACES.items() if anchor in anchors}
    return Shown(
        blocks=(blocks,),
        json=partial(training_json, advice),
        parts=tuple(parts),
        links=linked(blocks, places, usual="step" if "step" in anchors else ""),
        charts={kind: _chart(advice, kind) for kind in _drawn(advice)},
        page=partial(training_html, advice),
    )


def _drawn(advice: Advice) -> tuple[str, ...]:
    if advice.memory is None or advice.held is None:
        return ()
    if advice.timing is None:
        return ("memory",)
    return ("step", "memory", "pareto") if len(advice.fits) > 1 else ("step", "memory")


def _chart(advice: Advice, kind: str) -> Callable[[Mode, int], alt.TopLevelMixin]:
    def draw(mode: Mode, width: int) -> alt.TopLevelMixin:
        return training_chart(advice, cast("TrainingChart", kind), width=width, mode=mode)

    return draw


VIEW = View(
    name="training",
    title="Training",
    lead="Does it fit, how fast, for how much: every legal layout tried, the best explained.",
    slow=True,
    groups=(
        Group(
            title="The run",
            open=True,
            fields=(
                MODEL,
                DEVICES,
                Field(name="sequence", label="Sequence", example="8k", hint="Tokens of a sequence."),
                Field(name="batch", label="Batch", example="4M tokens", hint="Tokens with their unit, or sequences."),
                Field(name="tokens", label="Training tokens", example="1T", hint="Then it says days and dollars."),
                Field(name="deadline", label="Deadline", example="30 days"),
            ),
        ),
        Group(
            title="Recipe",
            fields=(
                Field(name="recipe", label="Recipe", kind="choice", choices=tuple(RECIPES)),
                Field(name="engine", label="Software", kind="choice", choices=tuple(engines())),
                Field(name="recompute", label="Recompute", hint="none, norms, mlp, full; several with spaces."),
                Field(name="matmul", label="Format of products", kind="choice", choices=("bf16", "fp8", "fp4")),
                Field(name="lora", label="LoRA rank"),
                Field(name="qlora", label="QLoRA rank"),
                Field(name="fused-loss", label="Fused loss", kind="flag"),
            ),
        ),
        Group(
            title="Layout of your own",
            fields=tuple(Field(name=name, label=name) for name in DEGREES),
        ),
        Group(title="Whose price", fields=(*PRICE, Field(name="goodput", label="Goodput", example="90%"))),
    ),
    answer=answer,
    charts=CHARTS,
    first={"model": "llama-3.1-8b", "on": "8xh100-sxm", "sequence": "8k", "tokens": "100B"},
    examples=(
        ("Llama 3.1 8B on 8 H100", {"model": "llama-3.1-8b", "on": "8xh100-sxm", "sequence": "8k", "tokens": "100B"}),
        ("Llama 3.1 70B on 64 H100", {"model": "llama-3.1-70b", "on": "64xh100-sxm", "sequence": "8k", "tokens": "1T"}),
        ("QLoRA on one RTX 4090", {"model": "llama-3.1-8b", "on": "1xrtx-4090", "qlora": "16", "micro-batch": "1"}),
    ),
)  # fmt: skip
