"""A deployment in every form."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.report import serving as pages
from isoflop.report.drawings import Drawn, Story
from isoflop.report.markup import html_escape

if TYPE_CHECKING:
    import altair as alt

    from isoflop.report.chart_serving import ServingChart
    from isoflop.report.chart_theme import Mode
    from isoflop.serving.advice import Service

CHARTS: tuple[ServingChart, ...] = ("pareto", "memory", "step")
REFS = {
    "weights": "weights a chip", "tokens that fit": "tokens that fit", "holds": "requests at once",
    "first token": "first token", "further tokens": "time a token", "rate": "rate", "energy": "energy a token",
    "cost": "cost a token",
}  # fmt: skip
"""Rows, and how the step that each is from begins."""

ANCHOR = "serving"


def drawn(service: Service) -> Drawn:
    """Every form of a deployment."""
    from isoflop.report.serving_object import serving_json

    return Drawn(
        text=partial(pages.serving_text, service),
        json=partial(serving_json, service),
        markdown=lambda _: pages.serving_markdown(service),
        story=partial(_story, service),
        table=partial(pages.front_table, service),
        charts=MappingProxyType({kind: partial(_chart, service, kind) for kind in CHARTS}),
    )


def _chart(service: Service, kind: ServingChart, width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.report.chart_serving import serving_chart

    return serving_chart(service, kind, width=width, mode=mode)


def _story(service: Service) -> Story:
    from isoflop.report.blocks import blocks_html, referring
    from isoflop.report.html import ledger_html, step_id
    from isoflop.report.serving_steps import derivation
    from isoflop.report.table import table_html

    texts = [text.partition("] ")[2] for text in derivation(service)]
    refs = {
        label: number
        for label, start in REFS.items()
        for number, text in enumerate(texts, start=1)
        if text.startswith(f"{start} =")
    }
    answer = blocks_html(referring(pages.serving_blocks(service), refs), anchor=ANCHOR)
    if service.searched is not None:
        answer += table_html(*pages.front_table(service), caption="Placements and loads that no other beats")
    items = (f'<li id="{step_id(ANCHOR, at)}">{html_escape(text)}</li>' for at, text in enumerate(texts, start=1))
    ledgers = [service.memory, *([service.step] if service.step is not None else [])]
    return Story(
        title=f"Serving {service.deployment.model.name} on {service.deployment.device.title}",
        question=_question(service),
        answer=answer,
        derivation=f'<section class="isoflop"><ol>{"".join(items)}</ol></section>{"".join(map(ledger_html, ledgers))}',
        assumptions=(*service.assumed, *service.notes),
        sources=tuple(dict.fromkeys(source for ledger in ledgers for source in ledger.sources)),
    )


def _question(service: Service) -> tuple[tuple[str, str], ...]:
    made, traffic, wish = service.deployment, service.traffic, service.wish
    weights = made.formats.weights
    asked = f"{wish.request_rate:g} a second" if wish.request_rate else f"{pages.one(traffic.concurrency):,.0f} at once"
    read, written = pages.one(traffic.input_tokens), pages.one(traffic.output_tokens)
    return (
        ("model", made.model.name),
        ("on", f"{service.chips:,} x {made.device.title}"),
        ("runtime", f"{made.runtime.name} {made.runtime.version}".strip()),
        ("formats", f"{weights if isinstance(weights, str) else weights.words}, cache {made.formats.kv_name}"),
        ("requests", f"{asked}, {read:,.0f} tokens read and {written:,.0f} written each"),
    )
