"""Hostile documents: a clear error or a report, in bounded time and memory; fuzzed."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from isoflop.audit import audit_text
from isoflop.audit.formula import parse
from isoflop.errors import BadFile, BadInput, IsoflopError
from isoflop.report import audit_html, audit_json, audit_markdown, dumps
from isoflop.report import audit_text as drawn

STEPS = "\n".join(f'"{place}" = 1' for place in range(10_001))
CIRCLE = "\n".join(f'{i} = {{ name = "x{i}", expr = "x{(i + 1) % 3000}", says = 1 }}' for i in range(3000))

REFUSED = {
    "no steps": ("", "no steps; write them under"),
    "too many steps": (f"[assume]\n{STEPS}", "10,001 steps; 10,000 are read at most"),
    "two in a circle": (
        '[imply]\n1 = {name = "a", expr = "b", says = 1}\n2 = {name = "b", expr = "a", says = 1}',
        "circle: 1 from 2 from 1",
    ),
    "itself": ('[imply]\n1 = {name = "a", expr = "a * 2", says = 1}', "circle: 1 from 1"),
    "a long circle": (f"[imply]\n{CIRCLE}", "circle: 0 from 1"),
    "deep brackets": (f'[imply]\n1 = {{expr = "{"(" * 400}1{")" * 400}"}}', "nested deeper than 50 levels"),
    "very deep brackets": (f'[imply]\n1 = {{expr = "{"(" * 10_000}1"}}', "10,001 characters is refused"),
    "a tower of powers": (f'[imply]\n1 = {{expr = "{"2^" * 80}2"}}', "powers nested deeper"),
    "a huge number": ('[imply]\n1 = {expr = "1e309"}', "too large"),
    "NaN": ("[assume]\n1 = {value = nan}", "must be finite"),
    "arabic digits": ('[assume]\n1 = {value = "٣ FLOP"}', "ARABIC-INDIC DIGIT THREE; write 3"),
    "full-width digits": ('[assume]\n1 = {value = "２ FLOP"}', "FULLWIDTH DIGIT TWO; write 2"),
    "a cyrillic O": ('[assume]\n1 = {value = "2 FL\u041eP"}', "cannot be read as a unit"),
    "a look-alike name": ('[imply]\n1 = {expr = "\u0430 * 2"}', "CYRILLIC SMALL LETTER A"),
    "a unit of itself": ('[units]\nslice = "2 slice"\n[assume]\n1 = 1', "made of itself"),
    "units in a circle": ('[units]\npod = "2 rack"\nrack = "3 pod"\n[assume]\n1 = 1', "made of itself"),
    "a truth for a value": ("[assume]\n1 = {value = true}", "a bool is no value"),
    "a slip in a key": ("[assume]\n1 = {valeu = 1}", "Did you mean value"),
    "a slip in a section": ("[asume]\n1 = {value = 1}", "Did you mean assume"),
    "one name twice": ('[assume]\n1 = {name = "a", value = 1}\n2 = {name = "a", value = 1}', "is called 'a' too"),
    "an unknown name": ('[imply]\n1 = {name = "b", expr = "aa * 2"}', "'aa' in the expression is no step and no unit"),
    "a missing source": ("[assume]\n1 = {value = 1, from = [9]}", "there is no step 9"),
    "code": ('[imply]\n1 = {expr = "__import__(1)"}', "no function '__import__'"),
    "an implication without expr": ("[imply]\n1 = {says = 1}", "an implication needs expr"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_audited_is_refused_with_a_reason(case: str) -> None:
    text, reason = REFUSED[case]
    with pytest.raises(BadFile) as caught:
        audit_text(text)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 700


DOMAIN = """
[assume]
1 = { name = "zero", value = 0 }
2 = { name = "huge", value = 1e308 }
3 = { name = "minus", value = -4 }
[imply]
4 = { expr = "1 / zero", says = 1 }
5 = { expr = "huge * huge", says = 1 }
6 = { expr = "sqrt(minus)", says = 1 }
7 = { expr = "minus ^ 0.5", says = 1 }
8 = { expr = "exp(huge)", says = 1 }
9 = { expr = "10 ^ 10 ^ 10", says = 1 }
10 = { expr = "minus * 3", says = -12 }
"""


def test_what_has_no_value_is_a_finding() -> None:
    report = audit_text(DOMAIN)
    assert [finding.step for finding in report.findings] == ["4", "5", "6", "7", "8", "9"]
    assert {finding.kind for finding in report.findings} == {"domain"}


NAMES = st.sampled_from(["a", "b", "c", "month", "x9"])
NUMBERS = st.sampled_from(["0", "1", "6", "-3", "24", "1e308", "1e-300", "0.4", "8", "1024"])
AMOUNTS = st.sampled_from([
    "0", "-1", "7B", "4T tokens", "$33,849/month/slice", "275 TFLOP/s/chip", "30% to 50%", "90-100 days", "1e308 FLOP",
    "~3e23 FLOPS", "2 Gb/$", "-5 to 5", "0 to 1", "5 ± 9", "80 GiB", "1e-300 s", "2e17 bits", "3 entry",
])  # fmt: skip
EXPRESSIONS = st.recursive(
    NAMES | NUMBERS | st.just("2 [FLOP/param]"),
    lambda inner: (
        st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from("+-*/^"), inner)
        | st.builds(lambda f, a: f"{f}({a})", st.sampled_from(["sqrt", "log", "exp", "ceil"]), inner)
    ),
    max_leaves=8,
)
STEP = st.builds(
    lambda expr, says, of: f"{{ expr = '{expr}', says = '{says}', is = '{of}' }}",
    EXPRESSIONS,
    AMOUNTS,
    st.sampled_from(["", "params", "mfu", "train_flops", "flops_per_usd", "nonsense"]),
)


@example(
    ["-5 to 5", "2 Gb/$", "~3e23 FLOPS"],
    ["{ expr = 'exp((ceil(a) * exp(8)))', says = '-5 to 5', is = 'nonsense' }"],
)
@given(st.lists(AMOUNTS, min_size=3, max_size=3), st.lists(STEP, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_napkin_ends_in_a_report_or_a_clear_error(values: list[str], steps: list[str]) -> None:
    roots = "\n".join(
        f"{i} = {{ name = '{n}', value = '{v}' }}" for i, (n, v) in enumerate(zip("abc", values, strict=True))
    )
    implied = "\n".join(f"s{place} = {step}" for place, step in enumerate(steps))
    head = "[units]\nslice = '32 chip'\nentry = 'noun'\n[assume]\nx = { name = 'x9', value = '9' }"
    text = f"{head}\n{roots}\n[imply]\n{implied}"
    try:
        report = audit_text(text)
    except IsoflopError:
        return
    assert json.loads(dumps(audit_json(report)))["steps"] == 4 + len(steps)
    assert drawn(report)
    assert audit_markdown(report)
    assert audit_html(report)


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    with contextlib.suppress(BadInput):
        assert parse(text).tree is not None


@given(st.text(max_size=200))
@settings(max_examples=40, deadline=None)
def test_any_text_is_a_napkin_or_refused(text: str) -> None:
    try:
        audit_text(text)
    except IsoflopError:
        return
