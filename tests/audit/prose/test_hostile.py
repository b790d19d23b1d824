"""Text that means harm, or nothing: a clear error or a report, never a traceback, whatever stands in it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.audit import audit_text
from isoflop.audit.prose import read_prose
from isoflop.errors import BadFile, IsoflopError

PIECES = st.sampled_from(
    [
        *(
            "175",
            "1.4",
            "2.15e25",
            "10^23",
            "3 × 10^24",
            "25,000",
            "a few hundred million",
            "90 to 100",
            "two",
            "$63 million",
            "40%",
            "1e308",
            "0",
            ".",
            "-5",
        ),
        *(
            "B",
            "T tokens",
            "billion parameters",
            "FLOPs",
            "TFLOPS",
            "FLOP/s",
            "PF-days",
            "A100s",
            "H100 GPUs",
            "TPU v4 cores",
            "days",
            "hours",
            "GB",
            "GiB",
        ),
        *(
            "bits",
            "MWh",
            "kWh",
            "tonnes of CO2",
            "tokens per second",
            "$/month",
            "bytes per parameter",
            "% MFU",
            "x",
            "times",
            "steps",
            "layers",
        ),
        *(
            "GPT-3",
            "Llama 3 70B",
            "BERT base",
            "Chinchilla",
            "PaLM",
            "DeepSeek-V3",
            "FP16",
            "INT8",
            "BF16",
            "pi",
            "a 7B model",
            "it",
            "the model",
        ),
        *(
            "was trained on",
            "needs",
            "with",
            "for",
            "costs",
            "is",
            "=",
            "÷",
            "×",
            "+",
            "(",
            ")",
            "[",
            "]",
            "*(1)*",
            "(2)",
            "/",
            "per",
            "and",
            "or",
            "not",
        ),
        *(
            "equals",
            "fits on",
            "more memory",
            "compute-optimal",
            "becomes",
            "range",
            "peak",
            "inference",
            "trained",
            "saves",
            ":",
            ";",
            ",",
            "\n",
            "\n\n",
        ),
        *(
            "\n1. ",
            "\n2. ",
            "\n3. ",
            "\n- ",
            "\n# ",
            "\n> ",
            "| a | b |",
            "**",
            "`",
            "$",
            "\\frac{1}{2}",
            "```",
            "---",
            "&times;",
            "<b>",
            "١٧٥",
            "２４ GВ",
            "\x00",
        ),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=40))
def test_no_text_of_the_field_breaks_the_audit(pieces: list[str]) -> None:
    text = " ".join(pieces)
    try:
        report = audit_text(text, "fuzz.md")
    except IsoflopError:
        return
    lines = text.count("\n") + 1
    assert all(1 <= finding.span.line <= lines for finding in report.findings)
    assert len({step.number for step in report.document.steps}) == len(report.document.steps)
    assert all(finding.reason for finding in report.findings)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=400))
def test_no_text_at_all_breaks_the_reader(text: str) -> None:
    try:
        document = read_prose(text, "fuzz.md")
    except IsoflopError:
        return
    assert document.lines == tuple(text.split("\n"))


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="N,D;CG\t\n\"'7e9x.-|()", max_size=200))
def test_no_table_breaks_the_reader(text: str) -> None:
    try:
        audit_text(text, "fuzz.csv")
    except IsoflopError:
        return


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("GPT-3 has 175B parameters. " * 40_000, "Audit it in parts"),
        ("a 7B model needs 14 GB\n" * 100_000, "Audit it in parts"),
        ("x" * 30_000, "is no prose"),
        ("\n".join(f"{i}. {i} tokens *({i - 1})* × 2 = {2 * i} tokens\n" for i in range(1, 2500)), "numbered items"),
    ],
    ids=["long", "many lines", "one line", "many items"],
)
def test_what_is_too_large_is_refused_with_what_to_do(text: str, words: str) -> None:
    with pytest.raises(BadFile, match=words):
        audit_text(text, "large.md")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 15_000,
        "3 x " + "(" * 5_000 + "1" + ")" * 5_000 + " = 3",
        "$" * 15_000,
        "1" * 15_000,
        "a*" * 7_000,
        "[a](" * 4_000,
        "1. 4 tokens\n\n2. 4 tokens *(1)* × 3 = 12\n\n3. " + " × ".join(["4 tokens *(1)*"] * 1000) + " = 5 tokens",
        "1. 4 tokens *(3)* × 2 = 8 tokens\n\n2. 8 tokens *(1)* × 2 = 16 tokens\n\n3. 16 tokens *(2)* = 4 tokens *(3)*",
        "GPT-3 took 1e999999 FLOP, 9" + "9" * 400 + " tokens and 10^999 FLOPs",
    ],
    ids=["brackets", "nesting", "dollars", "digits", "stars", "links", "long sum", "cycle", "huge"],
)
def test_odd_text_is_read_without_harm(text: str) -> None:
    audit_text(text, "odd.md")


def test_digits_that_are_not_0_to_9_are_listed_and_not_guessed() -> None:
    document = read_prose("GPT-3 has ١٧٥ billion parameters and needs 24 GВ.", "x.md")
    assert {one.text for one in document.unread} == {"١٧٥", "24"}
    assert not document.steps


def test_what_is_understood_and_what_is_not_is_said_with_its_line() -> None:
    document = read_prose("GPT-3 has 175B parameters.\n\nIts score is 43.9 and it took 3640 PF-days.", "x.md")
    assert [(step.number, step.label) for step in document.steps] == [
        ("L1", "parameters of GPT-3"),
        ("L3", "training FLOP"),
    ] or [(step.number, step.label) for step in document.steps] == [
        ("L1", "parameters of GPT-3"),
        ("L3", "training FLOP of GPT-3"),
    ]
    assert [(one.span.line, one.text) for one in document.unread] == [(3, "43.9")]
