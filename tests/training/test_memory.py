"""The memory of a training run: sums, monotony, arrays, and cases that can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadInput, UnknownName
from isoflop.model import counts, model, shape_for
from isoflop.training import (
    RECIPES,
    TERMS,
    Adapter,
    Layout,
    Layouts,
    Recipe,
    Run,
    activation_ledger,
    faults,
    ledger,
    peak,
)
from isoflop.training.spec import POLICIES, SCHEDULES

LLAMA = Run(model=model("llama-3.1-8b"), sequence=8192, batch=512)
MIXTURE = Run(model=model("mixtral-8x7b"), sequence=4096, batch=512)
GB = 1e9

degrees = st.sampled_from([1, 2, 4, 8])
layouts = st.builds(
    Layout,
    dp=degrees,
    tp=degrees,
    pp=degrees,
    cp=st.sampled_from([1, 2]),
    zero=st.integers(0, 3),
    micro_batch=st.sampled_from([1, 2, 4]),
    sequence_parallel=st.integers(0, 1),
    offload_optimizer=st.sampled_from([0.0, 0.5, 1.0]),
)
recipes = st.builds(
    replace,
    st.sampled_from(sorted(RECIPES.values(), key=lambda recipe: recipe.name)),
    recompute=st.sampled_from([(policy,) for policy in POLICIES]),
    fused_loss=st.booleans(),
    adapter=st.sampled_from([None, Adapter(rank=8), Adapter(rank=64, base="nf4")]),
)
runs = st.builds(
    Run,
    model=st.sampled_from([LLAMA.model, MIXTURE.model, model("gpt2-xl"), model("t5-3b")]),
    sequence=st.sampled_from([512, 4096]),
    batch=st.just(512),
    recipe=recipes,
    schedule=st.sampled_from(SCHEDULES),
)


def total(run: Run, layout: Layout) -> float:
    return float(peak(run, layout).allocated.item())


@given(run=runs, layout=layouts)
def test_terms_are_never_negative_and_add_up(run: Run, layout: Layout) -> None:
    found = peak(run, layout)
    assert tuple(found.terms) == TERMS
    assert all(float(value.item()) >= 0 for value in found.terms.values())
    assert float(found.allocated.item()) == pytest.approx(sum(float(value.item()) for value in found.terms.values()))
    assert ledger(run, layout).total == pytest.approx(float(found.device.item()), rel=1e-12)
    low, high = (float(one.item()) for one in found.of_kind("device")[1:])
    assert low < float(found.device.item()) < high


@given(run=runs, chosen=st.lists(layouts, min_size=1, max_size=12), seed=st.integers(0, 1000))
def test_many_layouts_at_once_agree_with_each_alone_in_any_order(run: Run, chosen: list[Layout], seed: int) -> None:
    fields = Layout.__dataclass_fields__
    order = np.random.default_rng(seed).permutation(len(chosen))
    many = Layouts.of(**{name: np.array([float(getattr(chosen[i], name)) for i in order]) for name in fields})
    together = peak(run, many)
    for place, i in enumerate(order):
        assert many[place] == chosen[i]
        assert together.allocated[place] == pytest.approx(total(run, chosen[i]), rel=1e-12)


@given(run=runs, layout=layouts)
def test_more_sharding_never_needs_more(run: Run, layout: Layout) -> None:
    here = total(run, layout)
    if run.recipe.engine != "fsdp":  # an engine that gathers what it shards needs room for that
        assert total(run, replace(layout, zero=min(3, layout.zero + 1))) <= here * (1 + 1e-12) + gathered(run, layout)
    assert total(run, replace(layout, micro_batch=2 * layout.micro_batch)) >= here * (1 - 1e-12)
    assert total(replace(run, sequence=2 * run.sequence), layout) >= here
    assert total(run, replace(layout, sequence_parallel=1)) <= here * (1 + 1e-12) + inputs(run, layout)
    assert total(run, replace(layout, offload_optimizer=1.0)) <= here


def gathered(run: Run, layout: Layout) -> float:
    """What ZeRO-3 holds gathered at most: two layers and the output layer, and their gradients."""
    more = peak(run, replace(layout, zero=3))
    return float((more.terms["gathered weights"] + more.terms["gradients in flight"]).item())


def inputs(run: Run, layout: Layout) -> float:
    """The gathered inputs of the output layer, which only sequence parallelism has."""
    return 2 * 4 * layout.micro_batch * run.sequence * run.model.width


@pytest.mark.parametrize("name", ["zero", "tp", "pp"])
def test_sharding_pays(name: str) -> None:
    layout = Layout(dp=8, tp=1, pp=1)
    more = replace(layout, **{name: 3 if name == "zero" else 8})
    assert total(LLAMA, more) < 0.7 * total(LLAMA, layout)


@pytest.mark.parametrize(("params", "recipe", "each"), [(1e9, "fp32", 16), (50e9, "fp32", 16), (100e9, "mixed", 18)])
def test_state_is_what_the_formats_say(params: float, recipe: str, each: float) -> None:
    """4 + 4 + 8 bytes in FP32; 2 + 4 + 4 + 8 in mixed precision with fp32 gradients."""
    spec = shape_for(params)
    run = Run(model=spec, sequence=1024, batch=8, recipe=RECIPES[recipe])
    found = peak(run, Layout(dp=8)).terms
    state = sum(float(found[name].item()) for name in ("weights", "gradients", "master weights", "optimizer states"))
    assert state == pytest.approx(each * counts(spec).params, rel=1e-12)
    assert run.recipe.state_bytes_per_param == each


def test_fsdp_shards_everything_to_the_byte() -> None:
    run = Run(model=LLAMA.model, sequence=1024, batch=8, recipe=RECIPES["fsdp"])
    found = peak(run, Layout(dp=8, zero=3)).terms
    exact = counts(LLAMA.model).params
    assert float(found["weights"].item()) == pytest.approx(4 * exact / 8)
    assert float(found["gradients"].item()) == pytest.approx(4 * exact / 8)
    assert float(found["optimizer states"].item()) == pytest.approx(8 * exact / 8)
    half = peak(run, Layout(dp=8, zero=3, shard=4)).terms  # HSDP: two groups of four
    assert float(half["weights"].item()) == pytest.approx(4 * exact / 4)


def test_experts_are_divided_by_expert_parallelism_and_sharded_over_what_is_left() -> None:
    whole = peak(MIXTURE, Layout(dp=8, zero=1)).terms
    divided = peak(MIXTURE, Layout(dp=8, ep=8, zero=1)).terms
    experts = sum(size for part, size in counts(MIXTURE.model).parts if part == "experts")
    rest = counts(MIXTURE.model).params - experts
    assert float(whole["weights"].item()) == pytest.approx(2 * (experts + rest))
    assert float(divided["weights"].item()) == pytest.approx(2 * (experts / 8 + rest))
    # states: experts over ep 8 and a group of one, the rest over eight
    assert float(divided["optimizer states"].item()) == pytest.approx(8 * (experts / 8 + rest / 8))


def test_the_first_stage_holds_most_micro_batches() -> None:
    recipe = replace(LLAMA.recipe, recompute=("full",), fused_loss=True)
    run = Run(model=model("llama-2-7b"), sequence=4096, batch=512, recipe=recipe)
    found = peak(run, Layout(dp=1, pp=8))
    assert found.stage.item() == 0
    one = float(found.terms["saved for backward"].item())
    assert one == 8 * (32 / 8) * 4096 * 4096 * 2  # micro-batches x layers x tokens x width x bf16
    gpipe = peak(replace(run, schedule="gpipe", batch=64), Layout(dp=1, pp=8))
    assert float(gpipe.terms["saved for backward"].item()) == pytest.approx(8 * one, rel=0.02)


def test_an_adapter_trains_its_own_matrices_only() -> None:
    tuned = replace(LLAMA, recipe=Recipe(adapter=Adapter(rank=16, targets=("q", "v"))))
    found = peak(tuned, Layout()).terms
    trained = 32 * 16 * ((4096 + 4096) + (4096 + 1024))
    assert float(found["optimizer states"].item()) == pytest.approx(8 * trained)
    assert float(found["gradients"].item()) == pytest.approx(4 * trained)
    quantized = replace(tuned, recipe=replace(tuned.recipe, adapter=Adapter(rank=16, base="nf4")))
    tables = 2 * 2 * 128_256 * 4096
    assert float(peak(quantized, Layout()).terms["weights"].item()) == pytest.approx(
        tables + 0.516 * (counts(LLAMA.model).params - tables / 2), rel=0.02
    )


def test_recomputing_more_never_keeps_more() -> None:
    def saved(*policies: str) -> float:
        run = LLAMA.with_recipe(recompute=policies, engine="torch")
        return float(peak(run, Layout()).terms["saved for backward"].item())

    order = [("none",), ("norms",), ("norms", "activations"), ("every-second-matmul",), ("full",)]
    amounts = [saved(*one) for one in order]
    assert amounts == sorted(amounts, reverse=True)
    assert amounts[-1] < 0.1 * amounts[0]


@given(run=runs, layout=layouts)
def test_components_add_up_to_what_is_saved(run: Run, layout: Layout) -> None:
    if faults(run, layout):
        return
    apart = activation_ledger(run, layout)
    assert apart.total == pytest.approx(float(peak(run, layout).terms["saved for backward"].item()), rel=1e-9)
    assert all(term.value > 0 for term in apart.terms)


def test_unfused_attention_keeps_scores_that_grow_with_the_square() -> None:
    def saved(sequence: int, *, fused: bool) -> float:
        run = replace(LLAMA.with_recipe(fused_attention=fused), sequence=sequence)
        return float(peak(run, Layout()).terms["saved for backward"].item())

    scores = [saved(s, fused=False) - saved(s, fused=True) for s in (2048, 4096)]
    assert scores[1] == pytest.approx(4 * scores[0])
    assert scores[0] == pytest.approx(32 * 2 * 32 * 2048**2 * 2)  # layers, before and after softmax, heads, pairs, bf16


def test_bad_specs_are_refused() -> None:
    with pytest.raises(BadInput, match=r"layout.tp = 0"):
        Layout(tp=0)
    with pytest.raises(BadInput, match="zero is 0 to 3"):
        Layout(zero=4)
    with pytest.raises(UnknownName, match="number format 'bf61'"):
        Recipe(weights="bf61")
    with pytest.raises(UnknownName, match="recompute policy 'ful'"):
        Recipe(recompute=("ful",))  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="engine 'megatorn'"):
        peak(LLAMA.with_recipe(engine="megatorn"), Layout())
    with pytest.raises(UnknownName, match="field of a layout 'tpp'"):
        Layouts.of(tpp=2)
    with pytest.raises(BadInput, match="sequence = 0"):
        Run(model=LLAMA.model, sequence=0, batch=1)


def test_layouts_that_cannot_be_say_why() -> None:
    run = Run(model=model("gpt3-175b"), sequence=2048, batch=1536)
    assert not faults(run, Layout(dp=8, tp=8, pp=8))
    reasons = " ".join(faults(run, Layout(dp=7, tp=5, pp=7, ep=2)))
    for said in ("96 heads", "width 49,152", "does not divide 96 layers", "the batch of 1536", "has no experts"):
        assert said in reasons
    assert "interleaved stages need a multiple of pp" in " ".join(faults(run, Layout(dp=512, pp=2, vpp=2)))
    assert "needs tp above 1" in " ".join(faults(run, Layout(sequence_parallel=1)))
    assert faults(replace(run, split=(40, 56)), Layout(pp=2)) == ()
    assert "the split names 2 stages of 95 layers" in " ".join(faults(replace(run, split=(40, 55)), Layout(pp=2)))


def test_norms_made_of_parts_keep_two_tensors_in_fp32() -> None:
    """A CPU fuses no norms: its input and what it normed are kept in fp32, whatever the format of the work."""
    from isoflop.model import model
    from isoflop.training.saved import kept_of

    layer = model("tinyllama-1.1b").stack.groups[0].layer
    norms = {
        kernels: [one.form for one in kept_of(layer, 2048, ("none",), kernels) if one.part == "norms"]
        for kernels in ("native", "eager", "parts")
    }
    assert norms["native"].count("fp32") == norms["eager"].count("fp32") - 2
    assert norms["parts"].count("fp32") == norms["eager"].count("fp32") + 2
    assert len(norms["parts"]) == len(norms["eager"])
