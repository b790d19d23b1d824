"""What was measured as a run of the training room: so that one step model predicts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.torchmodel.shape import Shape, spec_of
from isoflop.training import Layout, Recipe, Run
from isoflop.training.spec import Execution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.model.spec import ModelSpec

GENERATIONS = {"efficient": 1, "flash": 2, "": 2, "cudnn": 3}
"""Kernels of torch's attention -> their generation in a profile."""


def model_of(settings: Mapping[str, str | float]) -> ModelSpec:
    """The decoder of a measured step as a model."""
    names = ("layers", "width", "heads", "kv_heads", "head_width", "inner", "vocabulary")
    size = {name: int(settings[f"shape.{name}"]) for name in names}
    return spec_of(Shape(**size, tied=bool(settings["shape.tied"])), str(settings["name"]))


def run_of(settings: Mapping[str, str | float]) -> Run:
    """A measured training step as a run."""
    form = str(settings["form"])
    weights = "bf16" if form == "bf16" else "fp32"
    recipe = Recipe(
        name=form,
        engine=_engine(settings),
        weights=weights,
        gradients=weights,
        master="none",
        states=(weights, weights),
        reduce=weights,
        compute="bf16" if form in {"bf16", "mixed"} else form,
        recompute=("full",) if settings["recompute"] else ("none",),
        execution=Execution(attention=GENERATIONS[str(settings["attention"])]),
    )
    batch = int(settings["batch"]) * int(settings["pieces"])
    return Run(model=model_of(settings), sequence=int(settings["sequence"]), batch=batch, recipe=recipe)


def _engine(settings: Mapping[str, str | float]) -> str:
    """Norms are one kernel on devices, and many operations on a CPU."""
    if settings["form"] == "mixed":
        return "autocast"
    if settings["compile"]:
        return "native-compiled"
    return "native-host" if settings.get("device") == "cpu" else "native"


def layout_of(settings: Mapping[str, str | float]) -> Layout:
    """One device, with the micro-batch of the step."""
    return Layout(micro_batch=int(settings["batch"]))
