"""The report of a quantization in every form."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.report import quantize as pages
from isoflop.report.drawings import Drawn, Story

if TYPE_CHECKING:
    import altair as alt

    from isoflop.quantize import Report
    from isoflop.quantize.quality import Quality
    from isoflop.report.chart_theme import Mode
    from isoflop.report.json import Json


def drawn(report: Report, judged: Quality | None = None, *, tensors: bool = False) -> Drawn:
    """Every form of a report; with `judged` what the text's perplexity became, with `tensors` a line for each."""

    def text(*, explain: bool = False, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
        return pages.quantize_text(
            report, judged, tensors=tensors or explain, width=width, color=color, ascii_only=ascii_only
        )

    return Drawn(
        text=text,
        json=partial(_json, report, judged),
        markdown=lambda _: pages.quantize_markdown(report, judged, tensors=tensors),
        story=lambda: Story(title="What was quantized", answer=pages.quantize_html(report, judged, tensors=tensors)),
        table=lambda: (pages.TENSOR_COLUMNS, pages.tensor_rows(report.tensors)),
        charts=MappingProxyType({"noise": partial(_chart, report)}),
    )


def _json(report: Report, judged: Quality | None) -> dict[str, Json]:
    from isoflop.quantize.job import report_object

    return {**report_object(report), **({"quality": asdict(judged)} if judged else {})}  # type: ignore[dict-item]  # plain


def _chart(report: Report, width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.report.chart_quantize import quantize_chart

    return quantize_chart(report, width=width, mode=mode)
