"""torchtitan's job config (TOML), older and newer section names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.training.readers.keys import Keys, tool_keys
from isoflop.training.readers.settings import Settings, named
from isoflop.training.spec import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.training.spec import Policy, Schedule

FORMATS = {"bfloat16": "bf16", "float32": "fp32", "float16": "fp16", "": ""}
SCHEDULES: dict[str, tuple[Schedule, int]] = {
    "": ("1f1b", 1),
    "1f1b": ("1f1b", 1),
    "gpipe": ("gpipe", 1),
    "interleaved1f1b": ("interleaved", 2),
    "zbvzerobubble": ("zero-bubble", 2),
    "interleavedzerobubble": ("zero-bubble", 2),
}
"""Schedules by torch's names, with the chunks of layers a stage."""


def torchtitan(values: Mapping[str, object], file: str) -> Settings:
    """Settings from the keys of a job config."""
    keys = Keys(values, file)
    assumed: list[str] = []
    missing: list[str] = []
    sizes: dict[str, int] = {}
    for key, field in tool_keys()["torchtitan"].sizes.items():
        size = keys.whole(key)
        if size is not None:
            sizes[field] = size
    if sizes.get("tp", 1) > 1:
        sizes["sequence_parallel"] = 1
    schedule = _pipeline(keys, sizes, assumed)
    _data_parallel(keys, sizes)
    local = keys.whole("training.local_batch_size", "training.batch_size") or 8
    sizes["micro_batch"] = _micro_batch(keys, sizes, local)
    batch = keys.whole("training.global_batch_size", least=-1)
    model_name = " ".join(filter(None, (keys.word("model.name"), keys.word("model.flavor"))))
    known = tool_keys()["torchtitan"]
    recipe = _recipe(keys, missing)
    return Settings(
        tool=known.title,
        file=file,
        sizes=sizes,
        recipe=recipe,
        sequence=keys.whole("training.seq_len") or 2048,
        batch=batch if batch is not None and batch > 0 else None,
        accumulation=local // sizes["micro_batch"],
        model=named(model_name.replace(" ", "-")),
        model_name=model_name,
        schedule=schedule,
        not_understood=keys.unread(known.inert),
        not_modelled=tuple(missing),
        assumed=tuple(assumed),
    )


def _pipeline(keys: Keys, sizes: dict[str, int], assumed: list[str]) -> Schedule:
    """The schedule, and the chunks a stage where it interleaves."""
    name = keys.word("parallelism.pipeline_parallel_schedule", "experimental.pipeline_parallel_schedule")
    schedule, chunks = SCHEDULES.get(name, ("1f1b", 1))
    if sizes.get("pp", 1) == 1:
        return "1f1b"
    if name not in SCHEDULES:
        assumed.append(f"pipeline schedule {name}: taken as 1F1B")
    if chunks > 1:
        sizes["vpp"] = chunks
    return schedule


def _data_parallel(keys: Keys, sizes: dict[str, int]) -> None:
    """FSDP over the shard degree (-1: whatever is left), replicas beside it (HSDP)."""
    names = ("parallelism", "training")
    shard = keys.whole(*(f"{one}.data_parallel_shard_degree" for one in names), least=-1)
    copies = keys.whole(*(f"{one}.data_parallel_replicate_degree" for one in names)) or 1
    shard = -1 if shard is None else shard
    reshard = keys.word("parallelism.fsdp_reshard_after_forward")
    sizes["zero"] = 0 if shard == 1 else 2 if reshard == "never" else 3
    if shard > 0:
        sizes["dp"] = shard * copies
        if copies > 1:
            sizes["shard"] = shard * sizes.get("cp", 1)


def _micro_batch(keys: Keys, sizes: Mapping[str, int], local: int) -> int:
    """Sequences at once: all of a rank's, or a pipeline's micro-batch."""
    given = keys.whole("parallelism.pipeline_parallel_microbatch_size")
    pieces = keys.whole("experimental.pipeline_parallel_microbatches")
    pp = sizes.get("pp", 1)
    if pp == 1:
        return local
    if given:
        return given
    return max(1, local // (pieces or pp * sizes.get("vpp", 1)))


def _recipe(keys: Keys, missing: list[str]) -> Recipe:
    compiled = bool(keys.flag("training.compile", "compile.enable"))
    kept = FORMATS.get(keys.word("training.dtype"), "") or "fp32"
    compute = FORMATS.get(keys.word("training.mixed_precision_param"), "") or "bf16"
    reduce = FORMATS.get(keys.word("training.mixed_precision_reduce"), "") or "fp32"
    if keys.flag("training.enable_cpu_offload", "experimental.enable_cpu_offload"):
        missing.append("enable_cpu_offload: weights, gradients and optimizer states in host memory")
    if keys.flag("float8.enable_fp8_linear", "float8.enable_float8_linear"):
        missing.append("float8 products: no tensor is kept in fp8")
    optimizer = keys.word("optimizer.name")
    if optimizer not in {"", "adam", "adamw"}:
        missing.append(f"optimizer {optimizer}: taken as Adam")
    return Recipe(
        name="fsdp",
        engine="fsdp-compiled" if compiled else "fsdp",
        weights=kept,
        gradients=kept,
        master="none",
        states=(kept, kept),
        reduce=reduce,
        compute=compute,
        recompute=_recompute(keys, missing),
    )


def _recompute(keys: Keys, missing: list[str]) -> tuple[Policy, ...]:
    mode = keys.word("activation_checkpoint.mode")
    option = keys.word("activation_checkpoint.selective_ac_option")
    match mode:
        case "none":
            return ("none",)
        case "full":
            return ("full",)
        case "" | "selective":
            if option.isdigit() and int(option) > 1:
                missing.append(f"every {option}th layer recomputed: taken as the policy 'op'")
            if option == "1":
                return ("full",)
            return ("every-second-matmul",)
        case _:
            raise keys.wrong(("activation_checkpoint.mode",), mode, "none, selective or full")
