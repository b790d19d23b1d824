"""An audit in every form."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from isoflop.report import audit as pages
from isoflop.report.drawings import Drawn, Story
from isoflop.report.table import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

    from isoflop.audit import Needed, Report
    from isoflop.report.chart_audit import AuditChart
    from isoflop.report.chart_theme import Mode
    from isoflop.report.drawings import Table

CHARTS: tuple[AuditChart, ...] = ("tornado", "shares")


def drawn(report: Report, needed: Sequence[Needed] = ()) -> Drawn:
    """Every form of an audit; `needed`: how well each input must be known, where that was asked."""
    from isoflop.report.audit_object import audit_json

    def text(*, explain: bool = False, width: int = 80, color: bool = False, ascii_only: bool = False) -> str:
        del explain
        return pages.audit_text(report, needed=needed, width=width, color=color, ascii_only=ascii_only)

    return Drawn(
        text=text,
        json=partial(audit_json, report, needed),
        markdown=lambda _: pages.audit_markdown(report, needed),
        story=lambda: Story(
            title=report.document.name,
            answer=pages.audit_fragment(report, needed),
            assumptions=tuple(dict.fromkeys(_taken(report))),
        ),
        table=partial(findings_table, report),
        charts=MappingProxyType({kind: partial(_chart, report, kind) for kind in CHARTS}),
    )


def _taken(report: Report) -> list[str]:
    return [f"if {label}: {one.label} = {pages.around(one)}" for label, one in report.alternatives]


def _chart(report: Report, kind: AuditChart, width: int, mode: Mode) -> alt.TopLevelMixin:
    from isoflop.report.chart_audit import audit_chart

    return audit_chart(report, kind, width=width, mode=mode)


def findings_table(report: Report) -> Table:
    """What was found, a row each, in base units."""
    columns: list[Column | str] = ["step", Column(name="line", right=True), "level", "class"]
    columns += [Column(name=name, right=True) for name in ("factor", "says", "recomputed")]
    rows = [
        (
            one.step, float(one.span.line), one.level, one.kind, one.factor, one.says, one.recomputed,
            "" if one.unit is None else one.unit.base.text, one.reason,
        )
        for one in report.findings
    ]  # fmt: skip
    return [*columns, "unit", "reason"], rows
