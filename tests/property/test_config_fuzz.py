"""Config files of every family with fields changed, dropped and added: a reading whose counts work, or BadFile."""

from __future__ import annotations

import copy
import tomllib
from contextlib import suppress
from functools import cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.errors import BadFile
from isoflop.model import counts, decode_flops, forward_flops, kv_elements_per_token, state_elements
from isoflop.model.config import reading_of
from isoflop.model.families import class_defaults, readers
from isoflop.model.families.multimodal import PLANS
from isoflop.quantity.json_file import parse_json

if TYPE_CHECKING:
    from isoflop.model.config import Reading

SMALL = {
    kind: entry.get("small", {})
    for path in (Path(__file__).parents[1] / "oracle/model/families").glob("*.toml")
    for kind, entry in tomllib.loads(path.read_text(encoding="utf-8")).items()
}
WORDS = ("full_attention", "sliding_attention", "linear_attention", "mamba", "sparse", "dense", "silu", "M*-E", "")
INTEGERS = (-1, 0, 1, 2, 3, 7, 8, 64, 100, 10_001, 2**31 - 1, 2**31, 10**12, 10**38)


USUAL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "vocab_size": 100,
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 16,
    "moe_intermediate_size": 32,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
}
"""For types that transformers does not know."""


@cache
def sample(kind: str) -> dict[str, Any]:
    """A config of this type as its class has it by default, made small as the sweep over families does."""
    plan = PLANS.get(kind)
    made: dict[str, Any] = {"model_type": kind, **class_defaults(kind), **SMALL.get(kind, {})}
    if plan is not None:
        made[plan.key] = {**sample(plan.text), **made.get(plan.key, {})}
    return made if plan is not None or class_defaults(kind) else {**USUAL, **made}


@cache
def names() -> tuple[str, ...]:
    return tuple(sorted({name for kind in readers() for name in (*sample(kind), *class_defaults(kind))}))


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(INTEGERS),
    st.sampled_from((0.5, 4.0, -0.0, 1e300)),
    st.sampled_from(WORDS),
    st.text(max_size=3),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=6,
)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """A valid config of some family with up to three fields changed, dropped or added, outside or in its text part."""
    config = copy.deepcopy(sample(draw(st.sampled_from(sorted(readers())))))
    for _ in range(draw(st.integers(1, 3))):
        insides = [value for value in config.values() if isinstance(value, dict)]
        there = draw(st.sampled_from([config, *insides, *insides]))
        known = sorted(there) or ["hidden_size"]
        name = draw(st.one_of(st.sampled_from(known), st.sampled_from(known), st.sampled_from(names())))
        what = draw(st.sampled_from(("change", "change", "grow", "drop")))
        old = there.get(name)
        if what == "drop":
            there.pop(name, None)
        elif what == "grow" and isinstance(old, list):
            there[name] = [*old, draw(leaves)]
        elif what == "grow" and isinstance(old, int):
            there[name] = draw(st.sampled_from(INTEGERS))
        else:
            there[name] = draw(values)
    return config


@settings(max_examples=1500)
@given(config=configs())
def test_any_config_is_read_or_refused(config: dict[str, Any]) -> None:
    try:
        reading = reading_of(config, "a/config.json", "fuzz")
    except BadFile as error:
        said = str(error)
    else:
        check(reading)
        return
    assert said.startswith("a/config.json: ")
    assert len(said) < 600


def check(reading: Reading) -> None:
    """Everything that is counted comes out, as a number."""
    counted = counts(reading.spec)
    assert 0 < counted.active_params <= counted.params <= counted.stored_params
    assert sum(size for _, size in counted.parts) == counted.params
    assert 0 < forward_flops(reading.spec, 100).total < float("inf")
    assert isfinite(decode_flops(reading.spec, 100))
    assert all(elements > 0 for elements in state_elements(reading.spec, 100).values())
    assert kv_elements_per_token(reading.spec) >= 0
    assert all(len(text) < 400 for text in (*reading.doubts, *reading.not_understood))
    assert reading.verified is not (bool(reading.doubts) or bool(reading.not_understood))


@settings(max_examples=300)
@given(st.text(alphabet='{}[]":,0123456789.eE+-tfn\\u \n\t', max_size=60))
def test_any_text_is_json_or_refused(text: str) -> None:
    try:
        parse_json(text, "a.json")
    except BadFile as error:
        said = str(error)
    else:
        return
    assert said.startswith("a.json: ")


@pytest.mark.parametrize("kind", sorted(readers()))
def test_no_single_field_breaks_a_reading_or_makes_it_huge(kind: str) -> None:
    """Each number as large as numbers get, and each list of words with a word that nobody knows."""
    for name, value in sample(kind).items():
        if isinstance(value, int) and not isinstance(value, bool):
            other: object = 2**31 - 1
        elif isinstance(value, list) and value and isinstance(value[0], str):
            other = ["chunked", *value[1:]]
        else:
            continue
        with suppress(BadFile):
            reading_of({**sample(kind), name: other}, "a/config.json", "fuzz")
