from __future__ import annotations

import csv
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report.samples import GIB, TEXTS

from isoflop.errors import BadInput
from isoflop.report import Column, table_csv, table_html, table_json, table_markdown, table_text
from isoflop.report.layout import width_of

COLUMNS = (
    "device",
    Column(name="peak_rate", title="bf16", quantity="peak_rate"),
    Column(name="price", quantity="price"),
    Column(name="source"),
)
ROWS = (
    ("h100-sxm", 989.4e12, 2.99 / 3600, "NVIDIA H100 Tensor Core GPU data sheet, 2023-03"),
    ("tpu-v4", 275e12, None, "cloud.google.com/tpu"),
)
CELLS = st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)


def test_the_table() -> None:
    assert table_text(COLUMNS, ROWS, width=72) == (
        "device                bf16         price  source\n"
        "--------  ----------------  ------------  ------------------------------\n"
        "h100-sxm  989 TFLOP/s/chip  $2.99/chip/h  NVIDIA H100 Tensor Core GPU\n"
        "                                          data sheet, 2023-03\n"
        "tpu-v4    275 TFLOP/s/chip             -  cloud.google.com/tpu"
    )


def test_a_narrow_terminal_gets_one_block_a_row() -> None:
    assert table_text(COLUMNS, ROWS[1:], width=40) == (
        "device  tpu-v4\nbf16    275 TFLOP/s/chip\nprice   -\nsource  cloud.google.com/tpu"
    )


def test_no_rows_is_a_head() -> None:
    assert table_text(["a", "b"], []) == "a  b\n-  -"
    assert table_text([], []) == ""


@given(
    st.integers(min_value=1, max_value=6).flatmap(
        lambda size: st.tuples(
            st.lists(TEXTS, min_size=size, max_size=size),
            st.lists(st.lists(CELLS, min_size=size, max_size=size), max_size=4),
        )
    ),
    st.integers(min_value=24, max_value=120),
)
def test_any_table_fits_any_width(table: tuple[list[str], list[list[object]]], width: int) -> None:
    heads, rows = table
    drawn = table_text(heads, rows, width=width)  # type: ignore[arg-type]
    assert max(map(width_of, drawn.split("\n"))) <= width
    table_markdown(heads, rows)  # type: ignore[arg-type]
    table_html(heads, rows)  # type: ignore[arg-type]


def test_dates_are_no_numbers() -> None:
    assert table_text(["date", "n"], [("2023-03-01", 5.0)]) == "date        n\n----------  -\n2023-03-01  5"


def test_csv_holds_base_units_to_the_last_bit() -> None:
    read = list(csv.reader(StringIO(table_csv(COLUMNS, ROWS))))
    assert read[0] == ["device", "peak_rate", "price", "source"]
    assert float(read[1][2]) == 2.99 / 3600
    assert read[2][2] == ""


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "@SUM(A1)", "-2+3"])
def test_csv_gives_a_spreadsheet_no_formula(text: str) -> None:
    assert table_csv(["a"], [[text]]) == f"a\n'{text}\n"


def test_markdown_table() -> None:
    assert table_markdown(["a|b", "n"], [("x*y", 5.0)]) == "| a\\|b | n |\n|---|---:|\n| x\\*y | 5 |"


def test_html_table_has_heads_and_caption() -> None:
    html = table_html(["a"], [("<x>",)], caption="<c>")
    assert "<caption>&lt;c&gt;</caption>" in html
    assert '<th scope="col">a</th>' in html
    assert "<td>&lt;x&gt;</td>" in html


def test_json_table() -> None:
    made = table_json(COLUMNS, ROWS)
    assert made["columns"][1] == {"name": "peak_rate", "unit": "FLOP/s/chip"}  # type: ignore[index,call-overload]
    assert made["rows"][1] == {  # type: ignore[index,call-overload]
        "device": "tpu-v4",
        "peak_rate": 275e12,
        "price": None,
        "source": "cloud.google.com/tpu",
    }


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="came out as nan"):
        table_csv(["a"], [[float("nan")]])
    with pytest.raises(BadInput, match="memory came out as inf"):
        table_text([Column(name="memory", quantity="memory")], [[GIB * float("inf")]])
