"""accelerate's config (YAML): FSDP, DeepSpeed, Megatron-LM or plain data parallelism around a Hugging Face trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadFile
from isoflop.training.readers.deepspeed import half_recipe
from isoflop.training.readers.keys import Keys, tool_keys
from isoflop.training.readers.settings import Settings, check_world
from isoflop.training.spec import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARDING = {
    "full_shard": 3, "shard_grad_op": 2, "no_shard": 0, "hybrid_shard": 3, "hybrid_shard_zero2": 2,
    "1": 3, "2": 2, "3": 0, "4": 3, "5": 2,
}  # fmt: skip
"""FSDP's sharding strategies by name and by accelerate's numbers, as stages of ZeRO."""

HYBRID = frozenset({"hybrid_shard", "hybrid_shard_zero2", "4", "5"})
KINDS = ("NO", "MULTI_GPU", "FSDP", "DEEPSPEED", "MEGATRON_LM")


def accelerate(values: Mapping[str, object], file: str) -> Settings:
    """Settings from the keys of a config; model, batch and sequence are the training script's."""
    keys = Keys(values, file)
    missing: list[str] = []
    kind = keys.word("distributed_type").upper() or "NO"
    if kind not in KINDS:
        raise keys.wrong(("distributed_type",), kind, f"one of {', '.join(KINDS)}")
    half = keys.word("mixed_precision")
    if half == "fp8":
        missing.append("work in fp8: copies of weights and kept inputs in it")
    half = {"fp8": "bf16", "no": ""}.get(half, half)
    sizes: dict[str, int | float] = {}
    match kind:
        case "FSDP":
            recipe = _fsdp(keys, sizes, half, missing)
        case "DEEPSPEED":
            recipe = _deepspeed(keys, sizes, half, missing)
        case "MEGATRON_LM":
            recipe = _megatron(keys, sizes, half)
        case _:
            recipe = _plain(half)
    world = keys.whole("num_processes")
    inner = int(sizes.get("tp", 1)) * int(sizes.get("pp", 1)) * int(sizes.get("cp", 1))
    check_world(file, "num_processes", world, inner)
    if kind in {"FSDP", "DEEPSPEED", "MULTI_GPU"} and world == 1:
        missing.append("num_processes 1: nothing is sharded")
    known = tool_keys()["accelerate"]
    return Settings(
        tool=known.title,
        file=file,
        sizes=sizes,
        recipe=recipe,
        accumulation=keys.whole("gradient_accumulation_steps", "deepspeed_config.gradient_accumulation_steps"),
        chips=world,
        not_understood=keys.unread(known.inert),
        not_modelled=tuple(missing),
        assumed=("weights loaded in fp32, as transformers does where a script says nothing",),
    )


def _plain(half: str) -> Recipe:
    """PyTorch's autocast over fp32 weights."""
    return Recipe(
        name="torch",
        engine="torch",
        weights="fp32",
        gradients="fp32",
        master="none",
        reduce="fp32",
        compute=half or "fp32",
    )


def _fsdp(keys: Keys, sizes: dict[str, int | float], half: str, missing: list[str]) -> Recipe:
    def of(name: str) -> tuple[str, str]:
        return f"fsdp_config.fsdp_{name}", f"fsdp_config.{name}"

    strategy = keys.word(*of("sharding_strategy"))
    if strategy and strategy not in SHARDING:
        raise keys.wrong(of("sharding_strategy"), strategy, "FULL_SHARD, SHARD_GRAD_OP, NO_SHARD or HYBRID_SHARD")
    again = keys.word(*of("reshard_after_forward"))
    keys.get(*of("version"))
    sizes["zero"] = SHARDING.get(strategy, 2 if again == "false" else SHARDING.get(again, 3))
    if strategy in HYBRID or again in HYBRID:
        machines, world = keys.whole("num_machines") or 1, keys.whole("num_processes") or 1
        if world % machines:
            raise BadFile(f"{keys.file}: num_processes = {world} is no multiple of num_machines = {machines}.")
        sizes["shard"] = world // machines
    if keys.flag(*of("offload_params")):
        sizes["offload_optimizer"] = 1.0
        missing.append("fsdp_offload_params: weights and gradients in host memory")
    recompute = bool(keys.flag(*of("activation_checkpointing")))
    return Recipe(
        name="fsdp",
        engine="fsdp-compiled" if keys.word("dynamo_config.dynamo_backend") not in {"", "no"} else "fsdp",
        weights="fp32",
        gradients="fp32",
        master="none",
        reduce=half or "fp32",
        compute=half or "fp32",
        recompute=("full",) if recompute else ("none",),
    )


def _deepspeed(keys: Keys, sizes: dict[str, int | float], half: str, missing: list[str]) -> Recipe:
    if keys.word("deepspeed_config.deepspeed_config_file"):
        missing.append("deepspeed_config_file: another file; read it by itself")
    stage = keys.whole("deepspeed_config.zero_stage", least=0)
    if stage is not None and stage > 3:
        raise keys.wrong(("deepspeed_config.zero_stage",), stage, "a stage from 0 to 3")
    sizes["zero"] = 2 if stage is None else stage
    if keys.word("deepspeed_config.offload_optimizer_device") in {"cpu", "nvme"}:
        sizes["offload_optimizer"] = 1.0
    if keys.word("deepspeed_config.offload_param_device") in {"cpu", "nvme"}:
        missing.append("offload_param_device: weights in host memory")
    return half_recipe(half)


def _megatron(keys: Keys, sizes: dict[str, int | float], half: str) -> Recipe:
    def of(name: str) -> str:
        return f"megatron_lm_config.megatron_lm_{name}"

    for name, field in (("tp_degree", "tp"), ("pp_degree", "pp")):
        size = keys.whole(of(name))
        if size:
            sizes[field] = size
    sizes["zero"] = 1 if keys.flag(of("use_distributed_optimizer")) else 0
    if keys.flag(of("sequence_parallelism")) and sizes.get("tp", 1) > 1:
        sizes["sequence_parallel"] = 1
    keys.whole(of("num_micro_batches"))
    recompute = bool(keys.flag(of("recompute_activations")))
    compute = half or "fp32"
    return Recipe(
        name="megatron",
        weights=compute,
        gradients="fp32",
        master="fp32" if half else "none",
        compute=compute,
        recompute=("core-attention",) if recompute else ("none",),
    )
