"""Check: claims about a run held against each other; who is suspect, and by how much."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isoflop.ask import check
from isoflop.errors import BadInput
from isoflop.report import Blocks, Row, Section, check_json, page, table_csv, table_html
from isoflop.report.check import COLUMNS, claim_rows, figures, headline, told
from isoflop.web import words
from isoflop.web.fields import Field, Group, Shown, View
from isoflop.web.names import guarded
from isoflop.web.views.common import table_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.ask import CheckResult

LOUD = {"Suspect", "Impossible", "Likely"}
FIRST = {"claims": "train_flops=3.14e23\nparams=175B\ntokens=300B"}
GPT4 = {"claims": "chips=25000 A100\ntrain_time=90-100 days\nmfu=0.32 to 0.36\ntrain_flops=2.15e26"}


def answer(given: Mapping[str, str]) -> Shown:
    """The claims reconciled."""
    guarded(given)
    claims = words.lines_of(given.get("claims", ""))
    if not claims:
        raise BadInput("nothing is claimed; write one name=value a line: params=175B")
    return shown(check(**guarded(claims)))


def shown(result: CheckResult) -> Shown:
    """The verdict on the page."""
    table = (COLUMNS, claim_rows(result))
    rows = [
        Row(label="verdict", value=headline(result), remark="" if result.verdict == "untested" else figures(result))
    ]
    rows += [
        Row(
            label=str(name),
            value=str(said),
            remark=f"reconciled {meant}, pull {pull}" + (f"; the others imply {implied}" if implied else ""),
        )
        for name, said, meant, pull, implied in table[1]
    ]
    sections = tuple(Section(heading=head, lines=lines, loud=head in LOUD) for head, lines in told(result))
    return Shown(
        blocks=(Blocks(rows=tuple(rows), sections=sections),),
        json=partial(check_json, result),
        parts=(table_part("Claim by claim", "claims", table),),
        links={row.label: "claims" for row in rows},
        hovers={"claims": "All claims and usual values are adjusted together, in logarithms, as little as their widths "
                          "allow, until every formula holds; pull: how far a claim had to go, in its own widths."},
        page=lambda: page(headline(result), table_html(*table)),
        csv=partial(table_csv, *table),
    )  # fmt: skip


VIEW = View(
    name="check",
    under="solve",
    title="Check claims",
    tab="Check claims",
    lead="Claims about one run held against each other: can they all be true, and if not, which is suspect.",
    button="Check",
    groups=(
        Group(
            title="What is claimed",
            open=True,
            fields=(
                Field(name="claims", label="Claims", kind="area", needed=True, example=FIRST["claims"],
                      hint="One name=value a line; intervals are welcome: mfu=0.32 to 0.36."),
            ),
        ),
    ),
    answer=answer,
    first=FIRST,
    examples=(("GPT-3, as printed", FIRST), ("GPT-4, with one zero too many", GPT4)),
)  # fmt: skip
