"""DeepSpeed's config (JSON)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from isoflop.training.export.lacking import Lacking, lacking

if TYPE_CHECKING:
    from isoflop.training.spec import Layout, Run


def deepspeed(run: Run, layout: Layout) -> tuple[str, Lacking]:
    """The config; sizes of the model, sequence and recomputation are the training script's."""
    missing = lacking(
        layout, "DeepSpeed's config has no such key", "vpp", "ep", "etp", "sequence_parallel", "offload_layers"
    )
    zero: dict[str, object] = {"stage": layout.zero, "overlap_comm": True}
    if layout.shard and layout.zero:
        zero["zero_hpz_partition_size"] = layout.shard
    if layout.offload_optimizer:
        zero["offload_optimizer"] = {"device": "cpu", "ratio": layout.offload_optimizer}
    recipe = run.recipe
    table: dict[str, object] = {
        "train_batch_size": run.batch,
        "train_micro_batch_size_per_gpu": layout.micro_batch,
        "gradient_accumulation_steps": run.batch // (layout.dp * layout.micro_batch),
        "zero_optimization": zero,
    }
    if recipe.compute in {"bf16", "fp16"}:
        table[recipe.compute] = {"enabled": True}
        table["data_types"] = {"grad_accum_dtype": recipe.gradients}
    if layout.tp > 1:
        table["tensor_parallel"] = {"autotp_size": layout.tp}
    if layout.cp > 1:
        table["sequence_parallel_size"] = layout.cp
    if layout.pp > 1:
        table["pipeline"] = {"stages": layout.pp}
    if "full" in recipe.recompute:
        table["activation_checkpointing"] = {"partition_activations": layout.tp > 1, "cpu_checkpointing": False}
    elif recipe.recompute != ("none",):
        missing["recompute"] = f"{' and '.join(recipe.recompute)}: the training script has to do that"
    if recipe.matmul:
        missing["matmul"] = f"products in {recipe.matmul}: the training script has to do that"
    return json.dumps(table, indent=2) + "\n", missing
