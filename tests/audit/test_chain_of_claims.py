"""The chain of gpt4_price.toml, whose slips are known, and small chains that show one rule each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.audit.examples import audited, napkin, wrong

from isoflop.audit import audit_document, parse_napkin
from isoflop.audit.amounts import amount

if TYPE_CHECKING:
    from isoflop.audit import Report

HEAD = """
[units]
slice = "32 chip"
[assume]
1 = { name = "rent", value = "$33,849/month/slice", is = "price" }
2 = { name = "peak", value = "275 TFLOP/s/chip", is = "peak_rate" }
3 = { name = "mfu", value = "40%", is = "mfu" }
4 = { name = "params", value = "70B params", is = "params" }
5 = { name = "tokens", value = "1.4T tokens", is = "tokens" }
6 = { name = "days", value = "30 days" }
7 = { name = "chips", value = "512 chips", is = "chips" }
[imply]
"""


def test_the_chain_of_the_price_is_wrong_where_it_is_known_to_be() -> None:
    assert wrong(audited("gpt4_price")) == [
        ("13", "units", "unit_mismatch"),
        ("16", "units", "noun_left_out"),
        ("16", "world", "utilisation_missing"),
        ("18", "arithmetic", "decimal_slip"),
        ("20", "world", "forward_for_training"),
    ]


@pytest.mark.parametrize(("step", "factor"), [("16", 1 / 32), ("18", 100.0), ("20", 3.0)])
def test_its_factors(step: str, factor: float) -> None:
    factors = [finding.factor for finding in audited("gpt4_price").findings if finding.step == step]
    assert any(one == pytest.approx(factor, rel=0.02) for one in factors if one is not None)


def test_a_slip_is_reported_once_and_later_lines_inherit() -> None:
    inherited = [finding.step for finding in audited("gpt4_price").findings if finding.level == "inherits"]
    assert inherited == ["14", "17", "21", "22"]


def test_a_cut_off_digit_is_a_note() -> None:
    notes = [(one.step, one.kind) for one in audited("gpt4_price").findings if one.level == "note"]
    assert notes == [("20", "rounding")]


@pytest.mark.parametrize(
    ("mfu", "rent", "params"),
    [("40%", "", 1.14e12), ("40%", "on demand", 0.512e12), ("40%", "for one year", 0.814e12)],
)
def test_the_result_put_right(mfu: str, rent: str, params: float) -> None:
    report = audited("gpt4_price", mfu)
    found = report.result if not rent else next(one for label, one in report.alternatives if rent in label)
    assert found is not None
    assert found.value == pytest.approx(params, rel=0.005)


def test_the_result_has_an_interval_where_utilisation_has_one() -> None:
    result = audited("gpt4_price", "40% (32% to 49%)").result
    assert result is not None
    assert result.low == pytest.approx(1.1395e12 * 0.8, rel=0.02)
    assert result.high == pytest.approx(1.1395e12 * 1.225, rel=0.02)


def test_four_thousand_dollars_train_three_billion_parameters_on_sixty_billion_tokens() -> None:
    values = {one.label: one.value for one in audited("own_budget").corrected}
    assert values["params"] == pytest.approx(3.02e9, rel=0.01)
    assert values["tokens"] == pytest.approx(60.4e9, rel=0.01)
    assert values["at_their_tokens"] == pytest.approx(45.5e6, rel=0.01)


def test_other_documents_claims() -> None:
    assert wrong(audited("petaflop_days")) == [("9", "arithmetic", "arithmetic")]
    assert wrong(audited("training_memory")) == [("12", "arithmetic", "arithmetic")]
    assert wrong(audited("model_sizes")) == [("4", "world", "model_figure"), ("5", "world", "model_figure")]
    factors = [f.factor for name in ("petaflop_days", "training_memory") for f in audited(name).findings if f.is_wrong]
    assert factors == [pytest.approx(0.624, rel=0.01), pytest.approx(5.0)]


Expected = tuple[str, str, float | None] | None
CASES: dict[str, tuple[str, str, Expected]] = {
    "right": ("peak * mfu / rent", "says = '2.73e17 FLOP/$'", None),
    "nouns left alone": ("peak * mfu / rent", "says = '8.55e15 FLOP/$'", ("units", "noun_left_out", 1 / 32)),
    "work for a rate": ("peak * mfu * chips", "says = '5.63e16 FLOP'", ("units", "rate_for_amount", None)),
    "dollars left": ("peak / rent", "says = '6.84e17 FLOP'", ("units", "unit_mismatch", None)),
    "unlike things added": ("peak + rent", "says = '5 FLOP'", ("units", "unit_mismatch", None)),
    "hours for days": ("chips * days", "says = '15,360 chip-hours'", ("arithmetic", "time_unit", 1 / 24)),
    "bits": ("params * 2 [byte/param]", "says = '1,120 GB'", ("arithmetic", "bits_for_bytes", 8.0)),
    "GiB": ("params * 2 [byte/param]", "says = '130.4 GB'", ("arithmetic", "gb_for_gib", 0.9313)),
    "GiB on purpose": ("params * 2 [byte/param]", "says = '130.4 GiB'", None),
    "MFU left out": ("peak * mfu", "says = '275 TFLOP/s/chip'", ("arithmetic", "utilisation_missing", 2.5)),
    "a thousand": ("params * tokens * 6", "says = '5.88e20 FLOP'", ("arithmetic", "prefix", 1e-3)),
    "the forward pass": (
        "2 * params * tokens",
        "says = '1.96e23 FLOP', is = 'train_flops'",
        ("world", "forward_for_training", 1 / 3),
    ),
    "recomputation": ("8 * params * tokens", "says = '7.84e23 FLOP', is = 'train_flops'", None),
    "no utilisation": (
        "peak / rent",
        "says = '6.84e17 FLOP/$', is = 'flops_per_usd'",
        ("world", "utilisation_missing", 3.14),
    ),
    "a share above one": ("mfu * 3", "says = '120%', is = 'hfu'", ("world", "utilisation_above_one", None)),
    "a bare 24 converts": ("chips * days * 24", "says = '369,000 chip-hours'", None),
    "bare numbers stand for units": ("512 * 30 * 24", "says = '369,000 chip-hours'", None),
    "a sum over a day, per day": ("rent * 1 [slice] * 24 [hours]", "says = '$1,112/day'", None),
    "a ratio counts": ("140 [GB] / 80 [GB]", "says = '1.75 chips'", None),
    "a month of any length": ("rent * 1 [slice] / 30 [days/month]", "says = '$1,128/day'", None),
}


@pytest.mark.parametrize("case", CASES)
def test_one_rule(case: str) -> None:
    expr, rest, expected = CASES[case]
    report = napkin(f"{HEAD}8 = {{ expr = '{expr}', {rest} }}")
    found = [finding for finding in report.findings if finding.is_wrong]
    if expected is None:
        assert not found
        return
    level, kind, factor = expected
    assert [(one.level, one.kind) for one in found] == [(level, kind)]
    if factor is not None:
        assert found[0].factor == pytest.approx(factor, rel=0.01)


def test_a_noun_that_a_price_lacks_is_named() -> None:
    text = HEAD.replace("/month/slice", "/month") + "8 = { expr = 'peak * mfu / rent', says = '8.55e15 FLOP/$' }"
    found = [finding for finding in napkin(text).findings if finding.is_wrong]
    assert [finding.kind for finding in found] == ["noun_left_out"]
    assert found[0].factor == pytest.approx(1 / 32, rel=0.01)
    assert "slice of 32 chip" in found[0].reason


def test_another_row_of_the_source_is_recognised() -> None:
    text = """
    [state]
    1 = { text = "prices", values = ["$4/chip/h", "$2.20/chip/h"] }
    [assume]
    2 = { name = "price", value = "$4/chip/h", from = [1] }
    3 = { name = "hours", value = "1,000 chip-hours" }
    [imply]
    4 = { expr = "price * hours", says = "$2,200" }
    """
    found = [finding for finding in napkin(text).findings if finding.is_wrong]
    assert [(finding.kind, finding.factor) for finding in found] == [("wrong_row", pytest.approx(0.55))]


def test_reasons_are_at_most_two_and_worded_likely() -> None:
    text = HEAD + "8 = { expr = 'params * 2 [byte/param]', says = '1,120 GB' }"
    finding = next(one for one in napkin(text).findings if one.is_wrong)
    assert "likely" in finding.reason
    assert len(finding.others) <= 1
    assert all(other.startswith("likely") for other in finding.others)


def test_claims_that_cannot_all_be_true_name_a_suspect() -> None:
    text = """
    [assume]
    1 = { name = "params", value = "175B params", is = "params" }
    2 = { name = "tokens", value = "30B tokens", is = "tokens" }
    3 = { name = "work", value = "3.14e23 FLOP", is = "train_flops" }
    """
    report = napkin(text)
    assert [finding.kind for finding in report.findings] == ["contradiction"]
    assert report.claims is not None
    assert report.claims.verdict == "contradictory"
    factor = report.findings[0].factor
    assert factor is not None
    assert max(factor, 1 / factor) == pytest.approx(10, rel=0.1)


DEVICE = """
device = "a100-sxm-80gb"
[assume]
1 = {{ name = "peak", value = "{peak}", is = "peak_rate" }}
2 = {{ name = "memory", value = "{memory}", is = "memory" }}
"""


@pytest.mark.parametrize(
    ("peak", "memory", "kinds"),
    [
        ("312 TFLOP/s/chip", "80 GB/chip", []),
        ("312 TFLOP/s/chip", "80 GiB/chip", []),
        ("156 TFLOP/s/chip", "80 GB/chip", []),
        ("624 TFLOP/s/chip", "80 GB/chip", [("1", "sparse_for_dense", 2.0)]),
        ("400 TFLOP/s/chip", "80 GB/chip", [("1", "device_figure", 400 / 312)]),
        ("312 TFLOP/s/chip", "40 GB/chip", [("2", "device_figure", 0.5)]),
    ],
)
def test_figures_of_a_named_device(peak: str, memory: str, kinds: list[tuple[str, str, float]]) -> None:
    found = napkin(DEVICE.format(peak=peak, memory=memory)).findings
    assert [(one.step, one.kind, pytest.approx(one.factor)) for one in found] == kinds


def test_work_in_a_document_of_training_is_that_of_training_unless_it_says_otherwise() -> None:
    text = """
    title = "Training a 7B model"
    [assume]
    1 = { name = "params", value = "7B params" }
    2 = { name = "tokens", value = "2T tokens" }
    [imply]
    3 = { name = "compute", expr = "2 * params * tokens", says = "2.8e22 FLOP" }
    4 = { name = "forward", expr = "2 * params * tokens", says = "2.8e22 FLOP" }
    5 = { name = "whole", expr = "6 * params * tokens", says = "8.4e22 FLOP" }
    """
    assert wrong(napkin(text)) == [("3", "world", "forward_for_training")]


COPIES = """
[assume]
1 = { name = "cost", value = "$100m" }
2 = { name = "tokens", value = "4T tokens" }
[imply]
3 = { name = "rate", expr = "tokens / cost", says = "%s" }
4 = { name = "bought", expr = "rate * 1,000,000 [$]", says = "4e10 tokens" }
"""


def with_copy(says: str, copy: str) -> Report:
    """A chain in which the last step repeats the value of the one before it, as prose does."""
    read = parse_napkin(COPIES % says)
    *others, last = read.steps
    given = replace(last.inputs["rate"], written=amount(copy))
    return audit_document(replace(read, steps=(*others, replace(last, inputs={**last.inputs, "rate": given}))))


def test_a_value_repeated_beside_a_reference_is_held_against_it() -> None:
    assert wrong(with_copy("40k tokens/$", "40k tokens/$")) == []
    found = wrong(with_copy("40k tokens/$", "60k tokens/$"))
    assert ("4", "arithmetic", "copied_wrong") in found
    assert {step for step, _, _ in found} == {"4"}


def test_a_right_copy_of_a_wrong_step_is_no_slip() -> None:
    assert wrong(with_copy("400k tokens/$", "40k tokens/$")) == [("3", "arithmetic", "decimal_slip")]


def test_a_number_beside_a_reference_has_the_unit_of_what_it_refers_to() -> None:
    read = parse_napkin("""
    [assume]
    1 = { name = "price", value = "$1.50/chip/h" }
    2 = { name = "hours", value = "46,400 chip-hours" }
    [imply]
    3 = { name = "cost", expr = "hours * price", says = "$69,600" }
    """)
    *others, last = read.steps
    bare = replace(last.inputs["price"], written=amount("$1.50"))
    changed = replace(read, steps=(*others, replace(last, inputs={**last.inputs, "price": bare})))
    assert wrong(audit_document(changed)) == []


def test_a_peak_times_a_share_is_no_peak() -> None:
    text = """
    [assume]
    1 = { name = "peak", value = "312 TFLOP/s/chip", is = "peak_rate" }
    2 = { name = "mfu", value = "45%", is = "mfu" }
    3 = { name = "work", value = "2.34e22 FLOP", is = "train_flops" }
    [imply]
    4 = { name = "reached", expr = "peak * mfu", says = "140 TFLOP/s/chip", is = "peak_rate" }
    5 = { name = "hours", expr = "work / reached", says = "46,400 chip-hours", is = "chip_time" }
    """
    assert wrong(napkin(text)) == []
