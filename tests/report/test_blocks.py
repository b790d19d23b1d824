from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.report.samples import BLOCKS, PLAN

from isoflop.report import Blocks, Row, blocks_html, blocks_markdown, blocks_text
from isoflop.report.layout import width_of

IN_80_COLUMNS = """\
  $4,000 buys     2,762 chip-hours of TPU v4                                 [1]
                    $1.448 a chip-hour: 3-year commitment, us-central2,
                    2022-05-11
  that do         1.09e21 FLOP = 12.7 PF-days                                [2]
                    at MFU 40 % (32 to 49 %)
  shape           26 layers x 3072, 24 heads, 8 KV heads, vocabulary 32k,
                  all of it in one long line
  takes           3.6 days                                                   [5]

  What moves it   MFU 51 %, price 45 % of the variance in loss
  Mind            the price needs a 3-year contract
  Instead         8x H100 SXM: 3.4B on 68B tokens
                  A100: 2.2B on 44B tokens

  --explain for the derivation, --json for scripts."""


def test_the_layout_in_80_columns() -> None:
    assert blocks_text(PLAN) == IN_80_COLUMNS


def test_remarks_stand_beside_where_all_of_them_fit() -> None:
    lines = blocks_text(PLAN, width=130).split("\n")
    assert "at MFU 40 % (32 to 49 %)" in lines[1]
    assert "2022-05-11" in lines[0]


def test_a_narrow_terminal_gets_everything_below_its_label() -> None:
    assert blocks_text(Blocks(rows=PLAN.rows[:2]), width=40) == (
        "  $4,000 buys\n"
        "     2,762 chip-hours of TPU v4      [1]\n"
        "       $1.448 a chip-hour: 3-year\n"
        "       commitment, us-central2,\n"
        "       2022-05-11\n"
        "  that do\n"
        "     1.09e21 FLOP = 12.7 PF-days     [2]\n"
        "       at MFU 40 % (32 to 49 %)"
    )


@given(BLOCKS, st.integers(min_value=24, max_value=140), st.booleans())
def test_any_blocks_fit_any_width(blocks: Blocks, width: int, plain: bool) -> None:  # noqa: FBT001
    drawn = blocks_text(blocks, width=width, ascii_only=plain)
    assert max(map(width_of, drawn.split("\n"))) <= width


@given(BLOCKS)
def test_nothing_is_dropped(blocks: Blocks) -> None:
    drawn = "".join(blocks_text(blocks).split())
    for row in blocks.rows:
        assert all(
            part in drawn for part in row.label.split()[:1] if part.isascii() and part.isalnum() and len(part) < 9
        )


def test_markdown_is_a_table_with_sections() -> None:
    text = blocks_markdown(Blocks(title="A plan", rows=PLAN.rows[3:], sections=PLAN.sections[1:2], notes=("end",)))
    assert text == (
        "### A plan\n\n|  |  |  |  |\n|---|---|---|---|\n| takes | **3.6 days** |  | \\[5\\] |\n\n"
        "**Mind**  \nthe price needs a 3-year contract\n\nend"
    )


def test_html_escapes() -> None:
    html = blocks_html(Blocks(title="<b>", rows=(Row(label="<i>", value='"&'),)))
    assert "<b>" not in html
    assert "<i>" not in html
    assert "&quot;&amp;" in html
