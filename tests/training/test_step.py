"""Step time: properties of the whole, and what each setting does to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.hardware import device
from isoflop.kernel import Chip, chip_of, profile_of
from isoflop.model import model
from isoflop.model.spec import ModelSpec
from isoflop.training import RECIPES, Layout, Layouts, Recipe, Run
from isoflop.training.spec import Execution
from isoflop.training.step import TERMS, step_ledger, step_time

H100 = chip_of(device("h100-sxm-80gb"), node_chips=8)
HOPPER = profile_of(H100)[1]
DENSE = model("llama-3.1-8b")
MIXTURE = model("qwen3-30b-a3b")
LAYOUTS = (
    Layout(dp=8, zero=1),
    Layout(dp=64, zero=3, micro_batch=2),
    Layout(dp=4, tp=8, sequence_parallel=1, zero=1),
    Layout(dp=4, tp=2, pp=4, vpp=2, sequence_parallel=1, zero=1),
    Layout(dp=8, cp=2, zero=1),
    Layout(dp=8, pp=2, zero=1),
)


def time_of(run: Run, layout: Layout, chip: Chip = H100) -> float:
    return float(step_time(run, layout, chip, HOPPER).total.item())


def run_of(batch: int = 256, recipe: Recipe | None = None, **execution: object) -> Run:
    made = recipe or RECIPES["mixed"]
    changed = replace(made, execution=replace(made.execution, **execution))  # type: ignore[arg-type]
    return Run(model=DENSE, sequence=4096, batch=batch, recipe=changed)


def test_the_ledger_adds_up_to_the_step() -> None:
    run = run_of()
    ledger = step_ledger(run, LAYOUTS[3], H100, HOPPER)
    assert ledger.total == pytest.approx(time_of(run, LAYOUTS[3]), rel=1e-12)
    assert {term.name for term in ledger.terms} <= set(TERMS)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(LAYOUTS), st.integers(min_value=1, max_value=6), st.sampled_from(["mixed", "fsdp", "bf16"]))
def test_doubling_the_batch_never_lowers_the_step(layout: Layout, power: int, recipe: str) -> None:
    batch = layout.dp * layout.micro_batch * 2**power
    once, twice = (time_of(run_of(size, RECIPES[recipe]), layout) for size in (batch, 2 * batch))
    assert twice >= once


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(LAYOUTS),
    st.sampled_from(["bandwidth", "link", "network"]),
    st.floats(min_value=1.0, max_value=8.0),
    st.sampled_from(["", "fp8"]),
)
def test_more_bandwidth_never_slows(layout: Layout, figure: str, times: float, matmul: str) -> None:
    run = run_of().with_recipe(matmul=matmul)
    better = replace(H100, **{figure: getattr(H100, figure) * times})  # type: ignore[arg-type]
    assert time_of(run, layout, better) <= time_of(run, layout) * (1 + 1e-12)


@pytest.mark.parametrize("spec", [DENSE, MIXTURE], ids=["dense", "mixture"])
def test_arrays_agree_with_single_layouts(spec: ModelSpec) -> None:
    run = replace(run_of(), model=spec)
    fields = Layout.__dataclass_fields__
    many = Layouts.of(**{name: np.array([float(getattr(one, name)) for one in LAYOUTS]) for name in fields})
    together = step_time(run, many, H100, HOPPER)
    for place, layout in enumerate(LAYOUTS):
        alone = step_time(run, layout, H100, HOPPER)
        for name in TERMS:
            assert together.terms[name][place] == pytest.approx(alone.terms[name].item(), rel=1e-12, abs=1e-15)


def test_the_names_of_device_and_model_change_nothing() -> None:
    run = run_of()
    named = replace(run, model=replace(DENSE, name="something else"))
    assert time_of(named, LAYOUTS[0], replace(H100, name="abacus")) == time_of(run, LAYOUTS[0])


@pytest.mark.parametrize(
    ("layout", "better", "worse"),
    [
        (Layout(dp=4, tp=8, sequence_parallel=1), {"overlap_tensor": True}, {}),
        (Layout(dp=64), {}, {"overlap_gradients": False}),
        (Layout(dp=64), {}, {"rails": False}),
        (Layout(dp=8), {"attention": 3}, {"attention": 2}),
        (Layout(dp=8), {"attention": 2}, {"attention": 1}),
    ],
)
def test_what_runs_beside_compute_or_in_better_kernels_saves_time(
    layout: Layout, better: dict[str, object], worse: dict[str, object]
) -> None:
    assert time_of(run_of(64, **better), layout) < time_of(run_of(64, **worse), layout)


def test_graphs_save_where_the_host_is_slow() -> None:
    run = Run(model=DENSE, sequence=64, batch=512, recipe=RECIPES["bf16"])
    graphs = replace(run, recipe=replace(run.recipe, execution=Execution(graphs=1.0)))
    assert time_of(graphs, Layout(dp=8)) < 0.8 * time_of(run, Layout(dp=8))


def test_low_precision_and_recomputation() -> None:
    run = run_of()
    layout = Layout(dp=8)
    assert time_of(run.with_recipe(matmul="fp8"), layout) < time_of(run, layout)
    again = time_of(run.with_recipe(recompute=("full",)), layout) / time_of(run, layout)
    assert 1.2 < again < 1.4


def test_the_bubble_shrinks_with_micro_batches_and_chunks() -> None:
    def bubble(batch: int, vpp: int) -> float:
        found = step_time(run_of(batch), Layout(dp=1, pp=4, vpp=vpp), H100, HOPPER)
        return float((found.terms["pipeline bubble"] / found.total).item())

    assert bubble(64, 1) < bubble(8, 1)
    assert bubble(8, 4) < bubble(8, 1)


def test_experts_cost_their_dispatch() -> None:
    run = Run(model=MIXTURE, sequence=4096, batch=256, recipe=RECIPES["mixed"])
    inside, across = (step_time(run, Layout(dp=64, ep=ep, zero=1), H100, HOPPER) for ep in (8, 64))
    assert 0 < inside.terms["experts' dispatch"].item() < across.terms["experts' dispatch"].item()
    once = replace(run, recipe=replace(run.recipe, execution=Execution(dispatch_once=True)))
    cheaper = step_time(once, Layout(dp=64, ep=64, zero=1), H100, HOPPER)
    assert cheaper.terms["experts' dispatch"].item() < across.terms["experts' dispatch"].item()


def test_a_dispatch_that_leaves_the_tray_takes_the_network() -> None:
    chip = chip_of(device("gb200-186gb"), node_chips=4)
    run = Run(model=MIXTURE, sequence=4096, batch=256, recipe=RECIPES["mixed"])
    tray = replace(run, recipe=replace(run.recipe, execution=Execution(rack=False)))
    layout = Layout(dp=64, ep=64, zero=1)
    rack, apart = (step_time(one, layout, chip, HOPPER).terms["experts' dispatch"].item() for one in (run, tray))
    assert apart > 3 * rack
