from __future__ import annotations

import re
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report.samples import ANSWER, GIB, HOSTILE, LEDGERS, MEMORY, POINT, TOO_LARGE, answers, hostile_answer

from isoflop.relation.answer import Answer, Ledger, Term
from isoflop.report import answer_text, ledger_text
from isoflop.report.layout import width_of

SUMMARY = """\
params = 1.1T (860B to 1.43T) or 28.4B (20B to 31B)

  Given           train_cost = $100M, tokens = 4T (a number: taken in token),
                    mfu = 38.7 (30 to 50) %
  Catalogue       peak_rate = 275 TFLOP/s/chip, price = $1.45/chip/h
  Assumed         flops_per_param_token = 6 FLOP/param/token
  What moves it   mfu 98 %, price 2 % of the variance
  Mind            3.6 tokens per parameter: far below what scaling laws advise.
  Sources         cloud.google.com/tpu/docs 2022-05-11, kaplan2020 §2.1"""

DERIVATION = """\
params = 1.1T (860B to 1.43T) or 28.4B (20B to 31B)

  Given
    [1] train_cost = $100M
    [2] tokens = 4T   a number: taken in token
    [3] mfu = 38.7 (30 to 50) %   as '0.3 to 0.5'

  Catalogue
    [4] peak_rate = 275 TFLOP/s/chip   tpu-v4, bf16
          [cloud.google.com/tpu/docs 2022-05-11]
    [5] price = $1.45/chip/h   as '$33,849/month/slice'; 1 slice = 32 chip

  Assumed
    [6] flops_per_param_token = 6 FLOP/param/token   [kaplan2020 §2.1]

  It follows
    [7] flops_per_usd = peak_rate · mfu / price
          = 2.65e17 (2.05e17 to 3.42e17) FLOP/$   from [4], [3], [5]
          Work that a dollar buys.
    [8] train_flops = train_cost · flops_per_usd
          = 2.65e25 (2.05e25 to 3.42e25) FLOP   from [1], [7]
    [9] params = train_flops / (flops_per_param_token · tokens)
          = 1.1T (860B to 1.43T)   from [8], [6], [2]   [kaplan2020 §2.1]

  What moves it   mfu 98 %, price 2 % of the variance
  Checks          tokens: 0.18 times 20 · params; rule of thumb
  Mind            3.6 tokens per parameter: far below what scaling laws advise.
  Sources         kaplan2020: Kaplan et al. (2020), Scaling Laws for Neural
                    Language Models, https://arxiv.org/abs/2001.08361"""


def test_the_answer_in_short() -> None:
    assert answer_text(ANSWER) == SUMMARY


def test_the_derivation() -> None:
    assert answer_text(ANSWER, explain=True) == DERIVATION


def test_a_point_has_no_interval() -> None:
    assert answer_text(POINT) == "mfu = 40 %\n\n  Given   mfu = 40 %"


def test_hard_bounds_say_so() -> None:
    bounds = Answer(quantity="mfu", value=0.336, low=0.319, high=0.354, hard=True)
    assert answer_text(bounds) == "mfu = 33.6 %   bounds: 31.9-35.4 %"


def test_elasticities_where_nothing_is_uncertain() -> None:
    sure = Answer(quantity="params", value=1e9, low=1e9, high=1e9, elasticities={"tokens": -1.0, "mfu": 0.0})
    assert "What moves it   1 % more of each brings: tokens -1 %" in answer_text(sure)


def test_colour_changes_no_text() -> None:
    colored = answer_text(ANSWER, explain=True, color=True)
    assert "\x1b[1mparams = 1.1T (860B to 1.43T) or 28.4B (20B to 31B)\x1b[0m" in colored
    assert re.sub("\x1b\\[[0-9]*m", "", colored) == DERIVATION


def test_ascii_only() -> None:
    text = answer_text(ANSWER, explain=True, ascii_only=True)
    assert text.isascii()
    assert "peak_rate * mfu / price" in text
    assert "[kaplan2020 sec. 2.1]" in text


@pytest.mark.parametrize("text", HOSTILE)
def test_no_control_sequence_gets_through(text: str) -> None:
    drawn = answer_text(hostile_answer(text), explain=True)
    assert all(char.isprintable() or char == "\n" for char in drawn)


@given(answers(), st.integers(min_value=24, max_value=120), st.booleans(), st.booleans())
def test_any_answer_fits_any_width(answer: Answer, width: int, explain: bool, plain: bool) -> None:  # noqa: FBT001
    drawn = answer_text(answer, explain, width=width, ascii_only=plain)
    assert max(map(width_of, drawn.split("\n"))) <= width
    assert not re.search(r"[ \t]$", drawn, re.MULTILINE)
    assert drawn.isascii() or not plain


def test_the_ledger() -> None:
    assert ledger_text(MEMORY) == dedent(
        """\
        7B on one H100
          term           amount  share  note
          -----------  --------  -----  -------------
          weights      13.4 GiB   21 %
          optimizer    40.3 GiB   64 %
          activations   9.2 GiB   15 %  micro-batch 1
          total        62.9 GiB  100 %

          62.9 GiB of 80 GiB used (79 %), 17.1 GiB free

          Sources: rajbhandari2020 §3"""
    )


def test_a_ledger_over_its_limit_says_by_how_much() -> None:
    assert "104 GiB needed, 80 GiB there (130 %): 24 GiB too much" in ledger_text(TOO_LARGE)
    assert "\x1b[33m" in ledger_text(TOO_LARGE, color=True)


def test_a_ledger_with_a_negative_term_has_no_shares() -> None:
    terms = (Term(name="weights", value=4 * GIB), Term(name="offloaded", value=-GIB))
    text = ledger_text(Ledger(quantity="weight_bytes", title="", terms=terms))
    assert "share" not in text
    assert "-1 GiB" in text


@given(LEDGERS, st.integers(min_value=24, max_value=120))
def test_any_ledger_fits_any_width(ledger: Ledger, width: int) -> None:
    drawn = ledger_text(ledger, width=width)
    assert max(map(width_of, drawn.split("\n"))) <= width
