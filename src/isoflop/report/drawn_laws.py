"""What scaling laws decide, in every form: a split of compute, the next runs of a study, where a run will end."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.laws.decide.compare import Comparison
from isoflop.laws.decide.design import Design
from isoflop.report import laws_allocate, laws_compare, laws_design, laws_running
from isoflop.report.blocks import blocks_html
from isoflop.report.drawings import Drawn, Story
from isoflop.report.laws_allocate import Allocated
from isoflop.report.markup import html_escape
from isoflop.report.table import Column, table_html
from isoflop.report.words import base_unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    import altair as alt

    from isoflop.report.chart_theme import Mode
    from isoflop.report.drawings import Table
    from isoflop.report.laws_running import Foreseen


def drawn(found: Allocated | Comparison | Design | Foreseen) -> Drawn:
    """Every form of a decision."""
    if isinstance(found, Allocated):
        return _allocated(found)
    if isinstance(found, Comparison):
        return _compared(found)
    return _designed(found) if isinstance(found, Design) else _foreseen(found)


def _listed(steps: Iterable[str]) -> str:
    items = "".join(f"<li>{html_escape(step)}</li>" for step in steps)
    return f'<section class="isoflop"><ol>{items}</ol></section>'


def _allocated(found: Allocated) -> Drawn:
    pages = laws_allocate
    return Drawn(
        text=partial(pages.allocate_text, found),
        json=partial(pages.allocate_json, found),
        markdown=lambda _: pages.allocate_markdown(found),
        story=lambda: Story(
            title="How to spend compute",
            answer=blocks_html(pages.allocate_blocks(found)),
            derivation=_listed(pages.allocate_steps(found)),
            sources=pages.allocate_sources(found),
        ),
        table=partial(_split_table, found),
        charts=MappingProxyType({"valley": partial(_allocate_chart, found)}),
    )


def _allocate_chart(found: Allocated, width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.report.chart_decide import allocate_chart

    return allocate_chart(found, width=width, mode=mode)


_NUMBERS = (Column(name="value", right=True), Column(name="low", right=True), Column(name="high", right=True))


def _split_table(found: Allocated) -> Table:
    """What is decided, a quantity a row, in base units."""
    one = found.decision
    estimates = {"params": one.params, "tokens": one.tokens, "loss": one.loss, "train_flops": one.train_flops}
    rows = [(name, *estimate, base_unit(name)) for name, estimate in estimates.items()]
    return ("quantity", *_NUMBERS, "unit"), rows


def _designed(found: Design) -> Drawn:
    pages = laws_design
    return Drawn(
        text=partial(pages.design_text, found),
        json=partial(pages.design_json, found),
        markdown=lambda _: pages.design_markdown(found),
        story=lambda: Story(
            title="Which runs to do next",
            answer=blocks_html(pages.design_blocks(found)) + table_html(*pages.design_table(found)),
            derivation=_listed(pages.design_steps(found)),
        ),
        table=partial(pages.design_table, found),
        charts=MappingProxyType({"widths": partial(_design_chart, found)}),
        more=MappingProxyType({"toml": partial(pages.design_toml, found)}),
    )


def _design_chart(found: Design, width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.report.chart_progress import design_chart

    return design_chart(found, width=width, mode=mode)


def _foreseen(found: Foreseen) -> Drawn:
    pages, one = laws_running, found.outlook
    return Drawn(
        text=partial(pages.running_text, found),
        json=partial(pages.running_json, found),
        markdown=lambda _: pages.running_markdown(found),
        story=lambda: Story(
            title="Where the run will end",
            answer=blocks_html(pages.running_blocks(found)),
            derivation=_listed(pages.running_steps(found)),
            sources=pages.SOURCES,
        ),
        table=lambda: (
            (found.curve.measure, *_NUMBERS),
            list(zip(*(map(float, part) for part in (one.at, one.middle, one.low, one.high)), strict=True)),
        ),
        charts=MappingProxyType({"outlook": partial(_running_chart, found)}),
    )


def _running_chart(found: Foreseen, width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.report.chart_progress import running_chart

    return running_chart(found, width=width, mode=mode)


def _compared(found: Comparison) -> Drawn:
    pages = laws_compare

    return Drawn(
        text=partial(pages.compare_text, found),
        json=partial(pages.compare_json, found),
        markdown=lambda _: pages.compare_markdown(found),
        story=lambda: Story(title="Two laws side by side", answer=blocks_html(pages.compare_blocks(found))),
        table=lambda: (
            ("figure", "first", "second", "difference", "low", "high"),
            [(one.name, one.first.value, one.second.value, *(one.change or (None,) * 3)) for one in found.differences],
        ),
    )
