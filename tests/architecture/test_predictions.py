"""A prediction never reads what was measured.

Rows of measured runs hold settings (device, model, layout) beside targets (step time, throughput, memory). Rooms below
`accuracy` may compute a quantity of the same name, but never look such a column up in a row: that would be copying the
answer. So below `accuracy` no table of measured rows is opened, and no target column is used as a key.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.house import Module, level_of, modules

from isoflop.quantity import quantities

# Rooms that read measured numbers by trade: laws are fitted on runs, profiles on measurements.
READERS_OF_ROWS = {
    "laws": "reads training runs (size, tokens, loss) to fit scaling laws; loss there is its input",
    "hardware": "skypilot.py reads price lists, which hold no measured run",
}

# Columns of measured rows that are targets, whatever stands after these beginnings.
TARGETS = re.compile(
    r"^(step_time\w*|tokens_per_s(_\w+)?|tflops\w*|mfu_\w+|hfu_\w+|peak_mem\w*|ttft\w*|tpot\w*|output_tok\w*|"
    r"prefill_tok\w*|energy_j\w*|power_w\w*|weights_gib\w*|kv_gib\w*|kv_tokens|gpu_blocks|max_concurrency|"
    r"activation_gib|cudagraph_gib|nontorch_gib|memory_gb|measured_\w+)$"
)


def is_target(key: str) -> bool:
    """Whether `key` names a measured column; a quantity of the glossary is a word of ours and may be looked up."""
    return TARGETS.match(key) is not None and key not in quantities()


def below_accuracy() -> list[Module]:
    top = level_of("accuracy")
    return [module for module in modules() if level_of(module.room) < top]


def keys_looked_up(module: Module) -> list[tuple[int, str]]:
    """String keys of `row["key"]`, `row.get("key")` and `getattr(row, "key")`, with their lines."""
    keys = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            candidates = [node.slice]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"get", "pop"}:
            candidates = list(node.args[:1])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            candidates = list(node.args[1:2])
        else:
            continue
        keys += [
            (item.lineno, item.value)
            for item in candidates
            if isinstance(item, ast.Constant) and isinstance(item.value, str)
        ]
    return keys


def imports_csv(module: Module) -> bool:
    plain = {alias.name for node in ast.walk(module.tree) if isinstance(node, ast.Import) for alias in node.names}
    from_other = {node.module for node in ast.walk(module.tree) if isinstance(node, ast.ImportFrom)}
    return bool((plain | from_other) & {"csv", "pandas", "duckdb", "polars"})


def test_no_target_column_is_looked_up_below_accuracy() -> None:
    found = [
        f"{module.name}:{line}: {key}"
        for module in below_accuracy()
        for line, key in keys_looked_up(module)
        if is_target(key)
    ]
    assert not found


def test_no_table_of_rows_is_opened_below_accuracy() -> None:
    found = [
        module.name
        for module in below_accuracy()
        if module.room not in READERS_OF_ROWS and (imports_csv(module) or "accuracy/rows" in module.text)
    ]
    assert not found


def test_the_scan_would_notice() -> None:
    source = 'def f(row):\n    return row["step_time_s"] + float(row.get("mfu_pct")) + getattr(row, "ttft_ms")\n'
    module = Module(name="isoflop.training.step", path=Path("step.py"), text=source, tree=ast.parse(source))
    assert {key for _, key in keys_looked_up(module) if is_target(key)} == {"step_time_s", "mfu_pct", "ttft_ms"}
    assert imports_csv(Module(name="x", path=Path("x.py"), text="", tree=ast.parse("import csv")))
