"""Megatron-LM's command line, and the same settings as NeMo and Megatron-Bridge write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.errors import BadFile
from isoflop.training.readers.keys import Keys, tool_keys
from isoflop.training.readers.megatron_model import model_of
from isoflop.training.readers.settings import Settings, check_world
from isoflop.training.spec import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.training.spec import Policy

MODULES: dict[str, Policy] = {
    "core_attn": "core-attention",
    "core-attn": "core-attention",
    "layernorm": "norms",
    "moe_act": "activations",
    "mla_up_proj": "latent-up",
    "mlp": "mlp",
    "moe": "mlp",
}
"""Modules of selective recomputation."""

SHARDING = {"no_shard": 0, "optim": 1, "optim_grads": 2, "optim_grads_params": 3}
FORMATS = {"fp32": "fp32", "bf16": "bf16", "fp16": "fp16", "fp8": "fp8"}


def megatron(values: Mapping[str, object], file: str) -> Settings:
    """Settings from flags (`tensor-model-parallel-size`) and their values."""
    return _settings(Keys(values, file), "megatron", file)


def nemo(values: Mapping[str, object], file: str) -> Settings:
    """Settings from the nested keys of NeMo or Megatron-Bridge: the last part of a key is Megatron's flag."""
    found: dict[str, object] = {}
    written: dict[str, str] = {}
    for key in sorted(values, key=lambda one: (not one.startswith(("model", "train.", "ddp", "strategy")), one)):
        short = "optimizer" if key.endswith("optim.name") else key.rpartition(".")[2].lower().replace("_", "-")
        if short not in found:
            found[short], written[short] = values[key], key
    return _settings(Keys(found, file, written), "nemo", file)


def _settings(keys: Keys, tool: str, file: str) -> Settings:
    assumed: list[str] = []
    missing: list[str] = []
    sizes = {
        field: size
        for key, field in tool_keys()["megatron"].sizes.items()
        if (size := keys.whole(key, least=0 if field == "offload_layers" else 1)) is not None
    }
    model = model_of(keys, sizes.get("tp", 1))
    layers = keys.whole("num-layers")
    sizes |= _stages(keys, sizes, layers)
    sizes["zero"] = _zero(keys)
    if keys.flag("sequence-parallel") and sizes.get("tp", 1) > 1:
        sizes["sequence_parallel"] = 1
    share = _offloaded(keys)
    chips = _world(keys, sizes)
    split, ends = _split(keys, sizes, layers)
    recipe = _recipe(keys, assumed, missing)
    return Settings(
        tool=tool_keys()[tool].title,
        file=file,
        sizes={**sizes, **({"offload_optimizer": share} if share else {})},
        recipe=recipe,
        sequence=keys.whole("seq-length", "encoder-seq-length", "sequence-length"),
        batch=keys.whole("global-batch-size"),
        chips=chips,
        model=model,
        schedule="interleaved" if sizes.get("vpp", 1) > 1 else "1f1b",
        split=split,
        ends=ends,
        not_understood=keys.unread((*tool_keys()["megatron"].inert, *_written(keys, tool))),
        not_modelled=tuple(missing),
        assumed=tuple(assumed),
    )


def _written(keys: Keys, tool: str) -> tuple[str, ...]:
    """Names that are inert by how they are written in the file."""
    from fnmatch import fnmatchcase

    patterns = tool_keys()[tool].inert
    return tuple(
        key for key, path in keys.written.items() if any(fnmatchcase(path.lower(), pattern) for pattern in patterns)
    )


def _stages(keys: Keys, sizes: Mapping[str, int], layers: int | None) -> dict[str, int]:
    """Chunks of layers a stage: stated as such, or by how many layers one has."""
    pp = sizes.get("pp", 1)
    vpp = keys.whole("num-virtual-stages-per-pipeline-rank", "virtual-pipeline-model-parallel-size")
    each = keys.whole("num-layers-per-virtual-pipeline-stage")
    if each and layers:
        if layers % (pp * each):
            raise BadFile(
                f"{keys.file}: num-layers-per-virtual-pipeline-stage = {each}: {pp} stages of such chunks do "
                f"not make up num-layers = {layers}."
            )
        vpp = layers // (pp * each)
    return {"vpp": vpp} if vpp else {}


def _zero(keys: Keys) -> int:
    """The stage of ZeRO."""
    fsdp = keys.flag("use-torch-fsdp2", "use-megatron-fsdp", "use-custom-fsdp")
    strategy = keys.word("data-parallel-sharding-strategy")
    if strategy:
        if strategy not in SHARDING:
            raise keys.wrong(("data-parallel-sharding-strategy",), strategy, f"one of {', '.join(SHARDING)}")
        if fsdp is not False:
            return SHARDING[strategy]
    if fsdp:
        return 3
    distributed = "distributed" in keys.word("optimizer")
    return 1 if keys.flag("use-distributed-optimizer") or distributed else 0


def _offloaded(keys: Keys) -> float:
    """Share of the optimizer states in host memory."""
    share = keys.number("optimizer-offload-fraction")
    return (1.0 if share is None else share) if keys.flag("optimizer-cpu-offload") else 0.0


def _world(keys: Keys, sizes: Mapping[str, int]) -> int | None:
    """Ranks of the whole run, from the launcher's flags, the script's variables or the trainer."""
    total = keys.whole("world-size", "env.WORLD_SIZE", "num-gpus")
    each = keys.whole("nproc-per-node", "env.GPUS_PER_NODE", "env.NPROC_PER_NODE", "devices")
    nodes = keys.whole("nnodes", "env.NNODES", "env.NUM_NODES", "num-nodes")
    world = total or (each * (nodes or 1) if each else None)
    inner = sizes.get("tp", 1) * sizes.get("pp", 1) * sizes.get("cp", 1)
    check_world(keys.file, "world size", world, inner)
    batch = keys.whole("global-batch-size")
    if world and batch:
        step = sizes.get("micro_batch", 1) * (world // inner)
        if batch % step:
            raise BadFile(
                f"{keys.file}: global-batch-size = {batch} is no multiple of micro-batch-size x data-parallel ranks = "
                f"{sizes.get('micro_batch', 1)} x {world // inner}."
            )
    return world


def _split(keys: Keys, sizes: Mapping[str, int], layers: int | None) -> tuple[tuple[int, ...], int]:
    """Layers of each stage where they are not shared out evenly."""
    first = keys.whole("decoder-first-pipeline-num-layers", "num-layers-in-first-pipeline-stage")
    last = keys.whole("decoder-last-pipeline-num-layers", "num-layers-in-last-pipeline-stage")
    ends = keys.flag("account-for-embedding-in-pipeline-split"), keys.flag("account-for-loss-in-pipeline-split")
    if any(ends):
        return (), 1
    if not (first or last) or not layers:
        return (), 0
    pp = sizes.get("pp", 1)
    between = pp - (first is not None) - (last is not None)
    rest = layers - (first or 0) - (last or 0)
    if between < 1 or rest < between or rest % between:
        raise BadFile(
            f"{keys.file}: decoder-first/last-pipeline-num-layers leave {rest} layers for {between} stages in between."
        )
    middle = [rest // between] * between
    return (*([first] if first else []), *middle, *([last] if last else [])), 0


def _recipe(keys: Keys, assumed: list[str], missing: list[str]) -> Recipe:
    precision = keys.word("precision", "mixed-precision", "params-dtype")
    half = "bf16" if keys.flag("bf16") or "bf16" in precision else ""
    half = half or ("fp16" if keys.flag("fp16") or precision.startswith("16") or "fp16" in precision else "")
    compute = half or "fp32"
    if keys.get("fp8-format", "fp8-recipe", "fp8", "fp4-format", "fp4-recipe") or "fp8" in precision:
        missing.append("work in fp8: copies of weights and kept inputs in it")
        compute = half or "bf16"
    gradients = _gradients(keys, compute)
    master = _format(keys, "main-params-dtype", "fp32")
    states: tuple[str, ...] = (_format(keys, "exp-avg-dtype", "fp32"), _format(keys, "exp-avg-sq-dtype", "fp32"))
    optimizer = keys.word("optimizer") or "adam"
    keys.get("use-precision-aware-optimizer", "main-grads-dtype")
    if optimizer == "sgd":
        states = states[:1]
    elif "adam" not in optimizer:
        missing.append(f"optimizer {optimizer}: taken as Adam")
    return Recipe(
        name="megatron",
        engine="megatron",
        weights=compute,
        gradients=gradients,
        master="none" if compute == "fp32" else master,
        states=states,
        reduce=gradients,
        compute=compute,
        recompute=_recompute(keys, missing),
        fused_attention=_fused(keys),
        fused_loss=bool(keys.flag("cross-entropy-loss-fusion")),
        dropout=_dropout(keys, assumed),
    )


def _gradients(keys: Keys, compute: str) -> str:
    """Gradients are summed in fp32 under bf16 unless asked otherwise, in the format of the weights under fp16."""
    in_fp32 = keys.flag("accumulate-allreduce-grads-in-fp32", "grad-reduce-in-fp32")
    if keys.flag("grad-reduce-in-bf16") or (in_fp32 is False and compute != "fp32"):
        return compute
    return "fp32" if in_fp32 or compute == "bf16" else compute


def _format(keys: Keys, name: str, default: str) -> str:
    word = keys.word(name).removeprefix("torch.")
    word = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "uint8": "fp8"}.get(word, word)
    if word and word not in FORMATS:
        raise keys.wrong((name,), word, f"one of {', '.join(FORMATS)}")
    return word or default


def _recompute(keys: Keys, missing: list[str]) -> tuple[Policy, ...]:
    granularity = keys.word("recompute-granularity", "activations-checkpoint-granularity")
    modules = _modules(keys)
    method = keys.word("recompute-method", "activations-checkpoint-method")
    layers = keys.whole("recompute-num-layers", "activations-checkpoint-num-layers", least=0)
    if granularity == "full":
        if method == "block" and layers:
            missing.append(f"recompute-method block with {layers} layers: taken as every layer")
        return ("full",)
    if granularity == "selective" or (not granularity and keys.flag("recompute-activations")):
        unknown = [module for module in modules if module not in MODULES]
        if unknown:
            missing.append(f"recompute-modules {', '.join(unknown)}")
        return tuple(dict.fromkeys(MODULES[one] for one in modules if one in MODULES)) or ("core-attention",)
    if granularity:
        raise keys.wrong(("recompute-granularity",), granularity, "full or selective")
    return ("none",)


def _modules(keys: Keys) -> tuple[str, ...]:
    found = keys.texts("recompute-modules")
    return tuple(piece for one in found for piece in one.split())


def _fused(keys: Keys) -> bool:
    """Transformer Engine and flash attention keep no scores."""
    backend = keys.word("attention-backend").rpartition(".")[2]
    flash = keys.flag("use-flash-attn", "flash-attention")
    implementation = keys.word("transformer-impl")
    if backend:
        return backend not in {"unfused", "local"}
    return bool(flash) or implementation != "local"


def _dropout(keys: Keys, assumed: list[str]) -> bool:
    """Megatron drops out a tenth unless told otherwise; recipes of NeMo do not."""
    given = [keys.number("hidden-dropout"), keys.number("attention-dropout")]
    if given == [None, None]:
        if keys.written:
            return False
        assumed.append("dropout 0.1, Megatron's default: hidden-dropout is not given")
        return True
    return any(value is None or value > 0 for value in given)
