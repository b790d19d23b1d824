"""A check of claims in every form."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop.report import check as pages
from isoflop.report.drawings import Drawn, Story
from isoflop.report.markup import html_escape
from isoflop.report.table import table_html

if TYPE_CHECKING:
    from isoflop.ask import CheckResult


def drawn(result: CheckResult) -> Drawn:
    """Every form of a check."""

    def text(*, explain: bool = False, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
        del explain
        return pages.check_text(result, width=width, color=color, ascii_only=ascii_only)

    return Drawn(
        text=text,
        json=partial(pages.check_json, result),
        markdown=lambda _: pages.check_markdown(result),
        story=partial(_story, result),
        table=lambda: (pages.COLUMNS, pages.claim_rows(result)),
    )


def _story(result: CheckResult) -> Story:
    said = f'<p class="result"><strong>{html_escape(pages.headline(result))}</strong></p>'
    if result.dof:
        said += f"<p>{html_escape(pages.figures(result))}</p>{table_html(pages.COLUMNS, pages.claim_rows(result))}"
    told = "".join(
        f"<h4>{html_escape(head)}</h4><ul>{''.join(f'<li>{html_escape(line)}</li>' for line in lines)}</ul>"
        for head, lines in pages.told(result)
    )
    return Story(title="Can these claims all be true?", answer=f'<section class="isoflop">{said}{told}</section>')
