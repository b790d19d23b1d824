"""Advice on a training run in every form."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.report import training as pages
from isoflop.report.drawings import Drawn, Story

if TYPE_CHECKING:
    import altair as alt

    from isoflop.report.chart_theme import Mode
    from isoflop.report.chart_training import TrainingChart
    from isoflop.report.methods import Methods
    from isoflop.training import Advice

CHARTS: tuple[TrainingChart, ...] = ("step", "memory", "pareto", "scale")
REFS = {
    "a step": "batch_tokens", "each chip": "peak_memory", "step": "step_time", "rate": "tokens_per_second",
    "MFU": "mfu", "takes": "train_time", "costs": "train_cost",
}  # fmt: skip
"""Rows, and the quantity whose step each is."""

ANCHOR = "training"


def drawn(advice: Advice) -> Drawn:
    """Every form of an advice."""
    from isoflop.report.methods import methods_forms

    @cache
    def with_scales() -> Advice:  # what other numbers of chips would do takes the longest, and each drawing asks for it
        from isoflop.training import at_scales

        return replace(advice, scales=advice.scales or tuple(at_scales(advice)))

    return Drawn(
        text=partial(pages.training_text, advice),
        json=partial(pages.training_json, advice),
        markdown=lambda _: pages.training_markdown(advice),
        story=partial(_story, advice),
        table=partial(pages.layout_table, advice),
        charts=MappingProxyType(
            {
                **{kind: partial(_chart, advice, kind) for kind in CHARTS},
                "scale": lambda width, mode: _chart(with_scales(), "scale", width, mode),
            }
        ),
        more=MappingProxyType(methods_forms(partial(_methods, advice), partial(pages.layout_table, advice))),
    )


def _chart(advice: Advice, kind: TrainingChart, width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.report.chart_training import training_chart

    return training_chart(advice, kind, width=width, mode=mode)


def _methods(advice: Advice) -> Methods:
    from isoflop.report.methods_words import training_methods

    return training_methods(advice)


def _story(advice: Advice) -> Story:
    from isoflop.report.blocks import blocks_html, referring
    from isoflop.report.html import ledger_html, steps_html
    from isoflop.report.table import table_html
    from isoflop.report.training_chain import training_chain
    from isoflop.training import activation_ledger

    chain, held = training_chain(advice), advice.held
    numbers = {step.gives: step.number for step in chain.steps}
    refs = {label: numbers[name] for label, name in REFS.items() if name in numbers}
    answer = blocks_html(referring(pages.training_blocks(advice), refs), anchor=ANCHOR)
    answer += table_html(*pages.layout_table(advice), caption="Layouts that fit") if len(advice.fits) > 1 else ""
    ledgers = [advice.timing.step] if advice.timing is not None else []
    ledgers += [advice.memory] if advice.memory is not None else []
    ledgers += [activation_ledger(held.run, held.layout)] if held is not None else []
    return Story(
        title=f"Training {advice.run.model.name} on {advice.place.title}",
        question=_question(advice),
        answer=answer,
        derivation=steps_html(chain.steps, anchor=ANCHOR) + "".join(map(ledger_html, ledgers)),
        assumptions=(*advice.assumed, *advice.notes),
        sources=tuple(dict.fromkeys((*chain.sources, *(one for ledger in ledgers for one in ledger.sources)))),
        methods=_methods(advice),
    )


def _question(advice: Advice) -> tuple[tuple[str, str], ...]:
    run, place = advice.run, advice.place
    chips = f"{place.chips:,} x " if place.chips else ""
    said = [("model", run.model.name), ("on", f"{chips}{place.title}"), ("sequence", f"{run.sequence:,} tokens")]
    said += [("batch", f"{run.batch:,} sequences"), ("recipe", run.recipe.name)]
    bill = advice.timing.bill if advice.timing is not None else None
    if bill is not None:
        from isoflop.report.words import say

        said += [("tokens", say(bill.order.tokens, "tokens"))]
        said += [("deadline", say(bill.order.deadline, "train_time"))] if bill.order.deadline is not None else []
    return tuple(said)
