"""The best layout is the best of all: nothing is pruned but what does not fit, and arrays agree with single layouts."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isoflop import hardware
from isoflop.model import model
from isoflop.training import (
    AXES,
    RECIPES,
    Layout,
    Order,
    Run,
    advise,
    at_scales,
    bill_of,
    faults,
    legal,
    machine_of,
    need,
    pace_of,
    rates_of,
    reasons,
    search_layouts,
)
from isoflop.training.pace import flops_per_token
from isoflop.training.space import space, splits, variants

H100 = machine_of(hardware.device("h100-sxm"))
CAPACITY = 79.6 * 2**30
RUN = Run(model=model("llama-3.1-8b"), sequence=8192, batch=32)


@pytest.mark.parametrize("recipe", ["mixed", "fsdp"])
def test_the_best_is_the_best_of_every_layout_judged_by_itself(recipe: str) -> None:
    run = replace(RUN, recipe=RECIPES[recipe], batch=16)
    found = search_layouts(run, 4, 8, CAPACITY, H100)
    tried, best = 0, float("inf")
    for one in variants(run, 4):
        for many in space(one, 4, 8):
            tried += len(many)
            for place in range(len(many)):
                held = need(one, many[place], CAPACITY, H100)
                if held.verdict == "fits" and held.pace is not None:
                    best = min(best, held.pace.step)
    assert found.tried == tried
    assert found.best[0].pace is not None
    assert found.best[0].pace.step == pytest.approx(best, rel=1e-12)


def test_the_space_holds_every_legal_combination_of_its_axes_once() -> None:
    run = replace(RUN, batch=16)
    listed = [many[place] for many in space(run, 8, 8) for place in range(len(many))]
    assert len(listed) == len(set(listed))
    assert all(not faults(run, layout) and layout.chips == 8 for layout in listed)
    sizes = (1, 2, 4, 8)
    every = {
        Layout(dp=8 // (tp * pp * cp), tp=tp, pp=pp, vpp=vpp, cp=cp, zero=zero, micro_batch=micro, sequence_parallel=sp)
        for tp, pp, cp in itertools.product(sizes, sizes, sizes)
        if 8 % (tp * pp * cp) == 0
        for vpp, zero, micro, sp in itertools.product((1, 2, 4, 8, 16, 32), (0, 1), (1, 2, 4, 8, 16), (0, 1))
        if not (zero and 8 // (tp * pp) == 1)
    }
    assert {layout for layout in every if not faults(run, layout)} == set(listed)


@pytest.mark.parametrize("name", ["mixtral-8x7b", "deepseek-v3", "llama-3.1-405b"])
def test_found_layouts_are_legal_fit_and_stand_in_order(name: str) -> None:
    run = Run(model=model(name), sequence=4096, batch=1024)
    found = search_layouts(run, 1024, 8, CAPACITY, H100)
    assert 0 < found.fit <= found.tried
    paces = [one.pace.step for one in found.best if one.pace]
    assert paces == sorted(paces)
    assert len(paces) == len(found.best)
    for one in (*found.best, *found.pareto):
        assert not faults(one.run, one.layout)
        assert one.verdict == "fits"
        assert one.layout.chips == 1024
    kinds = [
        (one.run.recipe.recompute, one.layout.tp, one.layout.pp, one.layout.cp, one.layout.ep, one.layout.zero >= 3)
        for one in found.best
    ]
    assert len(kinds) == len(set(kinds))


def test_no_layout_beats_one_of_the_pareto_set_in_both() -> None:
    found = search_layouts(RUN, 8, 8, CAPACITY, H100)
    front = [(one.pace.step, one.high) for one in found.pareto if one.pace]
    assert front[0][0] == pytest.approx(found.best[0].pace.step if found.best[0].pace else 0.0)
    assert [high for _, high in front] == sorted((high for _, high in front), reverse=True)
    for one in found.best:
        assert one.pace is not None
        assert not [None for step, high in front if one.pace.step < step * (1 - 1e-9) and one.high < high * (1 - 1e-9)]
        assert [None for step, high in front if step <= one.pace.step * (1 + 1e-9) and high <= one.high * (1 + 1e-9)]


def test_without_a_machine_layouts_stand_in_the_order_of_splitting() -> None:
    found = search_layouts(RUN, 16, 8, CAPACITY)
    assert not found.pareto
    assert all(one.pace is None for one in found.best)
    levels = [one.run.recipe.recompute != ("none",) for one in found.best]
    assert levels == sorted(levels)


def test_stages_that_do_not_divide_the_layers_get_fewer_at_the_ends() -> None:
    deep = Run(model=model("deepseek-v3"), sequence=4096, batch=1024)
    found = splits(deep, 256)
    assert (3, *[4] * 14, 2) in found
    assert all(sum(split) == 61 and min(split) >= 1 for split in found)
    assert not splits(replace(deep, recipe=RECIPES["fsdp"]), 256)


def test_a_given_policy_is_kept() -> None:
    run = RUN.with_recipe(recompute=("full",))
    assert {one.recipe.recompute for one in variants(run, 8)} == {("full",)}


def test_recomputation_counts_as_hardware_work_alone() -> None:
    plain, full = flops_per_token(RUN), flops_per_token(RUN.with_recipe(recompute=("full",)))
    assert plain["hardware"] == plain["model"] == full["model"]
    head = 6 * 4096 * 128_256  # the output layer is not computed again
    assert full["hardware"] - full["model"] == pytest.approx((full["model"] - head) / 3, rel=1e-3)


def test_a_bill_is_steps_over_goodput() -> None:
    held = need(RUN, Layout(dp=4, tp=2, zero=1, sequence_parallel=1), CAPACITY, H100)
    bill = bill_of(held, Order(tokens=1e9, deadline=1.0, goodput=0.5))
    assert held.pace is not None
    assert bill is not None
    assert bill.steps == int(np.ceil(1e9 / (32 * 8192)))
    assert bill.time == pytest.approx(2 * bill.steps * held.pace.step)
    assert bill.late == pytest.approx(bill.time - 1.0)
    assert bill.cost is None


def test_what_one_more_brings_is_what_the_step_says() -> None:
    held = need(RUN, Layout(dp=4, tp=2, zero=1, sequence_parallel=1), CAPACITY, H100)
    told = reasons(held, None, H100, 8)
    assert held.pace is not None
    assert sum(value for _, value in told.terms) == pytest.approx(held.pace.step)
    speeds = {one.says: one.speed for one in told.effects}
    assert all(speed >= 1 - 1e-9 for says, speed in speeds.items() if "bandwidth" in says)
    twice = pace_of(RUN, Layout(dp=8, tp=2, zero=1, sequence_parallel=1), H100)
    assert speeds["twice the chips, the same batch"] == pytest.approx(held.pace.step / twice.step)


def test_utilisation_is_work_over_the_peak() -> None:
    layout = Layout(dp=4, tp=2, zero=1, sequence_parallel=1)
    pace = pace_of(RUN, layout, H100)
    rates = rates_of(RUN, layout, pace, H100)
    each = flops_per_token(RUN)["model"] * 32 * 8192 / pace.step / 8
    assert rates.utilisation["model"] == pytest.approx(each / 989.4e12)


def test_more_chips_at_the_same_batch_never_slow_the_best_layout_by_much() -> None:
    advice = advise(model("llama-3.1-8b"), "16xh100-sxm", sequence=8192, batch=128)
    found = at_scales(advice)
    assert [one.chips for one in found] == sorted({one.chips for one in found})
    steps = [one.need.pace.step for one in found if one.need.pace]
    assert steps == sorted(steps, reverse=True)


def test_every_axis_is_named() -> None:
    assert {name for name in Layout.__dataclass_fields__ if not name.startswith("offload")} <= set(AXES)
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    assert all(values.partition(";")[0] in page for values in AXES.values())
    assert legal(RUN, next(space(RUN, 8, 8))).all()


def test_no_name_that_loads_late_is_a_module() -> None:
    import isoflop.training as room

    folder = {path.stem for path in Path(room.__file__).parent.glob("*.py")}
    late = {name for names in room._HOMES.values() for name in names}
    assert not late & folder
    assert all(hasattr(room, name) for name in room.__all__)
