"""What was measured as rows of tables: the columns that `isoflop validate training` and `validate serving` read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isoflop.measure.clock import Measured
    from isoflop.measure.machine import Machine

SOURCE = "isoflop measure"

TRAINING_COLUMNS = (
    "id", "source", "gpu", "n_gpus", "gpus_per_node", "model", "n_params", "layers", "hidden", "heads", "kv_heads",
    "head_dim", "ffn", "vocab", "gated_mlp", "seq", "global_batch", "micro_batch", "tp", "pp", "dp", "zero_stage",
    "recompute", "recompute_modules", "precision", "attention_impl", "tokens_per_s_per_gpu", "step_time_s",
    "peak_mem_gb", "memory_kind", "framework", "software_era", "optimizer_dtypes", "remarks", "settings_source",
    "step_time_low_s", "step_time_high_s", "samples", "peak_reserved_gb", "device_memory_gb", "joules", "driver",
    "date", "status",
)  # fmt: skip
"""Those of a training table, then, for people, spread, other kinds of memory, joules a step, versions."""

SERVING_COLUMNS = (
    "id", "source", "source_ref", "date", "model", "model_family", "weight_prec", "kv_prec", "gpu", "gpu_family",
    "n_gpus", "tp", "pp", "ep", "dp", "framework", "framework_version", "scenario", "batch", "concurrency", "isl",
    "osl", "ctx_depth", "ttft_ms", "tpot_ms", "output_tok_s_total", "output_tok_s_per_gpu", "prefill_tok_s",
    "memory_gb", "memory_kind", "power_w_total", "energy_j_per_out_tok", "notes", "low_ms", "high_ms", "samples",
    "driver", "status",
)  # fmt: skip

_STATES = {
    "bf16": "adamw(fused);master=bf16;m=bf16;v=bf16;grad_comm=bf16",
    "mixed": "adamw(fused);master=fp32;m=fp32;v=fp32;grad_comm=fp32",
    "fp32": "adamw(fused);master=fp32;m=fp32;v=fp32;grad_comm=fp32",
    "tf32": "adamw(fused);master=fp32;m=fp32;v=fp32;grad_comm=fp32",
}
_ATTENTION = {
    "flash": "SDPA flash-2",
    "cudnn": "SDPA cuDNN",
    "efficient": "SDPA memory-efficient (fa1)",
    "math": "SDPA unfused",
}


def training_row(one: Measured, machine: Machine) -> dict[str, str]:
    """A row of a training table; `peak_mem_gb` is what the allocator gave to tensors."""
    row: dict[str, object] = {
        **_shape_cells(one),
        **_run_cells(one, machine),
        "id": f"{SOURCE}-{machine.date}".replace(" ", "-"),
        "source": f"{SOURCE}: {machine.name}",
        "gpu": machine.name,
        "settings_source": "the program that measured it: benchmarks/gpu_rows.py",
        "memory_kind": "allocated",
        "peak_mem_gb": _giga(one.figures.get("peak.allocated")),
        "peak_reserved_gb": _giga(one.figures.get("peak.reserved")),
        "device_memory_gb": _giga(one.figures.get("peak.device")),
        **_common(one, machine),
    }
    tokens = one.number("sequence") * one.number("batch") * one.number("pieces")
    if one.timing is not None:
        row |= {
            "step_time_s": f"{one.timing.seconds:.6g}",
            "tokens_per_s_per_gpu": f"{tokens / one.timing.seconds:.6g}",
            "step_time_low_s": f"{one.timing.low:.6g}",
            "step_time_high_s": f"{one.timing.high:.6g}",
            "joules": "" if one.timing.joules is None else f"{one.timing.joules:.5g}",
        }
    return {column: str(row.get(column, "")) for column in TRAINING_COLUMNS}


def _shape_cells(one: Measured) -> dict[str, object]:
    """Columns of the model."""
    names = {"layers": "layers", "heads": "heads", "kv_heads": "kv_heads", "head_dim": "head_width", "ffn": "inner"}
    found: dict[str, object] = {column: one.settings[f"shape.{name}"] for column, name in names.items()}
    return found | {
        "model": one.settings["name"],
        "n_params": one.figures.get("params", ""),
        "hidden": one.settings["shape.width"],
        "vocab": one.settings["shape.vocabulary"],
        "gated_mlp": 1,
        "remarks": "weights tied" if one.settings["shape.tied"] else "",
    }


def _run_cells(one: Measured, machine: Machine) -> dict[str, object]:
    """Columns of how it was run."""
    form, again, torch = str(one.settings["form"]), one.settings["recompute"], machine.versions["torch"]
    return {
        **dict.fromkeys(("n_gpus", "gpus_per_node", "tp", "pp", "dp"), 1),
        "zero_stage": 0,
        "seq": one.settings["sequence"],
        "global_batch": int(one.number("batch") * one.number("pieces")),
        "micro_batch": one.settings["batch"],
        "recompute": "full" if again else "none",
        "recompute_modules": "whole layer" if again else "none",
        "precision": "bf16" if form == "mixed" else form,
        "attention_impl": _ATTENTION.get(str(one.settings["attention"]), "SDPA"),
        "framework": f"plain PyTorch {'autocast ' if form == 'mixed' else ''}{torch} "
        + ("torch.compile of each layer" if one.settings["compile"] else "eager"),
        "software_era": f"PyTorch {torch} ({machine.date[:4]})",
        "optimizer_dtypes": _STATES[form],
    }


def serving_row(one: Measured, machine: Machine) -> dict[str, str]:
    """A row of a serving table: a decoded token at a depth, or a prefill."""
    timing, batch, context = one.timing, int(one.number("batch")), int(one.number("context"))
    decoding = one.what == "decode"
    row: dict[str, object] = {
        "id": f"{SOURCE}-{machine.date}".replace(" ", "-"),
        "source": f"{SOURCE}: {machine.name}",
        "source_ref": "benchmarks/gpu_rows.py",
        "model": one.settings["name"],
        "model_family": one.settings["name"],
        "weight_prec": one.settings["form"],
        "kv_prec": one.settings["form"],
        "gpu": machine.name,
        "gpu_family": machine.name,
        **dict.fromkeys(("n_gpus", "tp", "pp", "ep", "dp"), 1),
        "framework": "PyTorch" + (" with a CUDA graph" if one.settings["graph"] else " eager"),
        "framework_version": machine.versions["torch"],
        "scenario": "static batch, one token at a depth" if decoding else "first-token latency of a static batch",
        "batch": batch,
        "concurrency": batch,
        "isl": 0 if decoding else context,
        "osl": 1,
        "ctx_depth": context if decoding else "",
        "notes": "static cache, argmax; a prefill computes the logits of its last token only",
        "memory_gb": _giga(one.figures.get("allocated")) if decoding else "",
        "memory_kind": "allocated peak of the process so far" if decoding and one.figures else "",
        **_common(one, machine),
    }
    if timing is not None:
        each = batch / timing.seconds
        row |= {"low_ms": f"{timing.low * 1e3:.6g}", "high_ms": f"{timing.high * 1e3:.6g}"}
        row |= {"power_w_total": "" if timing.joules is None else f"{timing.joules / timing.seconds:.5g}"}
        if decoding:
            row |= {"tpot_ms": f"{timing.seconds * 1e3:.6g}"}
            row |= {"energy_j_per_out_tok": "" if timing.joules is None else f"{timing.joules / batch:.5g}"}
        else:
            row |= {"ttft_ms": f"{timing.seconds * 1e3:.6g}", "prefill_tok_s": f"{each * context:.6g}"}
    return {column: str(row.get(column, "")) for column in SERVING_COLUMNS}


def _common(one: Measured, machine: Machine) -> dict[str, object]:
    return {
        "date": machine.date,
        "driver": machine.versions.get("driver", ""),
        "samples": one.timing.samples if one.timing else "",
        "status": one.failed or ("ok" if not machine.busy else f"ok, on a busy machine: {machine.busy}"),
    }


def _giga(value: float | None) -> str:
    return "" if value is None else f"{value / 1e9:.6g}"
