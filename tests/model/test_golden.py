"""Every case of tests/golden/model_counts.toml, exact to the last parameter, byte and FLOP."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from isoflop.model import counts, forward_flops, kv_bytes_per_token, model

GOLDEN = Path(__file__).parents[1] / "golden" / "model_counts.toml"
CASES = tomllib.loads(GOLDEN.read_text(encoding="utf-8"))["case"]


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case['model']}" for number, case in enumerate(CASES)])
def test_counts(case: dict[str, Any]) -> None:
    spec = model(case["model"])
    counted = counts(spec)
    checked = 0
    for name in ("params", "active_params", "non_embedding_params"):
        if name in case:
            assert getattr(counted, name) == case[name]
            checked += 1
    if "kv_bytes_per_token" in case:
        assert kv_bytes_per_token(spec) == case["kv_bytes_per_token"]
        checked += 1
    if "forward_flops" in case:
        tokens = case["sequence"] * (1 if spec.encoder is None else 2)
        per_token = forward_flops(spec, case["sequence"], convention="full-attention").total
        assert per_token * tokens == pytest.approx(case["forward_flops"], rel=1e-12)
        checked += 1
    assert checked
    assert case["source"]
