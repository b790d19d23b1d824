"""The description of a model in every form."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.report import model as pages
from isoflop.report.drawings import Drawn, Story

if TYPE_CHECKING:
    import altair as alt

    from isoflop.model import Description
    from isoflop.model.sheet import Sheet
    from isoflop.report.chart_theme import Mode


def drawn(described: Description) -> Drawn:
    """Every form of a model, counted at its usual lengths."""
    from isoflop.model.sheet import sheet

    return drawn_sheet(sheet(described))


def drawn_sheet(found: Sheet) -> Drawn:
    """Every form of a model that is counted already."""
    from isoflop.report.model_object import model_json, models_json

    return Drawn(
        text=partial(pages.model_text, found),
        json=lambda: models_json([model_json(found)]),
        markdown=lambda explain: pages.model_markdown(found, explain=explain),
        story=lambda: Story(title=found.spec.name, answer=pages.model_html(found, explain=True)),
        table=lambda: pages.component_table(found, exact=True),
        charts=MappingProxyType({"components": partial(_chart, found)}),
    )


def _chart(found: Sheet, width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.report.chart_model import component_chart

    return component_chart(found, width=width, mode=mode)
