"""torchtitan's job config (TOML): the sections of batch, parallelism and recomputation; model and data are yours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.training.export.lacking import Lacking, lacking

if TYPE_CHECKING:
    from isoflop.training.spec import Layout, Run

FORMATS = {"bf16": "bfloat16", "fp32": "float32", "fp16": "float16"}
SCHEDULES = {
    (1, "1f1b"): "1F1B",
    (1, "gpipe"): "GPipe",
    (2, "1f1b"): "Interleaved1F1B",
    (2, "interleaved"): "Interleaved1F1B",
}
MODES = {"none": "none", "full": "full", "every-second-matmul": "selective"}

Section = dict[str, str | int | bool]


def torchtitan(run: Run, layout: Layout) -> tuple[str, Lacking]:
    """The sections of a job config."""
    missing = lacking(layout, "torchtitan has no such switch", "offload_optimizer", "offload_layers")
    parallelism = _parallelism(run, layout, missing)
    sections: dict[str, Section] = {
        "training": _training(run, layout),
        "parallelism": parallelism,
        "activation_checkpoint": _recomputed(run, missing),
        "compile": {"enable": run.recipe.engine == "fsdp-compiled"},
    }
    if run.recipe.matmul == "fp8":
        sections["float8"] = {"enable_fsdp_float8_all_gather": layout.zero >= 2}
    elif run.recipe.matmul:
        missing["matmul"] = f"products in {run.recipe.matmul}: give its converter by hand"
    return "\n".join(_written(name, section) for name, section in sections.items()), missing


def _written(name: str, section: Section) -> str:
    def said(value: str | int | bool) -> str:  # noqa: FBT001 - a value of TOML
        return f'"{value}"' if isinstance(value, str) else str(value).lower()

    return "\n".join([f"[{name}]", *(f"{key} = {said(value)}" for key, value in section.items()), ""])


def _training(run: Run, layout: Layout) -> Section:
    """A rank's sequences at once: a micro-batch, or all of a pipeline's."""
    local = layout.micro_batch if layout.pp == 1 else run.batch // layout.dp
    section: Section = {"local_batch_size": local, "global_batch_size": run.batch, "seq_len": run.sequence}
    section |= {
        "dtype": FORMATS.get(run.recipe.weights, "float32"),
        "mixed_precision_param": FORMATS.get(run.recipe.compute, "bfloat16"),
        "mixed_precision_reduce": FORMATS.get(run.recipe.reduce, "float32"),
    }
    return section


def _parallelism(run: Run, layout: Layout, missing: Lacking) -> Section:
    group, copies = layout.dp, 1
    if layout.zero == 0:
        group, copies = 1, layout.dp
    elif layout.shard and layout.shard < layout.dp * layout.cp:
        if layout.shard % layout.cp or layout.shard == layout.cp:
            missing["shard"] = f"groups of {layout.shard} are no two or more whole groups of cp = {layout.cp}"
        else:
            group, copies = layout.shard // layout.cp, layout.dp * layout.cp // layout.shard
    elif layout.dp == 1 and layout.cp > 1:
        missing["zero"] = "torchtitan shards over cp too wherever it shards; nothing has to be said"
    if layout.zero == 1:
        missing["zero"] = "ZeRO-1 alone is asked for; written as FSDP that keeps weights gathered (ZeRO-2)"
    section: Section = {
        "data_parallel_replicate_degree": copies,
        "data_parallel_shard_degree": group,
        "fsdp_reshard_after_forward": "always" if layout.zero == 3 else "never",
        "tensor_parallel_degree": layout.tp,
        "context_parallel_degree": layout.cp,
        "pipeline_parallel_degree": layout.pp,
    }
    if layout.tp > 1 and not layout.sequence_parallel:
        missing["sequence_parallel"] = "torchtitan's tensor parallelism always splits norms too"
    if layout.ep > 1:
        section |= {"expert_parallel_degree": layout.ep, "expert_tensor_parallel_degree": layout.etp}
    elif layout.etp > 1:
        missing["etp"] = "needs expert parallelism"
    if layout.pp > 1:
        section |= _pipeline(run, layout, missing)
    return section


def _pipeline(run: Run, layout: Layout, missing: Lacking) -> Section:
    schedule = SCHEDULES.get((layout.vpp, run.schedule.replace("interleaved", "1f1b")))
    if schedule is None:
        missing["vpp"] = f"{layout.vpp} chunks a stage, {run.schedule}: set layers a stage by hand"
        schedule = "Interleaved1F1B" if layout.vpp > 1 else "1F1B"
    if run.split or run.ends:
        missing["split"] = "uneven stages: name their modules with module_fqns_per_model_part"
    return {"pipeline_parallel_schedule": schedule, "pipeline_parallel_microbatch_size": layout.micro_batch}


def _recomputed(run: Run, missing: Lacking) -> Section:
    policies = run.recipe.recompute
    mode = MODES.get(policies[0] if len(policies) == 1 else "")
    if mode is None:
        missing["recompute"] = f"{' and '.join(policies)}: torchtitan has none, full and selective"
        mode = "selective"
    section: Section = {"mode": mode}
    return section | ({"selective_ac_option": "op"} if mode == "selective" else {})
