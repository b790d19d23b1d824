from __future__ import annotations

from dataclasses import replace

import pytest

from isoflop.errors import BadInput
from isoflop.hardware import device
from isoflop.model import model
from isoflop.report.training import training_json, training_text
from isoflop.training import Adapter, Order, Recipe, Terms, account_of, advise
from isoflop.training.practice import Asked, batch_of, bottom_up, habits, practice, practice_of, sequence_of, tried

SMALL = Asked(model=model("llama-3.1-8b"), tokens=1e12, year=2024)


def test_every_year_has_a_habit_for_gpus_and_tpus() -> None:
    for year in range(2018, 2030):
        for name in ("h100-sxm", "tpu-v4"):
            assert habits(replace(SMALL, year=year), device(name))


def test_early_runs_recompute_all_and_know_no_sequence_parallelism() -> None:
    for one in tried(replace(SMALL, year=2021), device("a100-sxm-80gb"), 64):
        assert one.usual.run.recipe.recompute == ("full",)
        assert one.usual.layout.sequence_parallel == 0
        assert one.usual.layout.vpp == 1


def test_a_large_model_is_not_trained_under_fsdp() -> None:
    found = habits(Asked(model=model("llama-3.1-405b"), tokens=1e12, year=2024), device("h100-sxm"))
    assert [one.engine for one in found] == ["megatron"]


def test_what_is_asked_beats_what_is_usual() -> None:
    asked = replace(SMALL, sequence=1024, batch=512)
    assert (sequence_of(asked), batch_of(asked, 64)) == (1024, 512)
    assert all((one.usual.run.sequence, one.usual.run.batch) == (1024, 512) for one in tried(asked, device("h100"), 64))


@pytest.mark.parametrize("chips", [8, 96, 384, 992, 3072, 16384])
def test_a_batch_leaves_powers_of_two_to_share_a_sequence(chips: int) -> None:
    batch = batch_of(SMALL, chips)
    assert batch % chips == 0 or (chips // batch).bit_count() == 1
    assert batch >= chips / 8


def test_practice_takes_longer_than_its_fastest_habit() -> None:
    found = practice_of(SMALL, device("h100-sxm"), 256)
    assert found is not None
    assert found.low < found.chip_time < found.high
    assert found.mfu < max(one.mfu for one in found.tried)
    again = practice_of(SMALL, device("h100-sxm"), 256, goodput=0.45)
    assert again is not None
    assert again.chip_time == pytest.approx(2 * found.chip_time)


def test_a_number_of_chips_that_nothing_divides_is_rounded_down() -> None:
    found = tried(replace(SMALL, model=model("llama-3.1-405b")), device("h100-sxm"), 1031)
    assert found
    assert found[0].usual.layout.chips % 64 == 0


def test_where_nothing_fits_what_such_chips_reached_is_left() -> None:
    found = practice_of(replace(SMALL, model=model("llama-3.1-405b")), device("a100-sxm-80gb"), 8)
    assert found is not None
    assert found.steps is None
    assert found.mfu == pytest.approx(0.49 * found.goodput)
    assert practice_of(replace(SMALL, model=model("llama-3.1-405b")), device("mi300x"), 8) is None


def test_a_goodput_is_a_share() -> None:
    with pytest.raises(BadInput, match="goodput"):
        practice_of(SMALL, device("h100-sxm"), 8, goodput=1.5)


def test_the_mean_of_no_habit_is_none() -> None:
    assert bottom_up(()) is None
    assert practice().draw.own > 1


def test_an_answer_says_what_runs_like_it_take() -> None:
    """The same in advice, its text and its JSON, and in an account: slower than the best layout."""
    tokens = 1e12
    advice = advise(model("llama-3.1-8b"), "64xh100-sxm", order=Order(tokens=tokens))
    assert advice.timing is not None
    usual, bill = advice.timing.practice, advice.timing.bill
    assert usual is not None
    assert bill is not None
    assert usual.low < usual.chip_time < usual.high
    assert bill.chip_time < usual.chip_time < 3 * bill.chip_time
    assert "in practice" in training_text(advice)
    assert training_json(advice)["practice"]["mfu"] == usual.mfu  # type: ignore[index,call-overload]
    account = account_of(advice, device("h100-sxm"), tokens, None, Terms())
    line = next(one for one in account.parts["time"] if one.name == "in practice")
    assert line.value == pytest.approx(usual.chip_time / 64)


def test_nothing_is_said_of_practice_where_it_would_say_nothing() -> None:
    order = Order(tokens=1e8)
    tuned = advise(model("llama-3.1-8b"), "8xh100-sxm", recipe=Recipe(adapter=Adapter(rank=16)), order=order)
    assert tuned.timing is not None
    assert tuned.timing.practice is None
    without = advise(model("llama-3.1-8b"), "64xh100-sxm")
    assert without.timing is not None
    assert without.timing.practice is None
