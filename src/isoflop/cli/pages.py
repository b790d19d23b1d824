"""What the help of commands says beside their own words: headings of options, exit codes, what to see next.

Data for `manual`, loaded when help is asked for or a command is not found.
"""

from __future__ import annotations

COMMAND_SECTIONS = {
    "Ask": ("plan", "solve", "training", "cost", "serving", "compare"),
    "Doubt": ("audit", "check", "validate", "calibrate"),
    "Learn from runs": ("laws", "lab", "runs"),
    "Real weights and machines": ("quantize", "measure"),
    "Look up": ("model", "dtype", "devices", "nodes", "prices", "grids", "data", "quantities", "formulas"),
    "The program": ("web", "config", "schema", "completion", "man"),
}
"""Every command under what it is for."""

SUBCOMMANDS = {
    "calibrate": ("training", "serving"),
    "lab": ("new", "run", "status", "export", "query", "extend"),
    "laws": (
        "fit", "predict", "check", "published", "forms", "compare", "history", "plot", "allocate", "backtest", "design",
        "running",
    ),
    "prices": ("list", "update"),
    "validate": ("training", "serving-memory", "serving", "hours"),
}  # fmt: skip
"""The commands of each group, so that one that is sought elsewhere is found without loading all."""

SECTIONS = {
    "What is asked": (
        "on", "model", "params", "tokens", "loss", "flops", "budget", "deadline", "demand", "mfu", "law", "dtype",
        "target", "allowance", "cells", "sequence", "batch", "context", "concurrency", "rate", "input", "output",
        "ttft", "tpot", "prefix-share", "prefill-tp", "devices", "goodput", "scales", "unique-tokens", "epochs",
        "serve-ratio", "within", "total", "schedule", "warmup", "final", "decay", "like", "run",
    ),
    "Price and place": (
        "price", "commitment", "provider", "region", "as-of", "grid", "api", "use", "serve-tokens", "train-cost",
    ),
    "Money, power and failures": (
        "chip-capital", "lifetime", "utilisation", "electricity-price", "pue", "power-ratio", "wue", "storage-price",
        "checkpoint-rate", "chip-mtbf", "restart-time", "development", "evaluation",
    ),
    "Layout": (
        "dp", "tp", "pp", "vpp", "cp", "ep", "etp", "dcp", "zero", "shard", "micro-batch", "sequence-parallel",
        "offload-layers", "offload-optimizer", "layout", "settings",
    ),
    "Formats and software": (
        "recipe", "engine", "matmul", "recompute", "fused-loss", "lora", "qlora", "graphs", "overlap-tensor",
        "overlap-experts", "weights", "kv", "runtime", "runtime-version", "no-graphs", "memory-fraction", "memory",
        "block-size", "max-sequences", "max-batched-tokens", "draft-tokens", "acceptance", "host-layers",
        "host-experts", "host-bandwidth",
    ),
    "Runs that are read": ("column", "set", "counts", "strict", "best", "table", "map", "runs", "configs", "profile"),
    "The fit": ("fit", "method", "bootstrap", "delta", "fix", "tie", "bound"),
    "Intervals": ("interval", "samples", "seed"),
    "Output": ("check", "explain", "json", "format", "chart", "width", "dark", "out", "export", "help", "version"),
}  # fmt: skip
"""Options by name under the heading of their purpose, in the order in which every help lists them."""

_FIT = ("loss", "weights", "engine")
OWN_SECTIONS = {
    **{(f"laws {name}", option): "The fit" for name in ("fit", "check") for option in (*_FIT, "law")},
    ("laws fit", "profile"): "The fit",
    ("laws predict", "set"): "Runs that are read",
    ("audit", "set"): "What is asked",
    ("laws allocate", "set"): "What is asked",
    ("quantize", "on"): "Output",
    ("measure", "check"): "Options",
    ("measure", "memory"): "Options",
    ("check", "runs"): "Options",
    ("check", "table"): "Options",
    ("check", "map"): "Options",
    ("runs", "table"): "Options",
    ("lab run", "run"): "Options",
    ("lab export", "model"): "Options",
}
"""Where an option of that name belongs elsewhere in one command."""

EXITS = {0: "answered", 2: "bad input: an unknown name, knowns that contradict each other, a broken file"}
"""What every command leaves with."""

_UNKNOWN = "not enough is known, or the catalogue has no such figure; the message says what would do"
_NO = "no value, layout or device can satisfy it; the message says the nearest that can"
OWN_EXITS: dict[str, dict[int, str]] = {
    "plan": {1: "with --check: the run breaks its budget or deadline", 3: _UNKNOWN, 4: _NO},
    "solve": {3: _UNKNOWN, 4: _NO},
    "training": {1: "with --check: it does not fit, or misses the deadline", 3: _UNKNOWN, 4: "it does not fit"},
    "cost": {3: _UNKNOWN, 4: "it does not fit"},
    "serving": {1: "with --check: it does not fit, or misses a limit", 3: _UNKNOWN, 4: "it does not fit"},
    "compare": {3: _UNKNOWN},
    "audit": {1: "something is wrong", 3: _UNKNOWN},
    "check": {1: "the claims contradict each other", 3: "nothing tests them"},
    "calibrate training": {3: "no row can be used"},
    "calibrate serving": {3: "no row can be used"},
    "measure": {3: "torch or the device is not there"},
    "validate training": {3: "no row could be predicted"},
    "validate serving": {3: "no row could be predicted"},
    "validate serving-memory": {3: "no row could be predicted"},
    "validate hours": {3: "no row could be predicted"},
    "laws fit": {1: "with --check: a check fails", 3: "the runs cannot carry the law; the message says which would"},
    "laws check": {1: "a check fails, or the law cannot be fitted"},
    "laws predict": {3: "no row has what the law needs"},
    "laws allocate": {3: _UNKNOWN, 4: _NO},
    "laws backtest": {3: "the runs cannot carry the law"},
    "laws design": {3: "the runs cannot carry the law"},
    "laws running": {3: "the curve is too short"},
    "devices": {3: "no device is of these years"},
    "prices list": {3: "no such price is known"},
    "prices": {3: "no such price is known"},
}
"""What one command leaves with beside those, or in other words."""

SEE: dict[str, tuple[str, ...]] = {
    "": ("web", "config --origin", "completion", "man"),
    "plan": ("cost", "training", "laws allocate", "compare", "solve"),
    "solve": ("quantities", "formulas", "check", "plan"),
    "training": ("cost", "model", "devices", "validate training", "compare"),
    "cost": ("training", "plan", "prices", "grids"),
    "serving": ("model", "devices", "prices", "validate serving", "compare"),
    "compare": ("model", "devices", "laws compare", "plan"),
    "audit": ("check", "solve", "formulas"),
    "check": ("audit", "solve", "runs"),
    "calibrate": ("measure", "validate"),
    "calibrate training": ("validate training", "measure"),
    "calibrate serving": ("validate serving",),
    "measure": ("calibrate training", "training", "devices"),
    "validate": ("calibrate",),
    "validate training": ("calibrate training", "training"),
    "validate serving": ("calibrate serving", "serving"),
    "validate serving-memory": ("validate serving", "serving"),
    "validate hours": ("cost", "plan", "runs"),
    "lab": ("laws fit", "laws design"),
    "lab new": ("lab run", "laws design"),
    "lab run": ("lab status", "lab export"),
    "lab status": ("lab run", "lab export"),
    "lab export": ("laws fit",),
    "lab extend": ("laws design", "lab run"),
    "lab query": ("lab export", "laws fit"),
    "lab formats": ("quantize", "dtype"),
    "laws": ("plan", "lab", "runs"),
    "laws fit": ("laws check", "laws forms", "laws predict", "laws allocate"),
    "laws predict": ("laws fit", "laws published"),
    "laws check": ("laws fit", "laws design"),
    "laws published": ("laws compare", "laws forms"),
    "laws forms": ("laws fit",),
    "laws compare": ("laws published", "compare"),
    "laws history": ("runs", "laws plot"),
    "laws plot": ("laws fit", "laws history"),
    "laws allocate": ("plan", "laws fit"),
    "laws backtest": ("laws fit", "laws check"),
    "laws design": ("lab new", "laws fit"),
    "laws running": ("laws predict",),
    "runs": ("check --runs", "laws history", "grids"),
    "quantize": ("dtype", "serving", "model"),
    "dtype": ("quantize",),
    "model": ("training", "serving", "compare"),
    "devices": ("nodes", "prices", "compare"),
    "nodes": ("devices", "prices"),
    "prices": ("devices", "plan", "cost"),
    "prices list": ("prices update", "devices"),
    "prices update": ("prices list",),
    "grids": ("cost", "runs --table energy"),
    "data": ("cost", "solve", "plan"),
    "quantities": ("formulas", "solve"),
    "formulas": ("quantities", "solve"),
    "web": ("schema", "config"),
    "config": ("quantities",),
    "schema": ("web",),
    "completion": ("man",),
    "man": ("completion",),
}
"""Where somebody goes on from a command."""

_HOMES = {name: (title, place) for title, names in SECTIONS.items() for place, name in enumerate(names)}


def section_of(command: str, option: str) -> tuple[str, int]:
    """(heading, place under it) of an option of a command."""
    title, place = _HOMES.get(option, ("Options", 0))
    own = OWN_SECTIONS.get((command, option), title)
    return own, place if own == title else 0


def close_commands(name: str, of: str) -> tuple[str, ...]:
    """Up to three commands like `name`: of the group `of` ("isoflop laws") by name, of others by their whole call."""
    from difflib import SequenceMatcher

    top = [one for names in COMMAND_SECTIONS.values() for one in names]
    own = SUBCOMMANDS.get(" ".join(of.split()[1:]), top)
    known = {f"isoflop {group} {child}": child for group, names in SUBCOMMANDS.items() for child in names}
    known |= {f"isoflop {one}": one for one in top}
    known = {call: child for call, child in known.items() if call.rpartition(" ")[0] != of} | {one: one for one in own}
    asked = name.lower()[:80]
    near = {call: SequenceMatcher(None, asked, child).ratio() + 0.05 * (call in own) for call, child in known.items()}
    return tuple(sorted((call for call, ratio in near.items() if ratio >= 0.6), key=lambda call: -near[call])[:3])
