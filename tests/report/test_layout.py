from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.report.layout import Paper, ascii_text, clean, flow, hang, pad, width_of, wrap


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("", 0), ("模型", 4), ("e\u0301", 1), ("·²", 2), ("a\u200bb", 2)]
)
def test_width_is_what_a_terminal_shows(text: str, columns: int) -> None:
    assert width_of(text) == columns


def test_control_sequences_do_not_reach_the_terminal() -> None:
    assert clean("a\x1b[31mb\n\tc\x07\u202e") == "a [31mb c"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("peak_rate · mfu / price", "peak_rate * mfu / price"),
        ("§2.1, 10⁻²¹, d², α ≤ 3 ± 1", "sec. 2.1, 10^-21, d^2, alpha <= 3 +- 1"),
        ("über 模", "uber ?"),
    ],
)
def test_ascii_keeps_the_meaning(text: str, plain: str) -> None:
    assert ascii_text(text) == plain


@given(st.text())
def test_ascii_is_ascii(text: str) -> None:
    assert ascii_text(text).isascii()


@given(st.text(), st.integers(min_value=2, max_value=100))
def test_wrapped_lines_fit_and_nothing_is_lost(text: str, width: int) -> None:
    text = clean(text)
    lines = wrap(text, width)
    assert lines
    assert all(width_of(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_number_stays_with_its_percent_sign() -> None:
    assert wrap("at MFU 40 % or so", 9) == ["at MFU", "40 % or", "so"]


def test_hanging_indent() -> None:
    assert hang("one two three four", 11, "- ") == ["- one two", "  three", "  four"]


def test_flow_breaks_between_chunks_first() -> None:
    chunks = [("", "total = a + b"), (" ", "= 12"), ("   ", ""), ("   ", "from [1], [2]")]
    assert flow(chunks, 40, indent="  ") == ["total = a + b = 12   from [1], [2]"]
    assert flow(chunks, 20, indent="  ") == ["total = a + b = 12", "  from [1], [2]"]


def test_pad_counts_columns() -> None:
    assert pad("模", 4) + "|" == "模  |"
    assert pad("1", 3, right=True) == "  1"


def test_colour_only_where_asked_for() -> None:
    assert Paper().strong("x") == "x"
    assert Paper(color=True).strong("x") == "\x1b[1mx\x1b[0m"
    assert Paper(color=True).strong("") == ""
