"""Napkin files: what is read, where it stands, and what people write otherwise."""

from __future__ import annotations

import pytest
from tests.audit.examples import napkin

from isoflop.audit import parse_napkin
from isoflop.audit.formula import parse
from isoflop.audit.measure import number
from isoflop.quantity import Centred, Interval, Range

TEXT = """title = "A run"
result = "cost"
[units]
slice = "32 chip"
pod = "8 slice"
entry = "noun"

[state]
1 = { text = "prices", source = "a page", values = ["$4/chip/h", "$2/chip/h"] }

[assume]
2 = { name = "price", value = "$2/chip/h", from = [1], is = "rent" }
3 = { name = "pods", value = "4 pods" }
4 = { name = "duration", value = "90-100 days", from = "a guess" }
"six" = "40% ± 5%"

[imply]
7 = { name = "hours", expr = "pods * duration" }
[imply.8]
name = "cost"
expr = "hours * price"
says = "around $4.7M"
is = "train_cost"
"""


def test_a_document_is_read_with_its_numbers_lines_and_sources() -> None:
    read = parse_napkin(TEXT)
    steps = read.by_number()
    assert list(steps) == ["1", "2", "3", "4", "six", "7", "8"]
    assert [steps[key].kind for key in ("1", "2", "8")] == ["statement", "assumption", "implication"]
    assert {key: step.span.line for key, step in steps.items()} == {
        "1": 9, "2": 12, "3": 13, "4": 14, "six": 15, "7": 18, "8": 19,
    }  # fmt: skip
    assert (read.name, read.result) == ("A run", "8")
    assert (steps["2"].cites, steps["4"].source, steps["1"].source) == (("1",), "a guess", "a page")
    assert steps["2"].quantity == "price"
    assert [value.spread.median for value in steps["1"].also] == [4 / 3600, 2 / 3600]


def test_nouns_stay_dimensions_of_their_own_until_they_are_tied() -> None:
    read = parse_napkin(TEXT)
    pods = read.by_number()["3"].says
    assert pods is not None
    assert [name for name, _ in pods.unit.dims] == ["pod"]
    assert read.nouns["pod"].scale == 256
    assert "entry" not in read.nouns


def test_spreads_are_read_as_everywhere() -> None:
    steps = parse_napkin(TEXT).by_number()
    kinds = [type(step.says.spread) for step in (steps["4"], steps["six"], steps["8"]) if step.says is not None]
    assert kinds[0] is Range
    assert set(kinds[1:]) <= {Interval, Centred}


def test_steps_may_be_a_list_and_may_refer_forward() -> None:
    report = napkin("""
[[imply]]
number = 1
name = "c"
expr = "#2 * b"
says = 12
[[imply]]
number = 2
expr = "b + 1"
says = 4
[[assume]]
name = "b"
value = 3
""")
    assert report.is_clean
    assert {key: found.own for key, found in report.evaluated.items() if found.own} == {"1": 12, "2": 4}
    assert [step.number for step in report.document.steps] == ["1", "2", "L11"]


def test_a_claim_without_a_unit_takes_the_one_that_is_due() -> None:
    report = napkin("""
[assume]
1 = { name = "n", value = "7B", is = "params" }
2 = { name = "w", value = "2 byte/param" }
[imply]
3 = { name = "m", expr = "n * w", says = "14e9" }
""")
    assert report.is_clean
    assert report.evaluated["3"].said == 14e9


def test_an_unknown_quantity_is_a_note() -> None:
    report = napkin("[assume]\n1 = { name = 'a', value = 3, is = 'train_flop' }")
    assert report.is_clean
    assert [(one.kind, "train_flops" in one.reason) for one in report.findings] == [("unsupported", True)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 * 4", 14.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("-2 ^ 2", -4.0),
        ("(1 - 10%) × 4T ÷ 2", 1.8e12),
        ("min(3, 1, 2) + max(4, 5)", 6.0),
        ("sqrt(16) + log2(8) + ceil(1.2)", 9.0),
        ("1,024 * 1_000", 1_024_000.0),
        ("1 / 3 / 2", 1 / 6),
        ("8 - 3 - 2", 3.0),
    ],
)
def test_expressions(text: str, value: float) -> None:
    assert number(parse(text).tree, {}) == pytest.approx(value)
