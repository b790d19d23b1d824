"""Figures others printed, or worked out apart from isoflop: tests/golden/laws.toml."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from isoflop.laws import Chinchilla, Kaplan, published, roots, verdict

CASES = tomllib.loads((Path(__file__).parents[1] / "golden" / "laws.toml").read_text(encoding="utf-8"))["case"]


def allocate(law: str, flops: float) -> dict[str, Any]:
    split = published(law).allocator.allocate(flops)
    return asdict(split) | {"tokens_per_param": split.tokens_per_param}


def two_roots(law: str, loss: float, flops: float) -> dict[str, Any]:
    small, large = roots(published(law).law, loss, flops)
    return {
        "small_params": small.params,
        "small_tokens": small.tokens,
        "large_params": large.params,
        "large_tokens": large.tokens,
    }


def ratio(law: str, params: float, tokens: float) -> dict[str, Any]:
    found = verdict(published(law).allocator, params, tokens)
    return {"tokens_per_param": found.tokens_per_param, "factor": found.factor, "kind": found.kind}


def settings(law: str, params: float, tokens: float, flops: float) -> dict[str, Any]:
    return asdict(published(law).advisor.advise(params, tokens, flops))


def elasticity(law: str) -> dict[str, Any]:
    form = published(law).form
    assert isinstance(form, Chinchilla)
    return {"elasticity": form.compute_exponent}


def one_input(law: str, params: float, tokens: float, flops: float) -> dict[str, Any]:
    form = published(law).form
    assert isinstance(form, Kaplan)
    losses = (form.loss_from_params(params), form.loss_from_tokens(tokens), form.loss_from_flops(flops))
    return dict(zip(("params", "tokens", "flops"), losses, strict=True))


ASK = {
    "allocate": allocate,
    "roots": two_roots,
    "ratio": ratio,
    "settings": settings,
    "elasticity": elasticity,
    "one_input": one_input,
}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_golden(case: dict[str, Any]) -> None:
    found = ASK[case["ask"]](case["law"], **case.get("known", {}))
    for key, expected in case["expected"].items():
        due = expected if isinstance(expected, str) else pytest.approx(expected, rel=case["tolerance"])
        assert found[key] == due, key
