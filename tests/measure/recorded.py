"""What one real H200 was measured to do, and a machine like the one it was measured on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from isoflop.measure.clock import Measured, Timing  # noqa: E402
from isoflop.measure.machine import Machine  # noqa: E402

DATA = Path(__file__).parent / "data"


def measured() -> list[Measured]:
    found = []
    for line in (DATA / "h200.jsonl").read_text(encoding="utf-8").splitlines():
        plain = json.loads(line)
        plain["timing"] = Timing(**plain["timing"]) if plain["timing"] else None
        found.append(Measured(**plain))
    return found


def machine(**changes: object) -> Machine:
    plain = json.loads((DATA / "h200-machine.json").read_text(encoding="utf-8"))
    return Machine(**{**plain, "device": torch.device("cuda", 0), "notes": (), **changes})
