"""Drawings of answers in notebooks, and what `str()` and `print` show of them.

The classes live in rooms that draw nothing, so their drawings are hung on from here, once a room, by `register`. What
draws is imported when something is drawn; what is shown is what every other form shows.
"""

from __future__ import annotations

from importlib import import_module

CLASSES = {
    "ask": (
        "isoflop.relation.answer:Answer", "isoflop.relation.answer:Ledger", "isoflop.ask.planner:Plan",
        "isoflop.ask.checker:CheckResult", "isoflop.ask.vary:Beside", "isoflop.laws.result:Fit",
        "isoflop.model.names:Description",
    ),
    "relation": ("isoflop.relation.answer:Answer", "isoflop.relation.answer:Ledger"),
    "audit": ("isoflop.audit.run:Report",),
    "laws": ("isoflop.laws.result:Fit", "isoflop.laws.decide.compare:Comparison", "isoflop.laws.decide.design:Design"),
    "model": ("isoflop.model.names:Description",),
    "quantize": ("isoflop.quantize.report:Report",),
    "serving": ("isoflop.relation.answer:Ledger", "isoflop.serving.advice:Service"),
    "training": (
        "isoflop.relation.answer:Ledger", "isoflop.training.advice:Advice", "isoflop.training.account:Account",
    ),
}  # fmt: skip
"""Answers that people look at, by the room that they come from; a fit and a model with
the questions, which load their rooms."""


def register(room: str = "ask") -> None:
    """Give the answers of a room `_repr_html_`, `_repr_markdown_` and a readable `str()`; twice does no harm."""
    for path in CLASSES.get(room, ()):
        module, _, name = path.partition(":")
        cls = getattr(import_module(module), name)
        for method, draw in (("_repr_html_", _html), ("_repr_markdown_", _markdown), ("__str__", _text)):
            setattr(cls, method, draw)


def _html(answer: object) -> str:
    """The answer as a fragment with its style; how it follows folds out."""
    from isoflop.report.drawings import drawn
    from isoflop.report.html import styled

    story = drawn(answer).story()
    folded = f"<details><summary>Derivation</summary>{story.derivation}</details>" if story.derivation else ""
    answer = story.answer.replace("<details open>", "<details>")
    return styled(f'<div class="isoflop">{answer}{folded}</div>')


def _markdown(answer: object) -> str:
    from isoflop.report.drawings import drawn

    return drawn(answer).markdown(False)  # noqa: FBT003 - the one choice there is


def _text(answer: object) -> str:
    from isoflop.report.drawings import drawn

    return drawn(answer).text()
