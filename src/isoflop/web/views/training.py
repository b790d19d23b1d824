"""Training: does it fit, how fast, for how much; the best layouts of a run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from isoflop.errors import BadInput
from isoflop.report import drawn, layout_table, table_csv, training_blocks, training_chart, training_json
from isoflop.report.drawn_training import REFS
from isoflop.report.markup import html_escape
from isoflop.report.training_chain import training_chain
from isoflop.report.training_time import scale_table
from isoflop.training import RECIPES, activation_ledger, engines
from isoflop.training.export import WRITERS, exported
from isoflop.web import words
from isoflop.web.fields import FILES, Field, Group, Part, Shown, View
from isoflop.web.views.common import (
    DEVICES,
    MODEL,
    PRICE,
    chain_links,
    chain_part,
    ledger_part,
    ledger_words,
    linked,
    report_page,
    step_words,
    table_part,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import altair as alt

    from isoflop.relation import Ledger
    from isoflop.report.chart_theme import Mode
    from isoflop.report.chart_training import TrainingChart
    from isoflop.training import Advice

CHARTS = {
    "step": "Where the time of a step goes",
    "memory": "Memory of a chip",
    "pareto": "Time against memory",
    "scale": "Utilisation against the number of chips",
}
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
    blocks, chain, made = training_blocks(advice), training_chain(advice), drawn(advice)
    ledgers = _ledgers(advice)
    anchors = {*ledgers, *(["layouts"] if len(advice.fits) > 1 else []), *(["scales"] if advice.scales else [])}
    places = {label: anchor for label, anchor in PLACES.items() if anchor in anchors}
    usual = "step" if "step" in anchors else "memory" if "memory" in anchors else ""
    steps = chain_links(chain.steps, REFS, "training")
    return Shown(
        blocks=(blocks,),
        json=partial(training_json, advice),
        later=lambda: tuple(_parts(advice, ledgers)),
        links={**linked(blocks, places, usual=usual), **steps},
        hovers={**step_words(chain.steps, "training"), **_says(advice, ledgers)},
        charts={kind: _chart(advice, kind) for kind in _kinds(advice)},
        page=partial(report_page, advice),
        csv=(lambda: table_csv(*layout_table(advice))) if advice.fits else None,
        files={**made.more, **_exports(advice)},
    )


def _ledgers(advice: Advice) -> dict[str, Ledger]:
    """Anchor -> ledger, in the order of the page."""
    found = {}
    if advice.timing is not None:
        found["step"] = advice.timing.step
    if advice.memory is not None:
        found["memory"] = advice.memory
    if advice.held is not None:
        found["activations"] = activation_ledger(advice.held.run, advice.held.layout)
    return found


TITLES = {"step": "Time of a step by term", "memory": "Memory of a chip by term", "activations": "Saved for backward"}


def _parts(advice: Advice, ledgers: Mapping[str, Ledger]) -> Iterator[Part]:
    chain = training_chain(advice)
    if chain.steps:
        yield chain_part(chain.steps, "training")
    for anchor, ledger in ledgers.items():
        yield ledger_part(ledger, anchor, title=TITLES[anchor])
    if len(advice.fits) > 1:
        yield table_part("Layouts that fit", "layouts", layout_table(advice))
    if advice.scales:
        yield table_part("Fewer and more chips", "scales", scale_table(advice), unfolded=True)
    if advice.chosen is not None:
        yield Part(title="Settings for training tools", anchor="settings", html=_settings(advice))


def _settings(advice: Advice) -> str:
    """The layout in the words of each tool, and what the tool cannot say."""
    held = advice.chosen
    assert held is not None
    parts = []
    for tool in WRITERS:
        text, left_out = exported(held.run, held.layout, tool)
        listed = "".join(f"<li>{html_escape(line)}</li>" for line in left_out)
        left = f"<p>Not said there:</p><ul>{listed}</ul>" if listed else ""
        parts.append(f"<h3>{FILES[tool][0]}</h3><pre><code>{html_escape(text)}</code></pre>{left}")
    return "".join(parts)


def _exports(advice: Advice) -> dict[str, Callable[[], str]]:
    held = advice.chosen
    if held is None:
        return {}
    return {tool: lambda tool=tool: exported(held.run, held.layout, tool)[0] for tool in WRITERS}  # type: ignore[misc]


def _says(advice: Advice, ledgers: Mapping[str, Ledger]) -> dict[str, str]:
    """What stands behind a ledger and a table of layouts, in words."""
    found = {anchor: ledger_words(ledger) for anchor, ledger in ledgers.items()}
    found["layouts"] = f"The fastest of {advice.tried:,} legal layouts: each timed and its memory counted, as arrays."
    return found


def _kinds(advice: Advice) -> tuple[str, ...]:
    if advice.memory is None or advice.held is None:
        return ()
    if advice.timing is None:
        return ("memory",)
    found = ("step", "memory", "pareto") if len(advice.fits) > 1 else ("step", "memory")
    return (*found, "scale") if advice.scales else found


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
                Field(name="scales", label="Fewer and more chips too", kind="flag"),
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
        ("Llama 3.1 70B on 64 H100", {
            "model": "llama-3.1-70b", "on": "64xh100-sxm", "sequence": "8k", "tokens": "1T", "scales": "1",
        }),
        ("QLoRA on one RTX 4090", {"model": "llama-3.1-8b", "on": "1xrtx-4090", "qlora": "16", "micro-batch": "1"}),
    ),
)  # fmt: skip
