"""accelerate's config (YAML): FSDP, DeepSpeed, Megatron-LM or plain replicas, whichever says most of the layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.training.export.lacking import Lacking, lacking

if TYPE_CHECKING:
    from isoflop.training.spec import Layout, Run

NODE = 8
Block = dict[str, str | int | bool]


def accelerate(run: Run, layout: Layout) -> tuple[str, Lacking]:
    """The config; batch, sequence and model are the training script's."""
    missing: Lacking = {"micro_batch": f"give per_device_train_batch_size={layout.micro_batch} to the training script"}
    each = NODE if layout.chips % NODE == 0 else layout.chips
    kind, section = _section(run, layout, each, missing)
    head: Block = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": kind,
        "mixed_precision": run.recipe.compute if run.recipe.compute in {"bf16", "fp16"} else "no",
        "num_machines": layout.chips // each,
        "num_processes": layout.chips,
        "gradient_accumulation_steps": max(1, run.batch // (layout.dp * layout.micro_batch)),
    }
    lines = [f"{key}: {_said(value)}" for key, value in head.items()]
    if section:
        name = {"FSDP": "fsdp_config", "DEEPSPEED": "deepspeed_config", "MEGATRON_LM": "megatron_lm_config"}[kind]
        lines += [f"{name}:", *(f"  {key}: {_said(value)}" for key, value in section.items())]
    return "\n".join(lines) + "\n", missing


def _said(value: str | int | bool) -> str:  # noqa: FBT001 - a value of YAML
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if value == "no" else str(value)


def _section(run: Run, layout: Layout, each: int, missing: Lacking) -> tuple[str, Block]:
    says = "accelerate's config has no such key"
    if layout.tp > 1 or layout.pp > 1:
        missing |= lacking(layout, says, "vpp", "cp", "ep", "etp", "shard", "offload_optimizer", "offload_layers")
        return "MEGATRON_LM", _megatron(run, layout, missing)
    missing |= lacking(layout, says, "cp", "ep", "etp", "offload_layers")
    full = "full" in run.recipe.recompute
    if run.recipe.engine == "deepspeed" or layout.zero in {1, 2} or layout.offload_optimizer:
        missing |= lacking(layout, says, "shard")
        missing |= {"recompute": "gradient checkpointing is the training script's"} if full else {}
        return "DEEPSPEED", _deepspeed(layout, missing)
    if not layout.zero:
        return ("MULTI_GPU" if layout.chips > 1 else "NO"), {}
    if layout.shard not in {0, each}:
        missing["shard"] = f"groups of {layout.shard}: accelerate shards over all ranks or over a machine's {each}"
    strategy = "HYBRID_SHARD" if layout.shard == each and layout.chips > each else "FULL_SHARD"
    return "FSDP", {"fsdp_version": 1, "fsdp_sharding_strategy": strategy, "fsdp_activation_checkpointing": full}


def _deepspeed(layout: Layout, missing: Lacking) -> Block:
    section: Block = {"zero_stage": layout.zero}
    if layout.offload_optimizer:
        section["offload_optimizer_device"] = "cpu"
        if layout.offload_optimizer < 1:
            missing["offload_optimizer"] = "a share of it: give it in a DeepSpeed config of your own"
    return section


def _megatron(run: Run, layout: Layout, missing: Lacking) -> Block:
    again = [policy for policy in run.recipe.recompute if policy not in {"none", "core-attention"}]
    if again:
        missing["recompute"] = f"{' and '.join(again)}: give it to the training script"
    if layout.zero > 1:
        missing["zero"] = f"ZeRO-{layout.zero} is asked for; written as a distributed optimizer (ZeRO-1)"
    return {
        "megatron_lm_tp_degree": layout.tp,
        "megatron_lm_pp_degree": layout.pp,
        "megatron_lm_num_micro_batches": max(1, run.batch // (layout.dp * layout.micro_batch)),
        "megatron_lm_sequence_parallelism": bool(layout.sequence_parallel),
        "megatron_lm_use_distributed_optimizer": layout.zero > 0,
        "megatron_lm_recompute_activations": "core-attention" in run.recipe.recompute,
    }
