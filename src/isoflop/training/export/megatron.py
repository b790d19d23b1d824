"""Megatron-LM's command line: torchrun with the arguments of layout, batch and recipe; the model's own are yours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.training.export.lacking import Lacking, lacking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.training.spec import Layout, Policy, Run

NODE = 8
MODULES: dict[Policy, str] = {
    "core-attention": "core_attn",
    "norms": "layernorm",
    "activations": "moe_act",
    "latent-up": "mla_up_proj",
    "mlp": "mlp",
}
"""Policies as modules of selective recomputation."""

SHARDING = ("no_shard", "optim", "optim_grads", "optim_grads_params")


def megatron(run: Run, layout: Layout) -> tuple[str, Lacking]:
    """A script that starts the run."""
    missing = lacking(layout, "give --num-distributed-optimizer-instances by hand", "shard")
    lines = [*_launch(layout), *_degrees(run, layout, missing), *_batch(run, layout), *_recipe(run, layout, missing)]
    return "#!/bin/bash\n" + " \\\n    ".join(lines) + "\n", missing


def _launch(layout: Layout) -> Iterator[str]:
    each = NODE if layout.chips % NODE == 0 else layout.chips
    yield f"torchrun --nproc-per-node={each} --nnodes={layout.chips // each} pretrain_gpt.py"


def _degrees(run: Run, layout: Layout, missing: Lacking) -> Iterator[str]:
    yield f"--tensor-model-parallel-size {layout.tp} --pipeline-model-parallel-size {layout.pp}"
    if layout.vpp > 1:
        yield f"--num-virtual-stages-per-pipeline-rank {layout.vpp}"
    if layout.sequence_parallel:
        yield "--sequence-parallel"
    if layout.cp > 1:
        yield f"--context-parallel-size {layout.cp}"
    if layout.ep > 1:
        yield f"--expert-model-parallel-size {layout.ep}"
    if layout.etp > 1 or layout.ep > 1:
        yield f"--expert-tensor-parallel-size {layout.etp}"
    if layout.zero == 1:
        yield "--use-distributed-optimizer"
    elif layout.zero > 1:
        yield f"--use-megatron-fsdp --data-parallel-sharding-strategy {SHARDING[layout.zero]}"
    yield from _split(run, layout, missing)


def _split(run: Run, layout: Layout, missing: Lacking) -> Iterator[str]:
    """How layers are shared out among stages."""
    if run.ends:
        yield "--account-for-embedding-in-pipeline-split --account-for-loss-in-pipeline-split"
    if not run.split:
        return
    middle = run.split[1:-1]
    if layout.vpp > 1 or len(set(middle)) > 1:
        missing["split"] = f"stages of {run.split} layers: give them with --pipeline-model-parallel-layout"
        return
    yield (
        f"--num-layers {sum(run.split)} --decoder-first-pipeline-num-layers {run.split[0]} "
        f"--decoder-last-pipeline-num-layers {run.split[-1]}"
    )


def _batch(run: Run, layout: Layout) -> Iterator[str]:
    yield f"--micro-batch-size {layout.micro_batch} --global-batch-size {run.batch} --seq-length {run.sequence}"


def _recipe(run: Run, layout: Layout, missing: Lacking) -> Iterator[str]:
    recipe = run.recipe
    if recipe.compute in {"bf16", "fp16"}:
        yield f"--{recipe.compute}"
    if recipe.gradients == "fp32" and recipe.compute != "fp32":
        yield "--accumulate-allreduce-grads-in-fp32"
    elif recipe.gradients == "bf16":
        yield "--grad-reduce-in-bf16"
    if recipe.matmul == "fp8":
        yield "--fp8-format hybrid"
    elif recipe.matmul:
        missing["matmul"] = f"products in {recipe.matmul}: give its recipe by hand"
    if recipe.fused_loss:
        yield "--cross-entropy-loss-fusion"
    if not recipe.dropout:
        yield "--hidden-dropout 0.0 --attention-dropout 0.0"
    yield from _recomputed(run, missing)
    if layout.offload_optimizer:
        yield f"--optimizer-cpu-offload --optimizer-offload-fraction {layout.offload_optimizer:g}"
    if layout.offload_layers:
        yield f"--cpu-offloading-num-layers {layout.offload_layers}"
    if recipe.execution.overlap_tensor and layout.tp > 1:
        yield "--tp-comm-overlap"
    if layout.dp > 1:
        yield "--overlap-grad-reduce" + (" --overlap-param-gather" if layout.zero else "")


def _recomputed(run: Run, missing: Lacking) -> Iterator[str]:
    policies = [policy for policy in run.recipe.recompute if policy != "none"]
    if "full" in policies:
        yield "--recompute-granularity full --recompute-method uniform --recompute-num-layers 1"
        return
    unknown = [policy for policy in policies if policy not in MODULES]
    if unknown:
        missing["recompute"] = f"{' and '.join(unknown)}: no module of Megatron-LM's does that"
    named = [MODULES[policy] for policy in policies if policy in MODULES]
    if named:
        yield f"--recompute-granularity selective --recompute-modules {' '.join(named)}"
