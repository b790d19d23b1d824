"""axolotl's config (YAML): full fine-tuning, LoRA and QLoRA, alone or under FSDP or DeepSpeed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isoflop.errors import BadFile
from isoflop.training.readers.keys import Keys, tool_keys
from isoflop.training.readers.settings import Settings, named
from isoflop.training.spec import Adapter, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

TARGETS: dict[str, tuple[str, ...]] = {
    "q_proj": ("q",), "k_proj": ("k",), "v_proj": ("v",), "o_proj": ("o",), "gate_proj": ("gate",), "up_proj": ("up",),
    "down_proj": ("down",), "qkv_proj": ("q", "k", "v"), "gate_up_proj": ("gate", "up"), "dense": ("o",),
    "query_key_value": ("q", "k", "v"), "c_attn": ("q", "k", "v"), "fc1": ("up",), "fc2": ("down",),
    "w1": ("gate",), "w2": ("down",), "w3": ("up",), "out_proj": ("o",), "c_proj": ("o", "down"), "c_fc": ("up",),
}  # fmt: skip
"""Modules as transformers calls them -> weights as isoflop does."""

EVERY = ("q", "k", "v", "o", "gate", "up", "down")
ADAPTERS = ("", "lora", "qlora")
_STAGE = re.compile(r"zero[_-]?([0-3])")


def axolotl(values: Mapping[str, object], file: str) -> Settings:
    """Settings from the keys of a config."""
    keys = Keys(values, file)
    assumed: list[str] = []
    missing: list[str] = []
    sizes: dict[str, int | float] = {}
    name = str(keys.get("base_model") or "")
    micro, steps = keys.whole("micro_batch_size") or 1, keys.whole("gradient_accumulation_steps") or 1
    whole = keys.whole("batch_size")
    if whole and whole % micro:
        raise BadFile(f"{file}: batch_size = {whole} is no multiple of micro_batch_size = {micro}.")
    sizes["micro_batch"] = micro
    for key, field in (
        ("tensor_parallel_size", "tp"),
        ("sequence_parallel_degree", "cp"),
        ("context_parallel_size", "cp"),
        ("dp_shard_size", "shard"),
    ):
        size = keys.whole(key)
        if size and size > 1:
            sizes[field] = size
    if keys.has("dp_replicate_size") and "shard" in sizes:
        sizes["dp"] = int(sizes["shard"]) * (keys.whole("dp_replicate_size") or 1)
    engine = _sharding(keys, sizes, assumed, missing)
    recipe = _recipe(keys, engine, missing)
    known = tool_keys()["axolotl"]
    return Settings(
        tool=known.title,
        file=file,
        sizes=sizes,
        recipe=recipe,
        sequence=keys.whole("sequence_len"),
        accumulation=steps if not whole else whole // micro,
        model=named(name),
        model_name=name,
        not_understood=keys.unread(known.inert),
        not_modelled=tuple(missing),
        assumed=tuple(assumed),
    )


def _sharding(keys: Keys, sizes: dict[str, int | float], assumed: list[str], missing: list[str]) -> str:
    """The engine, and the stage of ZeRO that goes with it."""
    shipped = keys.word("deepspeed")
    fsdp = keys.texts("fsdp")
    if shipped and fsdp:
        raise BadFile(f"{keys.file}: deepspeed and fsdp are both given; a run has one of them.")
    if shipped:
        stage = _STAGE.search(shipped)
        if stage is None:
            missing.append(f"deepspeed {shipped}: another file; read it by itself")
        else:
            assumed.append(f"ZeRO-{stage[1]}, from the name of {shipped}")
        sizes["zero"] = int(stage[1]) if stage else 2
        if "cpuoffload" in shipped or "offload" in shipped:
            sizes["offload_optimizer"] = 1.0
        return "deepspeed"
    if fsdp or any(key.startswith("fsdp_config.") for key in keys.values) or "shard" in sizes:
        again = keys.flag("fsdp_config.reshard_after_forward", "fsdp_config.fsdp_reshard_after_forward")
        strategy = keys.word("fsdp_config.fsdp_sharding_strategy", "fsdp_config.sharding_strategy")
        keys.get("fsdp_version", "fsdp_config.fsdp_version")
        sizes["zero"] = 2 if "shard_grad_op" in (*fsdp, strategy) or again is False else 3
        if keys.flag("fsdp_config.fsdp_offload_params", "fsdp_config.offload_params") or "offload" in fsdp:
            sizes["offload_optimizer"] = 1.0
            missing.append("offload_params: weights and gradients in host memory")
        return "fsdp"
    return "torch"


def _recipe(keys: Keys, engine: str, missing: list[str]) -> Recipe:
    half = "fp16" if keys.flag("fp16") or keys.flag("float16") else "bf16" if _wants_bf16(keys) else ""
    compute = half or "fp32"
    adapter = _adapter(keys, compute, missing)
    states = _states(keys, "fp32" if adapter else compute, missing)
    again = keys.word("gradient_checkpointing")
    recompute = again not in {"", "false"} or bool(
        keys.flag("fsdp_config.fsdp_activation_checkpointing", "fsdp_config.activation_checkpointing")
    )
    if again.startswith("offload") or keys.flag("activation_offloading"):
        missing.append("offloaded activations: inputs of layers in host memory")
    fused = any([keys.flag(name) for name in _FUSED_LOSS])  # noqa: C419 - each is read
    implementation = keys.word("attn_implementation")
    plain = keys.flag("eager_attention") or implementation == "eager"
    for name in ("flash_attention", "sdp_attention", "xformers_attention", "flex_attention", "s2_attention"):
        keys.flag(name)
    copies = engine == "deepspeed" and half and not adapter
    return Recipe(
        name="adapter" if adapter else "full",
        engine="fsdp-compiled" if engine == "fsdp" and keys.word("torch_compile") == "true" else engine,
        weights="fp32" if adapter else compute,
        gradients="fp32" if adapter else compute,
        master="fp32" if copies else "none",
        states=("fp32", "fp32") if copies and states[0] != "int8" else states,
        reduce="fp32" if adapter else compute,
        compute=compute,
        recompute=("full",) if recompute else ("none",),
        fused_attention=not plain,
        fused_loss=fused,
        adapter=adapter,
    )


_FUSED_LOSS = (
    "cut_cross_entropy", "liger_fused_linear_cross_entropy", "unsloth_cross_entropy_loss", "chunked_cross_entropy",
    "flash_attn_cross_entropy", "liger_cross_entropy",
)  # fmt: skip


def _wants_bf16(keys: Keys) -> bool:
    """`bf16: auto` takes it where the device can."""
    keys.get("bf16", "bfloat16")
    return str(keys.values.get("bf16", keys.values.get("bfloat16", ""))).lower() in {"auto", "true", "full", "1"}


def _adapter(keys: Keys, compute: str, missing: list[str]) -> Adapter | None:
    kind = keys.word("adapter")
    in_4, in_8 = keys.flag("load_in_4bit"), keys.flag("load_in_8bit")
    rank, targets = keys.whole("lora_r"), keys.texts("lora_target_modules")
    every = keys.flag("lora_target_linear")
    if kind not in ADAPTERS:
        raise keys.wrong(("adapter",), kind, "lora or qlora")
    if not kind:
        if in_4 or in_8:
            raise BadFile(
                f"{keys.file}: load_in_4bit or load_in_8bit without an adapter: such weights are not trained."
            )
        return None
    unknown = [one for one in targets if one.rpartition(".")[2] not in TARGETS]
    if unknown:
        missing.append(f"lora_target_modules {', '.join(unknown)}")
    chosen = tuple(dict.fromkeys(name for one in targets for name in TARGETS.get(one.rpartition(".")[2], ())))
    base = "nf4" if in_4 or (kind == "qlora" and in_4 is None) else "int8" if in_8 else compute
    return Adapter(rank=rank or 8, targets=EVERY if every else chosen or ("q", "v"), base=base)


def _states(keys: Keys, kept: str, missing: list[str]) -> tuple[str, ...]:
    """Formats of the optimizer's states; they follow the weights' unless it keeps its own."""
    name = keys.word("optimizer") or "adamw_torch"
    if "8bit" in name:
        return ("int8", "int8")
    if "adam" in name:
        return (kept, kept)
    if name in {"sgd", "lion", "lion_pytorch", "muon"}:
        return (kept,)
    missing.append(f"optimizer {name}: taken as Adam")
    return (kept, kept)
