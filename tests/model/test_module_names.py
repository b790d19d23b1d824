"""Names and patterns of modules: our matcher against Python's own, and what each form of a pattern means."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.model import model, weights
from isoflop.model.storage.expressions import expression, required
from isoflop.model.storage.modules import Namer, modules
from isoflop.model.storage.patterns import Patterns

NAMES = (
    "model.layers.3.self_attn.q_proj",
    "model.layers.13.mlp.gate_proj",
    "model.layers.3.mlp.gate",
    "model.layers.0.mlp.experts.17.up_proj",
    "lm_head",
)

EXPRESSIONS = (
    r".*self_attn.*",
    r".*\.layers\.\d+\.mlp\.(gate|up|down)_proj",
    r"^(?!.*experts).*$",
    r"model\.layers\.[0-9]+\.mlp\.gate$",
    r".*mlp.gate$",
    r"[^.]+\.layers",
    r"(?=.*experts)model.*\.(?:up|down)_proj",
    r"(?P<n>m)odel+?\..*\.1\d?\..*",
    r"\w+_head",
    r".{3,9}_head",
    r"model\.layers\.([0-9]|1[0-3])\..*",
    r"[\w.]*gate(_proj)?$",
)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions_mean_what_they_mean_in_python(text: str) -> None:
    ours = expression(text)
    assert ours is not None
    for name in NAMES:
        assert ours.match(name) == bool(re.match(text, name)), name
        assert ours.may_match(name) or not ours.match(name)


@settings(max_examples=400, deadline=None)
@given(st.text("ab_.*+?|()\\d^$1,{}", max_size=10), st.text("ab_.1", max_size=6))
def test_whatever_both_know_matches_the_same(text: str, name: str) -> None:
    ours = expression(text)
    try:
        theirs = re.compile(text)
    except re.error:
        return
    if ours is None:
        return
    assert ours.match(name) == bool(theirs.match(name))
    assert ours.may_match(name) or not ours.match(name)


@pytest.mark.parametrize(
    "text", ["(", "a)", "[a", "a**", "*a", r"\1", "(?i)a", "(?<=a)b", "a{2,1}", "a{", "(" * 50 + ")" * 50]
)
def test_what_is_broken_or_not_read_is_unknown(text: str) -> None:
    assert expression(text) is None


@pytest.mark.parametrize("text", ["(.*a?){1,999}" * 8 + "x", "((((.*)*)*)*)*x", "(a|a|a)*" * 40 + "x"])
def test_no_expression_takes_long(text: str) -> None:
    ours = expression(text)
    assert ours is not None
    start = time.process_time()
    assert not ours.match("a" * 200)
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        (r"model\.layers\.17\.mlp.*", ("model", "layers", "17", "mlp")),
        (r"a(bc)?d", ("a", "d")),
        (r"ab*c+d?e{2}f", ("a", "c", "f")),
        ("a|b", ()),
        (r"[abc]x\d", ("x",)),
    ],
)
def test_what_an_expression_needs(text: str, runs: tuple[str, ...]) -> None:
    assert required(text) == runs


@pytest.mark.parametrize(
    ("pattern", "hits"),
    [
        ("lm_head", {"lm_head"}),
        ("mlp.gate", {"model.layers.3.mlp.gate"}),
        ("model.layers.3", {"model.layers.3.self_attn.q_proj", "model.layers.3.mlp.gate"}),
        ("layers.*.mlp.gate", {"model.layers.3.mlp.gate"}),
        ("*gate*", {"model.layers.13.mlp.gate_proj", "model.layers.3.mlp.gate"}),
        ("re:.*experts.*", {"model.layers.0.mlp.experts.17.up_proj"}),
        ("re:layers", set()),
        ("gate_pro", set()),
    ],
)
def test_forms_of_a_pattern(pattern: str, hits: set[str]) -> None:
    patterns = Patterns([pattern])
    assert {name for name in NAMES if patterns.hit([name])} == hits
    assert patterns.unmatched() == (() if hits else (pattern,))


def test_every_weight_has_a_name_and_is_counted_once() -> None:
    for name in ("llama-3-8b", "gpt2", "mixtral-8x7b", "t5-base", "qwen3-30b-a3b", "bert-base"):
        spec = model(name)
        due = sum(times * weight.params for times, weight in weights(spec))
        for patterns in ([], ["model.layers.1"], ["experts.3"]):
            found = list(modules(spec, Namer(patterns)))
            assert all(module.paths for module in found)
            assert sum(module.times * module.weight.rows * module.weight.columns for module in found) == due
