"""Formats and kernels of a row: which recipe its columns say, and what is usual where they say nothing."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from isoflop.accuracy.software import NEVER, month_of
from isoflop.errors import MissingData
from isoflop.training import FORMAT_BYTES, Adapter, Recipe
from isoflop.training.spec import Execution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.accuracy.rows import Settings
    from isoflop.accuracy.software import Software
    from isoflop.training import Policy

LOW_PRECISION = 1.2
"""How far off memory may be in 8 or 4 bit: copies of weights come on top, kept inputs shrink. Not modelled."""

NOT_UNDERSTOOD = 1.1
"""The same for a part of optimizer_dtypes that is not known."""

PRECISIONS: Mapping[str, str] = MappingProxyType(
    {
        "bf16": "bf16", "fp16": "fp16", "fp32": "fp32", "tf32": "tf32", "fp8": "bf16", "mxfp8": "bf16", "nvfp4": "bf16",
        "mxfp4": "bf16",
    }
)  # fmt: skip
"""Value of the column precision -> the format of what is kept; work in 8 or 4 bit keeps 16."""

MATMULS: Mapping[str, str] = MappingProxyType({"fp8": "fp8", "mxfp8": "fp8", "nvfp4": "fp4", "mxfp4": "fp4"})
"""Value of the column precision -> the format of products in layers, where it is not the one that is kept."""

LOW = frozenset({"fp8", "mxfp8", "nvfp4", "mxfp4"})

MODULES: Mapping[str, Policy] = MappingProxyType(
    {
        "core_attn": "core-attention",
        "layernorm": "norms",
        "moe_act": "activations",
        "mla_up_proj": "latent-up",
        "mlp": "mlp",
        "moe": "mlp",
        "shared_experts": "mlp",
    }
)
"""Megatron's names of what selective recomputation can leave out."""

USUALLY_KEPT = 2023
"""The year from which attention kernels leave room enough that large runs recompute little or nothing."""

_PER_OPERATION = "per-op"
_MIXES = MappingProxyType({"PURE": "bf16", "DEFAULT": "fp32"})
"""Composer's ways to mix: the format in which gradients travel."""


class _Formats(NamedTuple):
    weights: str
    gradients: str
    master: str
    states: tuple[str, ...]
    reduce: str


def recipe_of(row: Settings, software: Software, year: int) -> tuple[list[Recipe], list[str], float]:
    """(recipes it may mean, the likeliest first; what they take for granted; a factor for what is not modelled)."""
    if row.precision not in PRECISIONS:
        said = f"'{row.precision}' is none of {', '.join(PRECISIONS)}" if row.precision else "it is empty"
        raise MissingData(f"column precision: {said}")
    assumed: list[str] = []
    compute = PRECISIONS[row.precision]
    formats, widen = _formats(row, software, compute, assumed)
    policies = _recompute(row, software, year, assumed)
    attention = _fused_attention(row, software, year, assumed)
    if row.precision in LOW and software.held == "compute":
        assumed.append(f"copies in {row.precision} are not modelled")
        widen *= LOW_PRECISION
    adapter = None
    if row.flop_convention.lower().startswith("lora"):
        adapter = Adapter(base=compute)
        assumed.append(f"LoRA of rank {adapter.rank} on every matrix")
    found = [
        Recipe(
            name=software.name,
            engine=engine,
            weights=one.weights,
            gradients=one.gradients,
            master=one.master,
            states=one.states,
            reduce=one.reduce,
            compute=compute,
            recompute=recompute,
            matmul=MATMULS.get(row.precision, ""),
            execution=_execution(row, software, year),
            fused_attention=fused,
            fused_loss=software.fused_loss != NEVER and year >= software.fused_loss,
            dropout=year <= software.dropout,
            adapter=adapter,
        )
        for one in formats
        for recompute in policies
        for fused in attention
        for engine in _engines(row, software, assumed)
    ]
    return found, list(dict.fromkeys(assumed)), widen


def _execution(row: Settings, software: Software, year: int) -> Execution:
    """What the columns of mechanisms say of how it ran; what they leave open is usual of the software in its year."""
    said = {"1": True, "0": False}
    return Execution(
        year=year,
        graphs=_graphs(row.cuda_graph),
        overlap_tensor=said.get(row.overlap_tp, False),
        overlap_experts=said.get(row.overlap_ep, False),
        overlap_gradients=said.get(row.overlap_grad, year >= software.overlap_gradients),
        attention=_generation(row.attention_impl.lower(), software, year),
        rails=year >= RAILS,
        host_waits=row.moe_routing.startswith("dropless") and row.moe_dispatcher in {"alltoall", "deepep"},
        rack=row.moe_dispatcher != "alltoall" or (month_of(row.framework, row.software_era) or RACKS) >= RACKS,
        dispatch_once=row.moe_dispatcher in {"deepep", "hybridep"},
    )


RACKS = (2025, 6)
"""The container from which plain all-to-all uses links between servers of a rack; earlier times are those of the
network."""

_CAPTURED = MappingProxyType({"attn": 0.4, "mlp": 0.4, "mamba": 0.3, "moe_router": 0.1, "moe_preprocess": 0.1})
"""Parts of a layer that Transformer Engine captures apart -> about which share of its launches they are."""


def _graphs(said: str) -> float:
    """The share of launches in CUDA graphs, from the column cuda_graph."""
    if said in {"", "none"}:
        return 0.0
    if not said.startswith("te:"):
        return 1.0
    return min(1.0, sum(_CAPTURED.get(part, 0.0) for part in said.removeprefix("te:").split("+")))


RAILS = 2023
"""The year from which data parallelism gathers over the networks of all chips of a node together."""

_GENERATIONS = MappingProxyType({"cudnn": 3, "flash-3": 3, "fa3": 3, "flash-2": 2, "fa2": 2, "triton": 1, "fa1": 1})
"""What a word of the column attention_impl says of the generation of kernels."""


def _generation(said: str, software: Software, year: int) -> int:
    """The generation of fused attention kernels."""
    for word, generation in _GENERATIONS.items():
        if word in said:
            return generation
    return 1 + (year >= software.attention_second) + (year >= software.attention_third)


def _engines(row: Settings, software: Software, assumed: list[str]) -> tuple[str, ...]:
    """The engine, compiled where the settings say so, or where work in 8 bit would not pay without."""
    if not software.compiled:
        return (software.engine,)
    said = f"{row.framework} {row.software_era} {row.cuda_graph}".lower()
    if "compile off" in said or "eager" in said:
        return (software.engine,)
    if "compile" in said or (software.compiles == "fp8" and row.precision in LOW):
        return (software.compiled,)
    assumed.append("not compiled")
    return (software.engine, software.compiled)


def _formats(row: Settings, software: Software, compute: str, assumed: list[str]) -> tuple[list[_Formats], float]:
    """Formats of what is kept for a parameter, from optimizer_dtypes."""
    parts = [part.strip() for part in row.optimizer_dtypes.split(";") if part.strip()]
    given = dict(part.split("=", 1) for part in parts if "=" in part)
    given = {key: value.split(" ")[0] for key, value in given.items()}
    strange = [
        f"{key}={value}" for key, value in given.items() if value not in FORMAT_BYTES and key != "fsdp_mixed_precision"
    ]
    strange += [
        key for key in given if key not in {"master", "m", "v", "grad_comm", "grad_main", "fsdp_mixed_precision"}
    ]
    strange += [part for part in parts if "=" not in part and not part.startswith("adam")]
    if strange:
        assumed.append(f"optimizer_dtypes: {', '.join(strange)} is not modelled")
    given = {key: value for key, value in given.items() if value in FORMAT_BYTES} | {
        "mix": _MIXES.get(given.get("fsdp_mixed_precision", ""), "")
    }
    widen = NOT_UNDERSTOOD if strange else 1.0
    states = (given.get("m", "fp32"), given.get("v", "fp32"))
    reduce = given.get("grad_comm") or given["mix"] or software.reduce
    if software.held == "master":
        shards = given.get("master", "fp32")
        return [_Formats(shards, given.get("grad_main", shards), "none", states, reduce)], widen
    if compute in {"fp32", "tf32"}:
        return [_Formats("fp32", "fp32", "none", states, "fp32")], widen
    gradients = [given["grad_comm"]] if "grad_comm" in given else [software.gradients, _other(software.gradients)]
    if "grad_comm" not in given:
        assumed.append(f"gradients summed in {software.gradients}")
    return [_Formats(compute, one, given.get("master", "fp32"), states, reduce) for one in gradients], widen


def _other(form: str) -> str:
    return "bf16" if form == "fp32" else "fp32"


def _recompute(row: Settings, software: Software, year: int, assumed: list[str]) -> list[tuple[Policy, ...]]:
    """What is computed again; all that may be where the row does not say, the usual of its year first."""
    match row.recompute:
        case "none":
            return [("none",)]
        case "full":
            return [("full",)]
        case "selective":
            return [_selective(row, software, assumed)]
        case "":
            usual: list[tuple[Policy, ...]] = [("none",), ("full",)]
            assumed.append(f"recompute {'none' if year >= USUALLY_KEPT else 'full'}")
            return usual if year >= USUALLY_KEPT else usual[::-1]
        case other:
            raise MissingData(f"column recompute: '{other[:40]}' is none of none, selective, full")


def _selective(row: Settings, software: Software, assumed: list[str]) -> tuple[Policy, ...]:
    if row.recompute_modules.startswith(_PER_OPERATION):
        return ("every-second-matmul",)
    names = [name.strip() for name in row.recompute_modules.split("+") if name.strip()]
    unknown = [name for name in names if name not in MODULES]
    if unknown:
        raise MissingData(f"column recompute_modules: '{unknown[0][:40]}' is none of {', '.join(MODULES)}")
    if not names:
        usual: Policy = "core-attention" if software.held == "compute" else "every-second-matmul"
        assumed.append(f"recompute_modules {usual}")
        return (usual,)
    return tuple(dict.fromkeys(MODULES[name] for name in names))


def _fused_attention(row: Settings, software: Software, year: int, assumed: list[str]) -> tuple[bool, ...]:
    text = row.attention_impl.lower()
    if "unfused" in text or "eager" in text or "materialised" in text:
        return (False,)
    if text:
        return (True,)
    usual = year >= software.fused_attention
    if usual and year >= software.fused_attention + 1:
        return (True,)
    assumed.append(f"attention {'fused' if usual else 'unfused'}")
    return (usual, not usual)
