"""`isoflop training` as people call it."""

from __future__ import annotations

import json
import shlex

import pytest
from click.testing import CliRunner

from isoflop.cli import isoflop
from isoflop.errors import BadInput, Infeasible, IsoflopError, UnknownName


def run(line: str, code: int = 0) -> str:
    done = CliRunner().invoke(isoflop, ["training", *shlex.split(line)])
    if isinstance(done.exception, IsoflopError):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def test_a_run_that_fits() -> None:
    out = run("llama-3.1-8b --on 8xh100-sxm --sequence 8Ki")
    assert "llama-3.1-8b on 8 x NVIDIA H100 SXM 80 GB: fits" in out
    for said in (
        "rule of thumb",
        "saved for backward",
        "allocator overhead",
        "Layouts that fit",
        "time is not predicted",
    ):
        assert said in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_json_holds_the_ledger_the_layouts_and_what_would_help() -> None:
    found = json.loads(run("llama-3.1-70b --on 64xh100-sxm --sequence 8192 --batch '4M tokens' --json"))
    assert found["fits"] is True
    assert found["chips"] == 64
    terms = {term["name"]: term["value"] for term in found["memory"]["terms"]}
    assert sum(terms.values()) == pytest.approx(found["memory"]["total"])
    assert found["memory"]["total"] == pytest.approx(found["chosen"]["value"])
    assert found["chosen"]["low"] < found["chosen"]["value"] < found["chosen"]["high"] <= found["capacity"]
    assert found["chosen"]["allocated"] < found["chosen"]["reserved"] < found["chosen"]["value"]
    assert found["layouts"][0] == found["chosen"]
    assert found["activations"]["total"] == pytest.approx(terms["saved for backward"])
    assert found["batch"] == round(4e6 / 8192)


def test_a_layout_that_was_asked_for() -> None:
    words = "llama-3.1-8b --on 8xh100-sxm --tp 8 --zero 1 --micro-batch 2 --fused-loss"
    found = json.loads(run(f"{words} --json"))
    assert found["chosen"]["layout"]["tp"] == 8
    assert found["chosen"]["layout"]["sequence_parallel"] == 1
    same = json.loads(run("llama-3.1-8b --on 8xh100-sxm --layout tp=8,zero=1,micro_batch=2 --fused-loss --json"))
    assert same == found


def test_what_does_not_fit_says_what_would_and_leaves_with_4() -> None:
    out = run("llama-3.1-8b --on 8xh100-sxm --zero 1 --sequence 8192", code=4)
    assert "does not fit" in out
    assert "To make it fit" in out
    assert "recompute full" in out
    assert "too much" in out
    run("llama-3.1-8b --on 8xh100-sxm --zero 1 --sequence 8192 --check", code=1)


def test_fine_tuning() -> None:
    full = json.loads(run("llama-3.1-8b --on 1xh100-sxm --micro-batch 1 --recompute full --json", code=4))
    lora = json.loads(run("llama-3.1-8b --on 1xh100-sxm --micro-batch 1 --lora 16 --recompute full --json"))
    qlora = json.loads(run("llama-3.1-8b --on 1xrtx-4090 --micro-batch 1 --qlora 16 --recompute full --json"))
    sizes = [one["memory"]["total"] for one in (full, lora, qlora)]
    assert sizes == sorted(sizes, reverse=True)
    assert qlora["fits"]


def test_markdown_and_html() -> None:
    assert "| weights |" in run("gpt2-xl --on 8xv100 --format md")
    assert run("gpt2-xl --on 8xv100 --format html").startswith("<!DOCTYPE html>")
    assert "Engine megatron" in run("gpt2-xl --on 8xh100-sxm --explain")


@pytest.mark.parametrize(
    ("line", "kind", "says"),
    [
        ("llama-3.1-9b --on h100-sxm", UnknownName, "no model 'llama-3.1-9b'"),
        ("llama-3.1-8b --on h100-sxn", UnknownName, "no device 'h100-sxn'"),
        ("llama-3.1-8b --on 8xh100-sxm --tp 3", BadInput, "does not divide 8 chips"),
        ("llama-3.1-8b --on 8xh100-sxm --tp 0", BadInput, "layout.tp = 0"),
        ("llama-3.1-8b --on 8xh100-sxm --dp 3", Infeasible, "3 chips, and 8 were given"),
        ("llama-3.1-8b --on 8xh100-sxm --layout tpp=2", UnknownName, "field of a layout 'tpp'"),
        ("llama-3.1-8b --on 8xh100-sxm --layout tp=two", BadInput, "tp=two is no number"),
        ("llama-3.1-8b --on 8xh100-sxm --layout tp=2 --tp 4", BadInput, "tp is given twice"),
        ("llama-3.1-8b --on 8xh100-sxm --recipe mixd", UnknownName, "Did you mean 'mixed'"),
        ("llama-3.1-8b --on 8xh100-sxm --engine megatorn", UnknownName, "Did you mean 'megatron'"),
        ("llama-3.1-8b --on 8xh100-sxm --recompute ful", UnknownName, "recompute policy 'ful'"),
        ("llama-3.1-8b --on 8xh100-sxm --batch '1M tokens'", BadInput, "needs --sequence too"),
        ("llama-3.1-8b --on 8xh100-sxm --sequence 1.5", BadInput, "whole number"),
        ("llama-3.1-8b --on 8xh100-sxm --lora 8 --qlora 8", BadInput, "both given"),
    ],
)
def test_what_is_refused(line: str, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says.replace(".", r"\.").replace("(", r"\(")):
        run(line)
