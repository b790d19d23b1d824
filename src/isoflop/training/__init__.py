"""Training runs: what fits, and later how fast; from a model, a layout and a recipe to a ledger.

>>> from isoflop.model import model
>>> from isoflop.training import Layout, Run, peak
>>> run = Run(model=model("llama-3.1-8b"), sequence=8192, batch=64)
>>> float(peak(run, Layout(dp=8, zero=1)).allocated.item()) / 2**30 > 80
True
"""

from __future__ import annotations

from isoflop.training.activations import activation_ledger
from isoflop.training.advice import Advice, Most, Place, advise
from isoflop.training.engine import Engine, engine, engines
from isoflop.training.inverse import (
    Change,
    Need,
    changes,
    fewest_chips,
    fitting,
    largest_micro_batch,
    largest_model,
    largest_sequence,
    need,
)
from isoflop.training.legal import faults, legal
from isoflop.training.memory import TERMS, Peak, ledger, peak
from isoflop.training.spec import (
    FORMAT_BYTES,
    POLICIES,
    RECIPES,
    SCHEDULES,
    Adapter,
    Layout,
    Layouts,
    Policy,
    Recipe,
    Run,
    Schedule,
    format_bytes,
)

__all__ = [
    "FORMAT_BYTES",
    "POLICIES",
    "RECIPES",
    "SCHEDULES",
    "TERMS",
    "Adapter",
    "Advice",
    "Change",
    "Engine",
    "Layout",
    "Layouts",
    "Most",
    "Need",
    "Peak",
    "Place",
    "Policy",
    "Recipe",
    "Run",
    "Schedule",
    "activation_ledger",
    "advise",
    "changes",
    "engine",
    "engines",
    "faults",
    "fewest_chips",
    "fitting",
    "format_bytes",
    "largest_micro_batch",
    "largest_model",
    "largest_sequence",
    "ledger",
    "legal",
    "need",
    "peak",
]
