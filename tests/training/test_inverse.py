"""What fits is the inverse of what is needed: the largest fits, the next does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isoflop.errors import Infeasible
from isoflop.model import model, shape_for
from isoflop.training import (
    Layout,
    Run,
    advise,
    changes,
    faults,
    fewest_chips,
    fits_at_all,
    largest_micro_batch,
    largest_model,
    largest_sequence,
    need,
)
from isoflop.training.legal import legal
from isoflop.training.space import space

H100 = 79.6 * 2**30
RUN = Run(model=model("llama-3.1-8b"), sequence=8192, batch=128)
LAYOUT = Layout(dp=4, tp=2, zero=1, sequence_parallel=1)


def test_the_largest_fits_and_the_next_does_not() -> None:
    loose = replace(RUN, batch=2**30, sequence=2048)
    micro = largest_micro_batch(loose, LAYOUT, H100)
    assert need(loose, replace(LAYOUT, micro_batch=micro), H100).verdict == "fits"
    assert need(loose, replace(LAYOUT, micro_batch=micro + 1), H100).verdict != "fits"
    sequence = largest_sequence(RUN, LAYOUT, H100)
    assert need(replace(RUN, sequence=sequence), LAYOUT, H100).verdict == "fits"
    assert need(replace(RUN, sequence=sequence + 256), LAYOUT, H100).verdict != "fits"
    size = largest_model(RUN, LAYOUT, H100)
    assert need(replace(RUN, model=shape_for(size)), LAYOUT, H100).verdict == "fits"
    assert need(replace(RUN, model=shape_for(1.2 * size)), LAYOUT, H100).verdict != "fits"


def test_nothing_fits_into_nothing() -> None:
    assert largest_micro_batch(RUN, LAYOUT, 1e6) == 0
    assert largest_sequence(RUN, LAYOUT, 1e6) == 0
    assert largest_model(RUN, LAYOUT, 1e6) == 0
    with pytest.raises(Infeasible, match="does not fit on up to 64 chips"):
        fewest_chips(RUN, 8, 1e9, most=64)


def test_fewest_chips_do_and_fewer_do_not() -> None:
    few = fewest_chips(RUN, 8, H100)
    assert fits_at_all(RUN, few, 8, H100)
    assert not [chips for chips in (1, 2, 4) if chips < few and fits_at_all(RUN, chips, 8, H100)]


def test_changes_lower_the_need_and_those_that_do_come_first() -> None:
    layout = Layout(dp=8, zero=1)
    before = need(RUN, layout, H100)
    assert before.verdict == "does not fit"
    found = changes(RUN, layout, H100)
    assert all(change.need.bytes < before.bytes for change in found)
    good = [change.need.verdict == "fits" for change in found]
    assert good == sorted(good, reverse=True)
    assert any(good)
    assert {"recompute full", "ZeRO-3"} <= {change.says for change in found}


@pytest.mark.parametrize("name", ["gpt3-175b", "mixtral-8x7b", "llama-3.1-405b"])
def test_every_layout_of_the_space_is_legal_and_uses_all_chips(name: str) -> None:
    run = Run(model=model(name), sequence=4096, batch=1024)
    for many in space(run, 256, 8):
        assert legal(run, many).all()
        assert np.all(many.dp * many.tp * many.pp * many.cp == 256)
        assert not faults(run, many[0])


def test_advice_says_what_nobody_gave_and_finds_chips() -> None:
    advice = advise(model("llama-3.1-70b"), "h100-sxm")
    assert advice.good
    assert advice.chosen is not None
    assert advice.place.chips == advice.chosen.layout.chips
    said = " ".join(advice.assumed)
    assert "sequences of 4,096 tokens" in said
    assert "the fewest chips that do" in said
    small = advise(model("llama-3.1-70b"), "1xh100-sxm")
    assert not small.good
    assert small.fewest is not None
    assert small.fewest.layout.chips > 1


def test_a_layout_that_was_asked_for_is_judged_not_replaced() -> None:
    asked = advise(model("llama-3.1-8b"), "8xh100-sxm", sequence=8192, layout=Layout(dp=8, zero=1))
    assert not asked.good
    assert asked.chosen is not None
    assert asked.chosen.layout == Layout(dp=8, zero=1)
    with pytest.raises(Infeasible, match="dp x tp x pp x cp is 8 chips, and 16 were given"):
        advise(model("llama-3.1-8b"), "16xh100-sxm", layout=Layout(dp=8))
    with pytest.raises(Infeasible, match="tp = 3 does not divide 32 heads"):
        advise(model("llama-3.1-8b"), "h100-sxm", layout=Layout(tp=3))
