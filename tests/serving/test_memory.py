"""The budget of a chip: what divides, what is inverse to what, what cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop import hardware
from isoflop.errors import BadInput, UnknownName
from isoflop.model import describe, model, state_bytes
from isoflop.model.weight_bytes import storage_of
from isoflop.serving import (
    Deployment,
    Formats,
    Offload,
    Placement,
    Placements,
    Runtime,
    Settings,
    Speculation,
    Traffic,
    budget,
    changes,
    era_of,
    eras,
    faults,
    fewest_chips,
    formats_for,
    ideal_bytes,
    instances,
    largest_context,
    legal_placements,
    memory_ledger,
    room,
)
from isoflop.serving.weights import held_of, load

H100 = hardware.device("h100-sxm-80gb")
NAMES = ("llama-3.1-8b", "deepseek-v3", "gpt-oss-20b", "qwen3-next-80b-a3b", "qwen3-235b-a22b", "gemma-3-27b")


def served(name: str, **parts: object) -> Deployment:
    return Deployment(model=model(name), device=H100, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*NAMES, "jamba-v0.1", "deepseek-v3.2", "llama-4-scout"])
@given(context=st.integers(1, 200_000))
@settings(max_examples=10)
def test_the_least_state_is_the_models(name: str, context: int) -> None:
    assert float(ideal_bytes(model(name), context)) == pytest.approx(state_bytes(model(name), context).total)


@pytest.mark.parametrize("name", NAMES)
def test_one_chip_holds_the_file(name: str) -> None:
    what = describe(name)
    formats, _ = formats_for(what)
    reading = what.reading
    if reading is None:
        return
    whole = load(held_of(what.spec, formats), Placements.of(tp=np.ones(1))).bytes
    assert float(whole[0]) == pytest.approx(storage_of(reading).ledger.total)


@pytest.mark.parametrize("name", NAMES)
def test_ranks_hold_less_and_together_at_least_the_whole(name: str) -> None:
    held = held_of(model(name), Formats())
    tp = np.array([1.0, 2.0, 4.0, 8.0])
    sizes = load(held, Placements.of(tp=tp)).bytes
    assert (np.diff(sizes) < 0).all()
    assert (sizes * tp >= held.total * (1 - 1e-12)).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("version", ["0.6.4", "0.9.0", "0.11.0", "0.21.0"])
def test_many_placements_agree_with_one(name: str, version: str) -> None:
    many = Placements.of(tp=np.array([1.0, 2.0, 4.0, 8.0]), pp=np.array([1.0, 1.0, 1.0, 1.0]))
    made = served(name, runtime=Runtime(version=version), settings=Settings(max_model_len=8192.0))
    together = budget(made.at(many))
    for place in range(4):
        alone = budget(made.at(many[place]))
        assert float(alone.pool[0]) == pytest.approx(float(together.pool[place]), rel=1e-12)
        assert float(alone.tokens()[0]) == pytest.approx(float(together.tokens()[place]), rel=1e-12)


def test_stages_share_layers_and_the_ends_hold_the_tables() -> None:
    held = held_of(model("llama-3.1-70b"), Formats())
    whole, half = (load(held, Placements.of(pp=np.array([pp]))).bytes[0] for pp in (1.0, 2.0))
    assert whole / 2 < half < whole / 2 * 1.02


@given(sequences=st.floats(1, 300))
@settings(max_examples=20)
def test_the_largest_context_is_the_inverse_of_concurrency(sequences: float) -> None:
    made = budget(served("gpt-oss-20b", settings=Settings(max_model_len=131072.0)))
    context = largest_context(made, sequences)
    assert float(made.concurrency(length=float(context))[0]) >= sequences
    assert float(made.concurrency(length=float(context + 1))[0]) < sequences


@given(fraction=st.floats(0.5, 0.95), tp=st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=20)
def test_more_memory_and_smaller_formats_hold_more(fraction: float, tp: int) -> None:
    base = served("llama-3.1-8b", placement=Placement(tp=tp), settings=Settings(memory_fraction=fraction))
    more = replace(base, settings=Settings(memory_fraction=fraction + 0.04))
    small = replace(base, formats=Formats(kv="fp8"))
    tokens = [float(budget(one).tokens()[0]) for one in (base, more, small)]
    assert tokens[0] < tokens[1]
    assert tokens[2] == pytest.approx(2 * tokens[0], rel=1e-3)


def test_the_interval_holds_the_middle_and_the_ledger_adds_up() -> None:
    for name, parts in (("vllm", {}), ("sglang", {}), ("trtllm", {}), ("ideal", {})):
        made = budget(served("llama-3.1-8b", runtime=Runtime(name=name), **parts))  # type: ignore[arg-type]
        assert float(made.pool_low[0]) <= float(made.pool[0]) <= float(made.pool_high[0])
    ledger = memory_ledger(served("llama-3.1-8b"))
    assert ledger.limit is not None
    assert ledger.total < ledger.limit


def test_windows_cost_less_where_runtimes_know_them() -> None:
    def tokens(version: str) -> float:
        made = served("gemma-3-27b", placement=Placement(tp=2), runtime=Runtime(version=version))
        return float(budget(made).concurrency(length=65536.0)[0])

    assert tokens("0.11.0") > 3 * tokens("0.9.0")


def test_chunks_cost_as_much_as_everything_under_vllm() -> None:
    made = served("llama-4-scout", placement=Placement(tp=8), settings=Settings(max_model_len=131072.0))
    ideal = replace(made, runtime=Runtime(name="ideal"))
    found, least = (float(budget(one).pages.needs(131072.0)[0] * budget(one).pages.unit[0]) for one in (made, ideal))
    assert found > 3 * least


def test_layers_on_the_host_free_the_chip() -> None:
    base = served("llama-3.1-70b", formats=formats_for(describe("llama-3.1-70b"), "q4_k_m")[0])
    base = replace(base, runtime=Runtime(name="llama.cpp"), settings=Settings(max_model_len=8192.0))
    half = replace(base, offload=Offload(layers=40))
    whole, part = budget(base), budget(half)
    assert float(part.weights[0]) == pytest.approx(0.5 * float(whole.weights[0]), rel=0.05)
    assert float(part.asked[0]) == pytest.approx(0.5 * float(whole.asked[0]))


def test_layers_for_further_tokens_are_loaded_where_they_guess() -> None:
    base = served("deepseek-v3", placement=Placement(tp=8))
    more = replace(base, speculation=Speculation(method="mtp", tokens=1))
    assert float(budget(more).weights[0]) > float(budget(base).weights[0])


@pytest.mark.parametrize(
    ("name", "placement", "said"),
    [
        ("llama-3.1-70b", Placement(tp=3), "tp 3 does not divide 64 heads; 2 and 4 do"),
        ("llama-3.1-70b", Placement(ep=2), "has no experts"),
        ("qwen3-235b-a22b", Placement(tp=4, ep=3), "ep 3 does not divide 128 experts; 2 and 4 do"),
        ("llama-3.1-70b", Placement(pp=99), "more than 80 layers"),
        ("bert-base", Placement(), "writes no tokens"),
        ("deepseek-v3", Placement(tp=4, dcp=3), "dcp 3 does not divide tp 4; 2 and 4 do"),
    ],
)
def test_impossible_placements_say_why_and_what_is_next(name: str, placement: Placement, said: str) -> None:
    assert said in "; ".join(faults(served(name), placement))


def test_ranks_do_not_cut_through_blocks_of_scales() -> None:
    formats, _ = formats_for(describe("deepseek-v3"))
    made = served("deepseek-v3", formats=formats)
    small = replace(made, model=model("qwen3-235b-a22b"))  # experts 1,536 wide
    assert not faults(small, Placement(tp=4))
    assert "8 ranks leave 192 of an expert's 1,536" in faults(small, Placement(tp=8))[0]
    assert not faults(small, Placement(tp=8, ep=8))
    found = instances(small, 8, 8)
    assert not ((found.tp == 8) & (found.ep == 1)).any()


def test_formats_a_device_lacks_are_said() -> None:
    formats, _ = formats_for(describe("deepseek-v3"))
    made = Deployment(model=model("deepseek-v3"), device=hardware.device("a100-sxm-80gb"), formats=formats)
    assert "no fp8 units" in faults(made, Placement(tp=8))[0]
    assert not faults(replace(made, device=H100), Placement(tp=8))


def test_legality_in_arrays_is_that_of_one() -> None:
    spec = model("qwen3-30b-a3b")
    tp, ep = (grid.reshape(-1).astype(float) for grid in np.meshgrid(np.arange(1, 9), np.arange(1, 9)))
    many = Placements.of(tp=tp, ep=ep)
    found = legal_placements(spec, many)
    widths = [768 % int(one) == 0 for one in tp]
    for place, good in enumerate(found):
        wrong = faults(served("qwen3-30b-a3b"), many[place])
        assert bool(good) <= (not wrong)
        assert bool(good) or bool(wrong) or not widths[place]


def test_instances_fill_the_chips() -> None:
    many = instances(served("deepseek-v3"), 16, 8)
    assert (many.chips == 16).all()
    assert len(many) > 4


def test_the_fewest_chips_hold_and_fewer_do_not() -> None:
    made = served("llama-3.1-70b", settings=Settings(max_model_len=8192.0))
    few = fewest_chips(made, 8192.0, 4.0)
    assert few == Placement(tp=4)
    assert float(budget(made.at(Placement(tp=2))).concurrency(length=8192.0)[0]) < 4.0


def test_changes_hold_more_than_now() -> None:
    made = served("llama-3.1-70b", placement=Placement(tp=2), settings=Settings(max_model_len=8192.0))
    now = room(made, 8192, 64.0)
    found = changes(made, 8192, 64.0)
    assert found
    assert all(change.room.sequences[0] > now.sequences[0] for change in found)
    fits = [change.room.verdict in {"fits", "tight"} for change in found]
    assert fits == sorted(fits, reverse=True)


@pytest.mark.parametrize("name", sorted(eras()))
def test_eras_are_in_order_and_found_by_version_and_month(name: str) -> None:
    listed = eras()[name]
    assert [one.released for one in listed] == sorted(one.released for one in listed)
    for one in listed:
        assert era_of(Runtime(name=name, version=one.since)) == one  # type: ignore[arg-type]
    assert era_of(Runtime(name=name)) == listed[-1]  # type: ignore[arg-type]
    assert era_of(Runtime(name=name), listed[0].released) == listed[0]  # type: ignore[arg-type]


def test_bad_settings_are_refused() -> None:
    for wrong in (
        lambda: Placement(tp=0),
        lambda: Settings(memory_fraction=1.5),
        lambda: Traffic(concurrency=1, request_rate=1),
        lambda: Traffic(input_tokens=-1),
        lambda: Speculation(method="draft-model"),
        lambda: Runtime(version="x") and era_of(Runtime(version="x")),
    ):
        with pytest.raises(BadInput):
            wrong()
    with pytest.raises(UnknownName, match="vllm"):
        Runtime(name="vlm")  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="fp8"):
        Formats(kv="fp9")
