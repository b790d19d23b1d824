"""The whole answer: search, money, energy, limits, an API's offer, a whole life."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isoflop.errors import BadInput, Infeasible
from isoflop.hardware.tariff import Tariff
from isoflop.model import describe
from isoflop.serving import (
    Deployment,
    Formats,
    Goal,
    Offer,
    Placement,
    Placements,
    Service,
    Settings,
    Traffic,
    Wish,
    bill_of,
    compared,
    deployment_for,
    lifetime,
    pace_of,
    search_placements,
    serve,
)
from isoflop.serving.search import front, measured

TARIFF = Tariff(amount=2.0 / 3600, note="as given", source="given")
WISH = Wish(concurrency=32, input_tokens=2048, output_tokens=256, tariff=TARIFF)


def answer(name: str, on: str, wish: Wish = WISH, placement: Placement | None = None) -> Service:
    deployment, chips = deployment_for(describe(name), on)
    asked = placement is not None
    return serve(deployment.at(placement) if placement else deployment, chips, wish, asked=asked)


def small() -> Deployment:
    deployment, _ = deployment_for(describe("llama-3.1-8b"), "4xh100-sxm")
    return replace(deployment, settings=Settings(max_model_len=4096.0))


def test_an_answer_fits_and_has_everything() -> None:
    found = answer("llama-3.1-8b", "2xh100-sxm")
    assert found.good
    assert found.room.verdict == "fits"
    assert found.deployment.placements[0].chips == 2
    assert found.bill is not None
    assert found.step is not None
    assert found.pace is not None
    rate = float(np.asarray(found.pace.output_rate.middle))
    assert found.bill.usd_per_output_token is not None
    assert found.bill.usd_per_output_token[0] == pytest.approx(2 * TARIFF.amount / rate)


def test_without_a_number_it_takes_the_fewest_chips() -> None:
    assert answer("llama-3.1-70b", "h100-sxm", replace(WISH, concurrency=1)).chips == 4
    assert answer("llama-3.1-8b", "h100-sxm", replace(WISH, concurrency=1)).chips == 1


def test_without_a_number_limits_and_arrivals_take_more_chips() -> None:
    wish = replace(WISH, concurrency=50)
    few, fast = (answer("llama-3.1-70b", "h100-sxm", replace(wish, goal=Goal(token=one))) for one in (1.0, 0.03))
    assert few.chips == 4
    assert fast.chips == 8
    assert not fast.missed
    busy = answer("llama-3.1-8b", "h100-sxm", replace(WISH, concurrency=0, request_rate=100.0))
    assert busy.chips > 1
    assert not busy.missed
    never = answer("llama-3.1-8b", "h100-sxm", replace(WISH, goal=Goal(token=1e-5)))
    assert never.missed
    assert never.chips == 1


def test_one_request_at_a_time_is_placed_for_one() -> None:
    found = answer("llama-3.1-70b", "8xmi300x", replace(WISH, concurrency=0))
    assert found.deployment.placements[0] == Placement(tp=8)


def test_the_most_that_keep_the_limits_all_run_at_once() -> None:
    found = answer("llama-3.1-70b", "8xh100-sxm", replace(WISH, concurrency=0, goal=Goal(token=30.0)))
    assert found.room.verdict in {"fits", "tight"}


def test_what_does_not_fit_says_what_would() -> None:
    found = answer("llama-3.1-70b", "1xh100-sxm")
    assert not found.good
    assert found.pace is None
    assert found.changes
    assert found.fewest is not None
    assert found.devices
    assert found.untimed


def test_where_nothing_fits_the_placement_is_the_nearest() -> None:
    found = answer("deepseek-v3", "8xh100-sxm")
    assert found.room.verdict == "does not fit"
    assert found.deployment.placements[0].instance_chips == 8
    weights = next(term.value for term in found.memory.terms if term.name == "weights")
    assert weights < 90 * 2**30


def test_degrees_that_do_not_fit_the_chips_are_infeasible() -> None:
    with pytest.raises(Infeasible, match="does not divide 8"):
        answer("llama-3.1-70b", "8xh100-sxm", placement=Placement(tp=16))
    with pytest.raises(Infeasible, match="tp 3 does not divide 64 heads"):
        answer("llama-3.1-70b", "6xh100-sxm", placement=Placement(tp=3))
    with pytest.raises(Infeasible, match="fp8 units"):
        answer("deepseek-v3", "8xa100-sxm-80gb")


def test_replicas_fill_the_chips_of_a_placement() -> None:
    found = answer("llama-3.1-8b", "8xh100-sxm", placement=Placement(tp=2))
    assert found.deployment.placements[0] == Placement(tp=2, replicas=4)


def test_the_best_keeps_the_limits_and_none_of_the_front_is_beaten() -> None:
    found = search_placements(small(), Traffic(input_tokens=1024, output_tokens=256), 4, Goal(token=0.02, first=2.0))
    assert found.best is not None
    assert found.best.token <= 0.02
    assert found.best.first <= 2.0
    for one in found.pareto:
        assert not any(
            other.token <= one.token and other.rate >= one.rate and other != one and other.rate > one.rate
            for other in found.pareto
        )
    tokens = [one.token for one in found.pareto]
    assert tokens == sorted(tokens)


def test_without_a_load_the_limits_decide_it() -> None:
    wish = Wish(input_tokens=2048, output_tokens=256, goal=Goal(token=0.02), tariff=TARIFF)
    found = answer("llama-3.1-8b", "2xh100-sxm", wish)
    assert found.wish.concurrency > 1
    assert not found.missed
    assert "the most that keep the limits" in found.assumed[-1]


def test_limits_nobody_keeps_name_the_nearest() -> None:
    found = search_placements(small(), Traffic(input_tokens=1024, output_tokens=256), 4, Goal(token=1e-5))
    assert found.best is None
    assert found.nearest is not None


def test_the_front_of_points() -> None:
    token, rate = np.array([1.0, 2.0, 2.0, 3.0]), np.array([5.0, 4.0, 7.0, 6.0])
    assert front(token, rate).tolist() == [0, 2]


def test_arrays_agree_with_one() -> None:
    made, traffic = small(), Traffic(input_tokens=1024, output_tokens=256)
    many = Placements.of(tp=np.array([1.0, 2.0, 4.0]))
    together = measured(made, traffic, many, np.full(3, 16.0))
    for place in range(3):
        alone = pace_of(made.at(many[place]), replace(traffic, concurrency=16.0))
        assert float(np.asarray(alone.tpot.middle)) == pytest.approx(float(together[1][place]), rel=1e-9)


def test_an_offer_is_dearer_from_the_break_even_on() -> None:
    made = small().at(Placement(tp=1, replicas=4))
    full = pace_of(made, Traffic(input_tokens=1024, output_tokens=256))
    offer = Offer(input=3e-6, output=15e-6)
    found = compared(offer, full, 4, TARIFF, (1024.0, 256.0))
    assert found.api == pytest.approx(1024 * 3e-6 + 256 * 15e-6)
    assert found.break_even * found.api == pytest.approx(4 * TARIFF.amount)
    assert (found.own < found.api) == (found.use < 1)
    with pytest.raises(BadInput, match="costs nothing"):
        compared(Offer(input=0, output=0), full, 4, TARIFF, (1024.0, 256.0))


def test_a_life_is_training_and_all_tokens() -> None:
    found = pace_of(small(), Traffic(concurrency=32, input_tokens=1024, output_tokens=256))
    bill = bill_of(found, 1, TARIFF, (1024.0, 256.0))
    life = lifetime(bill, small(), TARIFF, 1e6, 1e12)
    assert bill.usd_per_output_token is not None
    assert life.total == pytest.approx(1e6 + 1e12 * bill.usd_per_output_token[0])
    assert life.equal * bill.usd_per_output_token[0] == pytest.approx(1e6)
    assert life.best is not None
    more = lifetime(bill, small(), TARIFF, 1e6, 1e13)
    assert life.flops_per_param_token > 2
    assert more.best is not None
    assert more.best.tokens / more.best.params > life.best.tokens / life.best.params
    half = bill_of(found, 1, TARIFF, (1024.0, 256.0), use=0.5)
    assert half.usd_per_output_token is not None
    assert half.usd_per_output_token[0] == pytest.approx(2 * bill.usd_per_output_token[0])
    with pytest.raises(BadInput, match="use = 0"):
        bill_of(found, 1, TARIFF, (1024.0, 256.0), use=0.0)


def test_energy_is_of_the_power_in_use_not_of_the_limit() -> None:
    made = small()
    idle = pace_of(made, Traffic(concurrency=1, input_tokens=64, output_tokens=256))
    busy = pace_of(made, Traffic(concurrency=128, input_tokens=1024, output_tokens=256))
    limit = made.device.power().value
    assert 0.2 * limit < float(np.asarray(idle.power.middle)) < float(np.asarray(busy.power.middle)) < 1.06 * limit


def test_wishes_that_contradict_are_refused() -> None:
    with pytest.raises(BadInput, match="not both"):
        Wish(concurrency=1, request_rate=1)
    with pytest.raises(BadInput, match="do not fit into a context"):
        Wish(context=1000, input_tokens=900, output_tokens=200)


def test_limits_take_no_more_whole_nodes_than_they_need() -> None:
    wish = replace(WISH, concurrency=2000, goal=Goal(first=1.0, token=0.05))
    wish = replace(wish, input_tokens=3584, output_tokens=512)
    eights = Formats(weights="fp8", kv="fp8")

    def on(devices: str) -> Service:
        deployment, chips = deployment_for(describe("llama-3.1-70b"), devices)
        return serve(replace(deployment, formats=eights), chips, wish, asked=False)

    found = on("h100-sxm")
    assert not found.missed
    assert found.chips % 8 == 0
    assert found.chips < 128  # the power of two that keeps them
    assert on(f"{found.chips - 8}xh100-sxm").missed
