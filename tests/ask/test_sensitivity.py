"""What each known does to an answer: against powers that are known, and against solving anew."""

from __future__ import annotations

import numpy as np
import pytest

from isoflop.ask import bind, solve_question
from isoflop.ask.sensitivity import NUDGE, RANGE, courses, moved

WORK = {"params": "7B", "tokens": "2T"}
SEED = {"train_cost": "$100m", "tokens": "4T", "device": "tpu-v4", "price": "$1.45/chip/h", "mfu": "0.3 to 0.5"}


def test_where_nothing_is_uncertain_each_known_is_nudged() -> None:
    question = bind(WORK)
    answer = solve_question(question, "train_flops")
    found = {one.quantity: one for one in moved(question, answer)}
    assert set(found) == {"params", "tokens"}
    for one in found.values():
        assert one.nudged
        low, high = one.gives
        assert low / answer.value == pytest.approx(1 - NUDGE)
        assert high / answer.value == pytest.approx(1 + NUDGE)


def test_only_what_is_uncertain_is_moved_between_its_ends() -> None:
    question = bind(SEED)
    answer = solve_question(question, "params")
    (one,) = moved(question, answer)
    assert (one.quantity, one.at, one.nudged) == ("mfu", (0.3, 0.5), False)
    assert one.gives[0] == pytest.approx(answer.value * 0.3 / question.fact("mfu").spread.median)  # type: ignore[union-attr]
    again = solve_question(bind({**SEED, "mfu": "0.5"}), "params")
    assert one.gives[1] == pytest.approx(again.value)


def test_a_course_is_a_power_where_the_formula_is_one() -> None:
    question = bind(SEED)
    answer = solve_question(question, "params")
    cost, mfu = courses(question, answer, ["train_cost", "mfu"])
    assert cost.quantity == "train_cost"
    np.testing.assert_allclose(cost.gives / answer.value, cost.at / cost.now)
    assert cost.at[-1] / cost.now == pytest.approx(RANGE)
    assert mfu.at[-1] == pytest.approx(1.0), "a share ends at one"


def test_a_law_is_solved_anew_at_every_point() -> None:
    question = bind({"loss": "2.2", "train_flops": "1e22", "law": "hoffmann2022-rounded"})
    answer = solve_question(question, "params")
    (one,) = courses(question, answer, ["train_flops"])
    place = int(np.isfinite(one.gives).argmax())
    again = solve_question(bind({"loss": "2.2", "train_flops": one.at[place], "law": "hoffmann2022-rounded"}), "params")
    assert one.gives[place] == pytest.approx(again.value, rel=1e-6)
