"""Bytes of caches that tools get wrong, against what runtimes print: `golden/serving_state.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from isoflop import hardware
from isoflop.model import model
from isoflop.quantity import quantity, read
from isoflop.serving import Deployment, Formats, Placement, Runtime, Settings, budget, ideal_bytes
from isoflop.serving.memory import units_of

CASES = tomllib.loads((Path(__file__).parents[1] / "golden" / "serving_state.toml").read_text(encoding="utf-8"))["case"]


def amount(text: str) -> float:
    """Bytes, tokens or sequences of a text with its unit."""
    number, _, unit = text.partition(" ")
    if unit in {"tokens", "sequences", "bytes"}:
        return float(number)
    return read(text, quantity("kv_cache_bytes")).spread.median


def deployment(case: dict[str, object]) -> Deployment:
    return Deployment(
        model=model(str(case["model"])),
        device=hardware.device("h200-sxm-141gb"),
        placement=Placement(tp=int(str(case.get("tp", 1)))),
        formats=Formats(weights="int4", kv=str(case.get("kv", "auto"))),
        runtime=Runtime(name=str(case.get("runtime", "vllm")), version=str(case.get("version", ""))),  # type: ignore[arg-type]
        settings=Settings(
            max_model_len=float(str(case.get("context", 0))),
            max_sequences=float(str(case.get("sequences", 0))),
            max_batched_tokens=float(str(case.get("step_tokens", 0))),
        ),
    )


def found(case: dict[str, object]) -> float:
    context = float(str(case.get("context", 8192)))
    if case["what"] == "ideal":
        return float(ideal_bytes(model(str(case["model"])), context))
    made = budget(deployment(case))
    pages = made.pages
    pool = np.asarray([amount(str(case["pool"])) if "pool" in case else 64 * 2.0**30])
    units = units_of(pool, pages)
    match case["what"]:
        case "block":
            return float(pages.block[0])
        case "concurrency":
            return float((units / pages.needs(context))[0])
        case "tokens":
            return float(pages.printed(units, context)[0])
        case "set_aside":
            return float(made.asked[0])
        case _:
            return float((units * pages.unit / pages.printed(units, context))[0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_bytes_of_caches(case: dict[str, object]) -> None:
    tolerance = float(str(case.get("tolerance", 1e-5)))
    assert found(case) == pytest.approx(amount(str(case["expected"])), rel=tolerance), case["source"]
