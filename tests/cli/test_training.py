"""`isoflop training` as people call it."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from isoflop.cli import isoflop
from isoflop.errors import BadInput, Infeasible, IsoflopError, UnknownName

if TYPE_CHECKING:
    from pathlib import Path


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
        "fastest first",
        "Takes the time",
        "Why this one",
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


def test_days_and_dollars() -> None:
    line = "llama-3.1-8b --on 64xh100-sxm --sequence 8192 --tokens 1T --price '$2/chip/h' --goodput 95%"
    found = json.loads(run(f"{line} --json"))
    bill, step = found["bill"], found["step_time"]["value"]
    assert bill["steps"] == -(-int(1e12) // (found["batch"] * 8192))
    assert bill["train_time"]["value"] == pytest.approx(bill["steps"] * step / 0.95)
    assert bill["train_cost"]["value"] == pytest.approx(64 * bill["train_time"]["value"] * 2 / 3600)
    assert bill["train_cost"]["low"] < bill["train_cost"]["value"] < bill["train_cost"]["high"]
    terms = {term["name"]: term["value"] for term in found["step"]["terms"]}
    assert sum(terms.values()) == pytest.approx(step)
    assert found["mfu"]["6nd"] < found["mfu"]["model"] < found["mfu"]["full-attention"] < 0.8
    assert found["mfu"]["model"] <= found["mfu"]["hardware"]
    out = run(line)
    for said in ("takes", "costs", "as given", "goodput 95%", "MFU"):
        assert said in out


def test_scales_stand_beside_each_other() -> None:
    line = "llama-3.1-8b --on 16xh100-sxm --sequence 8192 --batch 128 --tokens 1T --scales"
    found = json.loads(run(f"{line} --json"))["scales"]
    assert [one["chips"] for one in found] == sorted(one["chips"] for one in found)
    assert 16 in {one["chips"] for one in found}
    for one in found:
        quicker = [other for other in found if other["step_time"]["value"] < one["step_time"]["value"]]
        spent = one["chips"] * one["step_time"]["value"]
        assert one["beaten"] == any(other["chips"] * other["step_time"]["value"] <= spent for other in quicker)
        assert one["bill"]["train_time"]["value"] > 0
    assert "fewer and of more chips" in run(line)


def test_a_deadline_is_kept_or_missed() -> None:
    line = "llama-3.1-8b --on 8xh100-sxm --sequence 8192 --tokens 1T --deadline '30 days'"
    missed = json.loads(run(f"{line} --json"))
    assert missed["bill"]["late"] > 0
    assert missed["enough_chips"] > 8
    assert "Too late" in run(f"{line} --check", code=1)
    enough = missed["enough_chips"]
    kept = json.loads(run(f"{line.replace('8xh100-sxm', f'{enough}xh100-sxm')} --batch {missed['batch']} --json"))
    assert not kept["bill"]["late"]
    found = json.loads(run(f"{line.replace('8xh100-sxm', 'h100-sxm')} --batch {missed['batch']} --json"))
    assert found["chips"] == enough


@pytest.mark.parametrize("tool", ["megatron", "torchtitan", "deepspeed", "accelerate"])
def test_the_best_layout_goes_out_and_comes_in(tool: str, tmp_path: Path) -> None:
    ending = {"megatron": "sh", "torchtitan": "toml", "deepspeed": "json", "accelerate": "yaml"}[tool]
    path = tmp_path / f"run.{ending}"
    line = "llama-3.1-8b --on 64xh100-sxm --sequence 8192 --batch 128"
    run(f"{line} --export {tool} --out {path}")
    found = json.loads(run(f"{line} --settings {path} --json", code=4 if tool == "accelerate" else 0))
    assert f"from {path}" in found["assumed"][0]
    assert not found["notes"]
    if tool == "megatron":
        best = json.loads(run(f"{line} --json"))
        assert found["chosen"]["layout"] == best["chosen"]["layout"]
        assert found["step_time"] == best["step_time"]


def test_settings_that_are_not_understood_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "ds.json"
    path.write_text('{"train_micro_batch_size_per_gpu": 1, "zero_optimization": {"stage": 3}, "moonshine": 1}')
    out = run(f"llama-3.1-8b --on 64xh100-sxm --sequence 2048 --settings {path}")
    assert "moonshine" in out
    with pytest.raises(BadInput, match="leave the flags"):
        run(f"llama-3.1-8b --on 8xh100-sxm --settings {path} --tp 2")


@pytest.mark.parametrize("kind", ["step", "memory", "pareto", "scale"])
def test_charts(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "chart.svg"
    run(f"gpt2-xl --on 8xh100-sxm --batch 64 --chart {kind} --out {path}")
    assert path.read_text(encoding="utf-8").startswith("<svg")
    assert run(f"gpt2-xl --on 8xh100-sxm --batch 64 --chart {kind} --format svg") == path.read_text(encoding="utf-8")
    with pytest.raises(BadInput, match="disagree"):
        run(f"gpt2-xl --on 8xh100-sxm --format png --out {path}")


def test_a_device_without_a_profile_says_so() -> None:
    assert "no profile was measured" in run("gpt2-xl --on 8xv100")


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
        ("llama-3.1-8b --on h100-sxm --deadline 3d", BadInput, "needs --tokens too"),
        ("llama-3.1-8b --on 8xh100-sxm --tokens 1T --price '$2/chip/h' --provider aws", BadInput, "provider cannot"),
        ("llama-3.1-8b --on 8xh100-sxm --tokens 1T --goodput 120%", BadInput, "goodput"),
        ("llama-3.1-8b --on 8xh100-sxm --lora 8 --qlora 8", BadInput, "both given"),
    ],
)
def test_what_is_refused(line: str, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says.replace(".", r"\.").replace("(", r"\(")):
        run(line)
