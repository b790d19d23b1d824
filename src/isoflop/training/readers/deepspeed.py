"""DeepSpeed's config (JSON), and the same settings as accelerate and axolotl name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadFile
from isoflop.training.readers.keys import Keys, tool_keys
from isoflop.training.readers.settings import Settings
from isoflop.training.spec import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS = {"fp32": "fp32", "bf16": "bf16", "fp16": "fp16", "bfp16": "bf16", "float32": "fp32", "": ""}


def deepspeed(values: Mapping[str, object], file: str) -> Settings:
    """Settings from the keys of a config; what the training script decides (recomputation, model) is not in it."""
    keys = Keys(values, file)
    missing: list[str] = []
    sizes = _sizes(keys)
    share = _offloaded(keys, missing)
    micro, steps = keys.whole("train_micro_batch_size_per_gpu"), keys.whole("gradient_accumulation_steps")
    batch = keys.whole("train_batch_size")
    if micro:
        sizes["micro_batch"] = micro
    if batch and micro:
        dp, rest = divmod(batch, micro * (steps or 1))
        if rest:
            raise BadFile(
                f"{file}: train_batch_size = {batch} is no multiple of train_micro_batch_size_per_gpu x "
                f"gradient_accumulation_steps = {micro} x {steps or 1}."
            )
        if steps:
            sizes["dp"] = dp
    known = tool_keys()["deepspeed"]
    recipe = _recipe(keys, missing)
    return Settings(
        tool=known.title,
        file=file,
        sizes={**sizes, **({"offload_optimizer": share} if share else {})},
        recipe=recipe,
        batch=batch,
        accumulation=steps,
        not_understood=keys.unread(known.inert),
        not_modelled=tuple(missing),
        assumed=() if "full" in recipe.recompute else ("nothing recomputed: the training script decides that",),
    )


def _sizes(keys: Keys) -> dict[str, int]:
    stage = keys.whole("zero_optimization.stage", least=0) or 0
    if stage > 3:
        raise keys.wrong(("zero_optimization.stage",), stage, "a stage from 0 to 3")
    found = {"zero": stage}
    group = keys.whole("zero_optimization.zero_hpz_partition_size", "zero_optimization.mics_shard_size", least=-1)
    if group is not None and group > 1:
        found["shard"] = group
    for key, name in (
        ("tensor_parallel.autotp_size", "tp"),
        ("sequence_parallel_size", "cp"),
        ("pipeline.stages", "pp"),
    ):
        size = keys.whole(key, least=0)
        if size:
            found[name] = size
    return found


def _offloaded(keys: Keys, missing: list[str]) -> float:
    """Share of the optimizer states in host memory or on disk."""
    device = keys.word("zero_optimization.offload_optimizer.device")
    share = keys.number("zero_optimization.offload_optimizer.ratio")
    if keys.word("zero_optimization.offload_param.device") in {"cpu", "nvme"}:
        missing.append("offload_param: weights in host memory")
    if device in {"cpu", "nvme"} or keys.flag("zero_optimization.cpu_offload"):
        return 1.0 if share is None else share
    return 0.0


def _recipe(keys: Keys, missing: list[str]) -> Recipe:
    half = "bf16" if keys.flag("bf16.enabled", "bfloat16.enabled") else "fp16" if keys.flag("fp16.enabled") else ""
    for key in ("bf16.enabled", "fp16.enabled"):
        if keys.values.get(key) == "auto":
            half = half or "bf16"
    optimizer = keys.word("optimizer.type")
    if optimizer and "adam" not in optimizer:
        missing.append(f"optimizer {optimizer}: taken as Adam")
    summed = FORMATS.get(keys.word("data_types.grad_accum_dtype"), "")
    moving = FORMATS.get(keys.word("communication_data_type"), "")
    return half_recipe(half, summed=summed, moving=moving, recompute=_recomputed(keys))


def _recomputed(keys: Keys) -> bool:
    """Whether activation checkpointing is set up; it has no switch of its own."""
    names = ("partition_activations", "cpu_checkpointing")
    return any([keys.flag(f"activation_checkpointing.{name}") for name in names])  # noqa: C419 - each is read


def half_recipe(half: str, *, summed: str = "", moving: str = "", recompute: bool = False) -> Recipe:
    """DeepSpeed's mixed precision: weights and gradients in 16 bit, copies and moments in fp32."""
    compute = half or "fp32"
    gradients = summed or compute
    return Recipe(
        name="deepspeed",
        engine="deepspeed",
        weights=compute,
        gradients=gradients,
        master="fp32" if half else "none",
        states=("fp32", "fp32"),
        reduce=moving or compute,
        compute=compute,
        recompute=("full",) if recompute else ("none",),
    )
