"""What is written is read back to the same layout, but for what the writer says the tool does not hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isoflop.errors import UnknownName
from isoflop.model import model
from isoflop.training import RECIPES, Layout, Run, faults
from isoflop.training.export import WRITERS, exported
from isoflop.training.readers import read_settings

if TYPE_CHECKING:
    from isoflop.training import Recipe
    from isoflop.training.readers import Settings

ENDINGS = {"megatron": "sh", "torchtitan": "toml", "deepspeed": "json", "accelerate": "yaml"}
TITLES = {"megatron": "Megatron-LM", "torchtitan": "torchtitan", "deepspeed": "DeepSpeed", "accelerate": "accelerate"}
ENGINES = {"megatron": "mixed", "torchtitan": "fsdp", "deepspeed": "mixed", "accelerate": "fsdp"}
NAMES = ("tp", "pp", "vpp", "cp", "ep", "etp", "zero", "shard", "micro_batch", "sequence_parallel", "offload_optimizer")


def back(run: Run, layout: Layout, tool: str, folder: Path) -> tuple[Settings, set[str]]:
    text, left_out = exported(run, layout, tool)
    path = folder / f"settings.{ENDINGS[tool]}"
    path.write_text(text, encoding="utf-8")
    found = read_settings(path)
    assert found.tool == TITLES[tool]
    assert not found.not_understood
    return found, {line.partition(":")[0] for line in left_out}


def same(run: Run, layout: Layout, found: Settings, lacking: set[str]) -> None:
    read = found.layout(layout.chips)
    for name in NAMES:
        if name not in lacking and (name != "shard" or layout.zero):
            assert getattr(read, name) == getattr(layout, name), name
    assert read.dp == layout.dp or lacking & {"cp", "vpp", "ep"}
    if found.batch_on(read) is not None and "micro_batch" not in lacking and read.dp == layout.dp:
        assert found.batch_on(read) == run.batch


def recipe_of(tool: str) -> Recipe:
    return RECIPES[ENGINES[tool]]


@pytest.mark.parametrize("tool", list(WRITERS))
def test_a_plain_layout_comes_back_whole(tool: str, tmp_path: Path) -> None:
    run = Run(model=model("llama-3.1-8b"), sequence=8192, batch=64, recipe=recipe_of(tool))
    layout = Layout(dp=8, zero=1 if tool == "megatron" else 3, micro_batch=2)
    found, lacking = back(run, layout, tool, tmp_path)
    assert lacking <= {"micro_batch"}
    same(run, layout, found, lacking)


@pytest.mark.parametrize("tool", list(WRITERS))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_field_comes_back_or_is_named(tool: str, tmp_path: Path, data: st.DataObject) -> None:
    some = data.draw
    zero = some(st.integers(0, 3))
    tp = some(st.sampled_from([1, 2, 4]))
    layout = Layout(
        dp=some(st.sampled_from([2, 4, 8])),
        tp=tp,
        pp=some(st.sampled_from([1, 2, 4])),
        vpp=some(st.sampled_from([1, 2, 4])),
        cp=some(st.sampled_from([1, 2])),
        ep=some(st.sampled_from([1, 2, 4])),
        zero=zero,
        shard=some(st.sampled_from([0, 2, 4])) if zero >= 2 else 0,
        micro_batch=some(st.sampled_from([1, 2])),
        sequence_parallel=int(tp > 1 and some(st.booleans())),
        offload_optimizer=some(st.sampled_from([0.0, 0.5, 1.0])),
    )
    run = Run(model=model("mixtral-8x7b"), sequence=4096, batch=256, recipe=recipe_of(tool))
    if faults(run, layout) or layout.shard >= layout.dp * layout.cp:
        return
    found, lacking = back(run, layout, tool, tmp_path)
    same(run, layout, found, lacking)


@pytest.mark.parametrize("recompute", [("none",), ("norms", "mlp"), ("full",)])
def test_recomputation_and_formats_come_back_from_megatron(recompute: tuple[str, ...], tmp_path: Path) -> None:
    run = Run(model=model("llama-3.1-8b"), sequence=8192, batch=64).with_recipe(recompute=recompute, fused_loss=True)
    found, lacking = back(run, Layout(dp=4, tp=2, zero=1, sequence_parallel=1), "megatron", tmp_path)
    assert not lacking
    assert found.recipe.recompute == recompute
    assert found.recipe.fused_loss
    assert found.recipe.state_bytes_per_param == run.recipe.state_bytes_per_param
    assert not found.recipe.dropout


def test_uneven_stages_come_back_from_megatron(tmp_path: Path) -> None:
    from dataclasses import replace

    run = replace(Run(model=model("deepseek-v3"), sequence=4096, batch=64), split=(15, 16, 16, 14))
    found, lacking = back(run, Layout(dp=4, tp=2, pp=4, zero=1, sequence_parallel=1), "megatron", tmp_path)
    assert not lacking
    assert found.split == run.split


def test_an_unknown_tool() -> None:
    run = Run(model=model("llama-3.1-8b"), sequence=8192, batch=64)
    with pytest.raises(UnknownName, match="Did you mean 'megatron'"):
        exported(run, Layout(dp=8), "megatorn")
