"""Passes, queues and what a deployment does: limits that any right answer has, and one implementation for all sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.hardware import device
from isoflop.model import model
from isoflop.serving import Deployment, Formats, Offload, Placement, Placements, Runtime, Speculation, Traffic
from isoflop.serving.case import case_of, keys_of
from isoflop.serving.pace import Pace, pace, step_ledger
from isoflop.serving.rates import rates_of
from isoflop.serving.step import covered, decode_pass, either, prompt_pass
from isoflop.serving.work import state_read, work_of

LLAMA = Deployment(model=model("llama-3.1-8b"), device=device("h100"))
MIXTURE = Deployment(model=model("qwen3-30b-a3b"), device=device("h100"))


def at(deployment: Deployment, **traffic: float) -> Pace:
    """The pace under a traffic."""
    return pace(deployment, Traffic(**traffic))


def test_no_step_is_faster_than_its_bytes() -> None:
    """Memory bandwidth is a floor: weights and state have to be read once a step."""
    for deployment in (LLAMA, MIXTURE):
        case = case_of(deployment, Traffic(concurrency=1, input_tokens=1000, output_tokens=100))
        step = decode_pass(case, rates_of(keys_of(deployment)), 1.0)
        assert float(step.total) > float(step.moved) / device("h100").memory_bandwidth().value


def test_a_dense_step_moves_all_matrices_and_the_state() -> None:
    case = case_of(LLAMA, Traffic(concurrency=1, input_tokens=1000, output_tokens=0))
    step = decode_pass(case, rates_of(keys_of(LLAMA)), 4.0)
    work = work_of(LLAMA.model)
    matrices = 2.0 * (work.tensor + work.heads + work.whole + work.head)
    state = 4 * 1000 * 131_072  # 128 KiB a token of Llama 3 8B in 16 bit
    assert float(step.moved) == pytest.approx(matrices + state, rel=2e-3)


def test_experts_are_covered_as_chance_has_it() -> None:
    """8 of 128 experts: one token meets 8, and many tokens all of them."""
    assert covered(8 / 128, 1.0) == pytest.approx(8 / 128)
    assert covered(8 / 128, 8.0) == pytest.approx(1 - (1 - 1 / 16) ** 8)
    assert covered(8 / 128, 4096.0) == pytest.approx(1.0)


def test_two_times_that_overlap_take_at_least_the_longer() -> None:
    assert either(3.0, 4.0, 2.0) == pytest.approx(5.0)
    assert either(1.0, 1.0, 1.0) == pytest.approx(2.0)


def test_windows_and_latents_are_read_as_they_are_kept() -> None:
    gemma, deepseek = model("gemma-3-27b"), model("deepseek-v3")
    # 52 of 62 layers keep 1,024 tokens; 16 heads of 128, keys and values
    each = 2 * 16 * 128 * 2.0
    assert float(np.asarray(state_read(gemma, 32768.0, 1.0, 2.0))) == pytest.approx(
        each * (10 * 32768 + 52 * 1024), rel=0.01
    )
    # 576 numbers a token and layer, on every rank of tensor parallelism
    assert float(np.asarray(state_read(deepseek, 1000.0, 8.0, 2.0))) == pytest.approx(61 * 576 * 2.0 * 1000)


@settings(max_examples=25, deadline=None)
@given(
    tp=st.sampled_from([1, 2, 4, 8]),
    requests=st.integers(1, 500),
    asked=st.integers(1, 20_000),
    written=st.integers(1, 4000),
    mixture=st.booleans(),
)
def test_arrays_agree_with_numbers(tp: int, requests: int, asked: int, written: int, *, mixture: bool) -> None:
    """One implementation: a thousand placements in an array are each what they are alone."""
    deployment = MIXTURE if mixture else LLAMA
    traffic = Traffic(concurrency=requests, input_tokens=asked, output_tokens=written)
    alone = pace(deployment.at(Placement(tp=tp)), traffic)
    many = pace(deployment.at(Placements.of(tp=np.array([1.0, tp, 8.0]))), traffic)
    for name in ("ttft", "tpot", "output_rate", "energy"):
        middle = np.asarray(getattr(many, name).middle)[1]
        assert float(middle) == pytest.approx(float(np.asarray(getattr(alone, name).middle)), rel=1e-9)


def test_more_requests_write_more_and_each_slower() -> None:
    found = [at(LLAMA, concurrency=many, input_tokens=500, output_tokens=500) for many in (1, 8, 64, 256)]
    rates = [float(np.asarray(one.output_rate.middle)) for one in found]
    tokens = [float(np.asarray(one.tpot.middle)) for one in found]
    assert rates == sorted(rates)
    assert tokens == sorted(tokens)


def test_little_law_holds() -> None:
    """Requests in the system are those answered a second times the time each takes."""
    found = at(LLAMA, concurrency=64, input_tokens=2000, output_tokens=400)
    answered = float(np.asarray(found.output_rate.middle)) / 400
    stay = float(np.asarray(found.ttft.middle)) + 400 * float(np.asarray(found.tpot.middle))
    assert answered * stay == pytest.approx(64, rel=0.01)


def test_full_caches_make_the_rest_wait() -> None:
    """What does not fit stands in line, and its wait is in the first token."""
    some = at(LLAMA, concurrency=64, input_tokens=8000, output_tokens=1000)
    far_too_many = at(LLAMA, concurrency=4000, input_tokens=8000, output_tokens=1000)
    assert float(np.asarray(far_too_many.flow.batch)) < 4000 / 10
    assert float(np.asarray(far_too_many.ttft.middle)) > 100 * float(np.asarray(some.ttft.middle))
    answered = float(np.asarray(far_too_many.output_rate.middle)) / 1000
    stay = float(np.asarray(far_too_many.ttft.middle)) + 1000 * float(np.asarray(far_too_many.tpot.middle))
    assert answered * stay == pytest.approx(4000, rel=0.01)


def test_open_loop_answers_what_arrives_until_it_cannot() -> None:
    most = at(LLAMA, input_tokens=500, output_tokens=200)
    capacity = float(np.asarray(most.output_rate.middle)) / 200
    half = at(LLAMA, request_rate=capacity / 2, input_tokens=500, output_tokens=200)
    assert float(np.asarray(half.output_rate.middle)) == pytest.approx(capacity / 2 * 200, rel=0.01)
    assert np.isfinite(half.ttft.middle)
    over = at(LLAMA, request_rate=capacity * 2, input_tokens=500, output_tokens=200)
    assert np.isinf(over.ttft.middle)


def test_instances_without_a_request_write_nothing() -> None:
    traffic = {"concurrency": 1.0, "input_tokens": 1024.0, "output_tokens": 256.0}
    lone, many = (at(LLAMA.at(Placement(tp=2, replicas=one)), **traffic) for one in (1, 4))
    assert float(np.max(many.output_rate.middle)) == pytest.approx(float(np.max(lone.output_rate.middle)))
    assert float(np.max(many.tpot.middle)) == pytest.approx(float(np.max(lone.tpot.middle)))
    one, four = float(np.max(lone.power.middle)), float(np.max(many.power.middle))
    assert one < four < 4 * one


def test_fewer_bytes_are_faster_and_guessing_ahead_is_too() -> None:
    plain = at(LLAMA, concurrency=4, input_tokens=500, output_tokens=500)
    small = pace(
        Deployment(model=LLAMA.model, device=LLAMA.device, formats=Formats(weights="fp8", kv="fp8")),
        Traffic(concurrency=4, input_tokens=500, output_tokens=500),
    )
    assert float(np.asarray(small.tpot.middle)) < float(np.asarray(plain.tpot.middle))
    guessing = Deployment(
        model=LLAMA.model, device=LLAMA.device, speculation=Speculation(method="eagle", tokens=3, acceptance=0.7)
    )
    ahead = pace(guessing, Traffic(concurrency=4, input_tokens=500, output_tokens=500))
    gain = float(np.asarray(plain.tpot.middle)) / float(np.asarray(ahead.tpot.middle))
    assert 1.2 < gain < 1 + 0.7 + 0.49 + 0.343  # less than all guesses that are right


def test_a_cached_prefix_shortens_the_wait() -> None:
    whole = at(LLAMA, concurrency=16, input_tokens=8000, output_tokens=200)
    shared = at(LLAMA, concurrency=16, input_tokens=8000, output_tokens=200, prefix_share=0.75)
    assert float(np.asarray(shared.ttft.middle)) < float(np.asarray(whole.ttft.middle))


def test_layers_on_the_host_slow_every_token() -> None:
    card = Deployment(
        model=model("llama-3.1-8b"), device=device("rtx-4090"), runtime=Runtime(name="llama.cpp"), formats=Formats()
    )
    from dataclasses import replace

    half = replace(card, offload=Offload(layers=16, bandwidth=60e9))
    traffic = Traffic(concurrency=1, input_tokens=100, output_tokens=100)
    alone, split = (float(np.asarray(pace(one, traffic).flow.step)) for one in (card, half))
    host = 0.5 * 2 * (work_of(card.model).tensor + work_of(card.model).heads) / 60e9
    assert split > alone / 2 + host


def test_stages_of_llama_cpp_work_one_after_the_other() -> None:
    """Two cards hold twice as much; a single stream is no faster on them."""
    one = Deployment(model=model("llama-3.1-8b"), device=device("rtx-4090"), runtime=Runtime(name="llama.cpp"))
    two = one.at(Placement(pp=2))
    traffic = Traffic(concurrency=1, input_tokens=0, output_tokens=512)
    steps = [float(np.asarray(pace(each, traffic).flow.step)) for each in (one, two)]
    assert steps[0] < steps[1] < 1.1 * steps[0]


def test_energy_is_power_over_rate() -> None:
    found = at(LLAMA, concurrency=64, input_tokens=500, output_tokens=500)
    power, rate = (float(np.asarray(one.middle)) for one in (found.power, found.output_rate))
    assert float(np.asarray(found.energy.middle)) == pytest.approx(power / rate)
    assert 0.3 * 700 < power < 1.05 * 700


def test_intervals_hold_the_middle() -> None:
    found = at(MIXTURE, concurrency=8, input_tokens=500, output_tokens=500)
    for band in (found.ttft, found.tpot, found.output_rate, found.prompt_rate, found.energy):
        assert float(np.asarray(band.low)) < float(np.asarray(band.middle)) < float(np.asarray(band.high))


def test_the_ledger_adds_up_to_the_step() -> None:
    traffic = Traffic(concurrency=8, input_tokens=500, output_tokens=500)
    ledger = step_ledger(MIXTURE, traffic)
    assert ledger.total == pytest.approx(float(np.asarray(pace(MIXTURE, traffic).flow.step)))
    assert {term.name for term in ledger.terms} >= {"matrices", "experts", "attention"}


def test_prompts_take_as_long_as_their_flop_at_least() -> None:
    case = case_of(LLAMA, Traffic(concurrency=1, input_tokens=8192, output_tokens=10))
    found = prompt_pass(case, rates_of(keys_of(LLAMA)), 8192.0)
    assert float(found.total) > 2 * 7e9 * 8192 / 989.4e12


def test_a_device_without_a_ratio_has_the_base() -> None:
    known, unknown = keys_of(LLAMA), keys_of(LLAMA)._replace(device="lunar/cheese")
    assert rates_of(unknown) != rates_of(known)
    assert rates_of(unknown).layer > 0
