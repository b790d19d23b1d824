"""Rows to try: a table of a few, as text."""

from __future__ import annotations

import csv
from io import StringIO

from isoflop.accuracy import Row, parse_rows

MEGATRON = {
    "id": "m1", "source": "somebody", "gpu": "B200", "n_gpus": "8", "model": "seventy", "layers": "12",
    "hidden": "8192", "heads": "64", "kv_heads": "8", "head_dim": "128", "ffn": "28672", "vocab": "128256",
    "gated_mlp": "1", "seq": "4096", "global_batch": "16", "micro_batch": "1", "tp": "2", "pp": "1", "vpp": "1",
    "cp": "1", "ep": "1", "dp": "4", "sp": "1", "zero_stage": "1", "recompute": "none", "precision": "bf16",
    "optimizer_dtypes": "adam;grad_comm=fp32", "framework": "Megatron-LM", "software_era": "2026-04",
    "memory_kind": "allocated", "peak_mem_gb": "65.155",
}  # fmt: skip
TORCHTITAN = {
    "id": "t1", "source": "others", "gpu": "H100-SXM-80GB", "n_gpus": "8", "model": "eight", "layers": "32",
    "hidden": "4096", "heads": "32", "kv_heads": "8", "head_dim": "128", "ffn": "14336", "vocab": "128256",
    "gated_mlp": "1", "seq": "8192", "global_batch": "16", "micro_batch": "2", "tp": "1", "pp": "1", "dp": "8",
    "zero_stage": "3", "dp_shard": "fsdp", "recompute": "full", "precision": "bf16", "attention_impl": "SDPA flash",
    "optimizer_dtypes": "adamw;master=fp32;m=fp32;v=fp32;grad_comm=fp32", "framework": "torchtitan",
    "software_era": "torchtitan 2024-12", "memory_kind": "reserved",
}  # fmt: skip
MIXTURE = MEGATRON | {
    "id": "x1", "layers": "4", "hidden": "7168", "heads": "128", "kv_heads": "128", "head_dim": "", "ffn": "2048",
    "vocab": "129280", "experts": "256", "top_k": "8", "tp": "1", "sp": "0", "dp": "8", "ep": "8", "global_batch": "32",
}  # fmt: skip


def table(*rows: dict[str, str]) -> str:
    """The rows as CSV text."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    out = StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def rows_of(*rows: dict[str, str]) -> tuple[Row, ...]:
    """The rows as they are read."""
    return parse_rows(table(*rows), "rows.csv").rows


def row_of(base: dict[str, str], **changes: str) -> Row:
    """One row with cells changed."""
    return rows_of(base | changes)[0]
