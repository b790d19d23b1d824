"""Every case of tests/golden/model_counts.toml, exact to the last parameter, byte and FLOP."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from isoflop.model import counts, describe, forward_flops, kv_bytes_per_token, model

GOLDEN = Path(__file__).parents[1] / "golden" / "model_counts.toml"
FILE = tomllib.loads(GOLDEN.read_text(encoding="utf-8"))
CASES = FILE["case"]


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


@pytest.mark.parametrize("row", FILE["oracle"], ids=lambda row: row["model"])
def test_what_real_modules_count(row: dict[str, Any]) -> None:
    """Parameters to the last one, in total and by part; FLOP to 0.01 % and better."""
    described = describe(row["model"])
    assert described.verified, described.why
    spec = described.spec
    counted = counts(spec)
    assert counted.params == row["params"]
    parts = dict(counted.parts)
    assert parts["token embedding"] == row["embedding"]
    bias = spec.vocabulary if spec.head is not None and spec.head.bias else 0
    assert parts.get("head", 0) - bias == row["head"]
    if "experts" in row:
        assert parts["experts"] == row["experts"]
    if "forward_flops" in row:
        inputs = row.get("inputs", row["sequence"]) if spec.encoder is not None else 0
        ledger = forward_flops(spec, row["sequence"], inputs=inputs or None, convention="full-attention")
        assert ledger.total * (row["sequence"] + inputs) == pytest.approx(row["forward_flops"], rel=1e-9)


@pytest.mark.parametrize(("name", "printed"), [("llama-4-scout", 34.081e12), ("llama-4-maverick", 34.105e12)])
def test_llama_4_runs_one_expert_and_the_shared_one(name: str, printed: float) -> None:
    """The counter of torch runs all of them; this is the arithmetic of an independent prototype."""
    per_token = forward_flops(model(name), 1024, convention="full-attention").total
    assert per_token * 1024 == pytest.approx(printed, rel=1e-4)


def test_deepseek_v3_with_and_without_what_is_only_stored() -> None:
    counted = counts(model("deepseek-v3"))
    assert (counted.params, counted.stored_params) == (671_026_404_352, 671_026_419_200)
    assert dict(counted.apart).keys() == {"multi-token prediction"}
