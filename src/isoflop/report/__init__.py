"""Drawings of answers: text, Markdown, HTML, JSON, LaTeX, Mermaid, tables, charts, reports, model cards, Methods.

One renderer each; all read the same `Answer` and `Ledger` and return text (charts: altair objects). Lowest first:
layout and markup (fitting and escaping), words (numbers in people's units), outline and terms (which lines there are),
then the renderers. Names are loaded when first used, so that a plain text answer loads no HTML and no charts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isoflop.report.account import account_html, account_json, account_markdown, account_text, offers_rows
    from isoflop.report.audit import audit_html, audit_markdown, audit_text
    from isoflop.report.audit_object import audit_json
    from isoflop.report.blocks import Blocks, Row, Section, blocks_html, blocks_markdown, blocks_text
    from isoflop.report.chart_audit import audit_chart
    from isoflop.report.chart_inline import figure
    from isoflop.report.chart_loss import Curve, PlanPoint, Valley, loss_chart
    from isoflop.report.chart_memory import memory_chart
    from isoflop.report.chart_offers import offers_chart
    from isoflop.report.chart_plan import plan_chart
    from isoflop.report.chart_prices import device_chart, devices_chart, offers_dates_chart, run_chart
    from isoflop.report.chart_quantize import quantize_chart
    from isoflop.report.chart_save import chart_html, chart_json, chart_png, chart_spec, chart_svg, save
    from isoflop.report.chart_serving import serving_chart
    from isoflop.report.chart_shares import answer_chart
    from isoflop.report.chart_theme import theme
    from isoflop.report.chart_training import training_chart
    from isoflop.report.check import check_json, check_markdown, check_text, row_table, rows_text
    from isoflop.report.drawings import Drawn, Story, drawn
    from isoflop.report.html import answer_html, ledger_html, page, style, styled
    from isoflop.report.json import answer_json, answers_json, dumps, ledger_json, schema, table_json
    from isoflop.report.latex import answer_latex
    from isoflop.report.markdown import answer_markdown, ledger_markdown
    from isoflop.report.mermaid import answer_mermaid
    from isoflop.report.methods import Methods, Sentence, methods_bibtex, methods_latex, methods_markdown
    from isoflop.report.model import component_table, model_html, model_markdown, model_text
    from isoflop.report.model_card import Footprint, account_footprint, card, plan_footprint
    from isoflop.report.model_derivation import model_steps, steps_table
    from isoflop.report.model_object import model_json, models_json, opinion_json, tensors_json
    from isoflop.report.plan import plan_blocks, plan_html, plan_json, plan_markdown, plan_text
    from isoflop.report.quantize import quantize_blocks, quantize_html, quantize_markdown, quantize_text
    from isoflop.report.report_page import Origin, document
    from isoflop.report.serving import front_table, serving_blocks, serving_html, serving_markdown, serving_text
    from isoflop.report.serving_object import serving_json
    from isoflop.report.table import Cell, Column, table_csv, table_html, table_latex, table_markdown, table_text
    from isoflop.report.text import answer_text, ledger_text
    from isoflop.report.training import (
        layout_table,
        training_blocks,
        training_html,
        training_json,
        training_markdown,
        training_text,
    )
    from isoflop.report.words import say, say_interval

__all__ = [
    "Blocks",
    "Cell",
    "Column",
    "Curve",
    "Drawn",
    "Footprint",
    "Methods",
    "Origin",
    "PlanPoint",
    "Row",
    "Section",
    "Sentence",
    "Story",
    "Valley",
    "account_footprint",
    "account_html",
    "account_json",
    "account_markdown",
    "account_text",
    "answer_chart",
    "answer_html",
    "answer_json",
    "answer_latex",
    "answer_markdown",
    "answer_mermaid",
    "answer_text",
    "answers_json",
    "audit_chart",
    "audit_html",
    "audit_json",
    "audit_markdown",
    "audit_text",
    "blocks_html",
    "blocks_markdown",
    "blocks_text",
    "card",
    "chart_html",
    "chart_json",
    "chart_png",
    "chart_spec",
    "chart_svg",
    "check_json",
    "check_markdown",
    "check_text",
    "component_table",
    "device_chart",
    "devices_chart",
    "document",
    "drawn",
    "dumps",
    "figure",
    "front_table",
    "layout_table",
    "ledger_html",
    "ledger_json",
    "ledger_markdown",
    "ledger_text",
    "loss_chart",
    "memory_chart",
    "methods_bibtex",
    "methods_latex",
    "methods_markdown",
    "model_html",
    "model_json",
    "model_markdown",
    "model_steps",
    "model_text",
    "models_json",
    "offers_chart",
    "offers_dates_chart",
    "offers_rows",
    "opinion_json",
    "page",
    "plan_blocks",
    "plan_chart",
    "plan_footprint",
    "plan_html",
    "plan_json",
    "plan_markdown",
    "plan_text",
    "quantize_blocks",
    "quantize_chart",
    "quantize_html",
    "quantize_markdown",
    "quantize_text",
    "row_table",
    "rows_text",
    "run_chart",
    "save",
    "say",
    "say_interval",
    "schema",
    "serving_blocks",
    "serving_chart",
    "serving_html",
    "serving_json",
    "serving_markdown",
    "serving_text",
    "steps_table",
    "style",
    "styled",
    "table_csv",
    "table_html",
    "table_json",
    "table_latex",
    "table_markdown",
    "table_text",
    "tensors_json",
    "theme",
    "training_blocks",
    "training_chart",
    "training_html",
    "training_json",
    "training_markdown",
    "training_text",
]

_HOMES = {
    "model_card": ("Footprint", "account_footprint", "card", "plan_footprint"),
    "chart_shares": ("answer_chart",),
    "chart_inline": ("figure",),
    "chart_prices": ("device_chart", "devices_chart", "offers_dates_chart", "run_chart"),
    "report_page": ("Origin", "document"),
    "drawings": ("Drawn", "Story", "drawn"),
    "methods": ("Methods", "Sentence", "methods_bibtex", "methods_latex", "methods_markdown"),
    "account": ("account_html", "account_json", "account_markdown", "account_text", "offers_rows"),
    "audit": ("audit_html", "audit_markdown", "audit_text"),
    "audit_object": ("audit_json",),
    "chart_audit": ("audit_chart",),
    "blocks": ("Blocks", "Row", "Section", "blocks_html", "blocks_markdown", "blocks_text"),
    "chart_loss": ("Curve", "PlanPoint", "Valley", "loss_chart"),
    "chart_memory": ("memory_chart",),
    "chart_save": ("chart_html", "chart_json", "chart_png", "chart_spec", "chart_svg", "save"),
    "chart_theme": ("theme",),
    "chart_training": ("training_chart",),
    "check": ("check_json", "check_markdown", "check_text", "row_table", "rows_text"),
    "html": ("answer_html", "ledger_html", "page", "style", "styled"),
    "json": ("answer_json", "answers_json", "dumps", "ledger_json", "schema", "table_json"),
    "latex": ("answer_latex",),
    "markdown": ("answer_markdown", "ledger_markdown"),
    "mermaid": ("answer_mermaid",),
    "model": ("component_table", "model_html", "model_markdown", "model_text"),
    "model_object": ("model_json", "models_json", "opinion_json", "tensors_json"),
    "model_derivation": ("model_steps", "steps_table"),
    "plan": ("plan_blocks", "plan_html", "plan_json", "plan_markdown", "plan_text"),
    "chart_offers": ("offers_chart",),
    "chart_plan": ("plan_chart",),
    "chart_quantize": ("quantize_chart",),
    "quantize": ("quantize_blocks", "quantize_html", "quantize_markdown", "quantize_text"),
    "chart_serving": ("serving_chart",),
    "serving": ("front_table", "serving_blocks", "serving_html", "serving_markdown", "serving_text"),
    "serving_object": ("serving_json",),
    "table": ("Cell", "Column", "table_csv", "table_html", "table_latex", "table_markdown", "table_text"),
    "text": ("answer_text", "ledger_text"),
    "training": (
        "layout_table",
        "training_blocks",
        "training_html",
        "training_json",
        "training_markdown",
        "training_text",
    ),
    "words": ("say", "say_interval"),
}


def __getattr__(name: str) -> object:
    """Load the module that a public name lives in, the first time the name is used."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"isoflop.report.{home}"), name)
    message = f"module 'isoflop.report' has no attribute {name!r}; the public names are: {', '.join(__all__)}"
    raise AttributeError(message)
