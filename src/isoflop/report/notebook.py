"""Drawings of answers in notebooks, and what `str()` and `print` show of them: what every other form shows.

Answers find this by `isoflop.relation.shown`, when they are looked at.
"""

from __future__ import annotations

from isoflop.report.drawings import drawn
from isoflop.report.html import styled


def html(answer: object) -> str:
    """The answer as a fragment with its style; how it follows folds out."""
    story = drawn(answer).story()
    folded = f"<details><summary>Derivation</summary>{story.derivation}</details>" if story.derivation else ""
    shown = story.answer.replace("<details open>", "<details>")
    return styled(f'<div class="isoflop">{shown}{folded}</div>')


def markdown(answer: object) -> str:
    """The answer as Markdown."""
    return drawn(answer).markdown(False)  # noqa: FBT003 - the one choice there is


def text(answer: object) -> str:
    """The answer as the terminal shows it."""
    return drawn(answer).text()
