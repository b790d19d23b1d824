"""`isoflop serving`: what it prints, in every form, and how it leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isoflop.cli import main

PLAIN = ("llama-3.1-8b", "--on", "2xh100-sxm", "--input", "2k", "--output", "256", "--concurrency", "32")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = 0
    try:
        main(["serving", *words])
    except SystemExit as left:
        code = int(left.code or 0)
    out = capsys.readouterr()
    return code, out.out, out.err


def test_an_answer_says_what_fits_how_fast_and_for_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *PLAIN)
    assert code == 0
    assert not err
    for word in ("weights", "tokens that fit", "first token", "further tokens", "rate", "energy", "cost", "Assumed"):
        assert word in out
    assert "Memory of the fullest chip" in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_json_has_figures_with_intervals_and_steps(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *PLAIN, "--json", "--tpot", "20 ms", "--api", "0.1,0.4")
    found = json.loads(out)
    assert code == 0
    assert found["fits"] is True
    for name in ("ttft", "tpot", "output_rate", "prompt_rate", "power", "energy"):
        one = found["times"][name]
        assert one["low"] < one["value"] < one["high"]
    assert found["room"]["tokens"]["low"] < found["room"]["tokens"]["value"]
    assert found["bill"]["usd_per_output_token"]["unit"] == "$/token"
    assert found["comparison"]["break_even_request_rate"] > 0
    assert found["best"]["token"] <= 0.02
    assert len(found["pareto"]) > 3
    assert found["steps"][0].startswith("[1] weights")
    assert found["assumptions"]


@pytest.mark.parametrize("form", ["md", "html", "csv"])
def test_other_forms(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *PLAIN, "--format", form)
    assert code == 0
    assert {"md": "| weights |", "html": "<table", "csv": "decode_time_per_token"}[form] in out


@pytest.mark.parametrize("chart", ["pareto", "memory", "step"])
def test_charts(chart: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("altair")
    path = tmp_path / "c.svg"
    assert run(capsys, *PLAIN, "--chart", chart, "--out", str(path))[0] == 0
    assert "<svg" in path.read_text(encoding="utf-8")


def test_explain_numbers_the_derivation(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, *PLAIN, "--explain", "--price", "$2/chip/h")
    assert "[1] weights a chip" in out
    assert "Little's law" in out
    assert "x/÷" in out


LOCAL = ("llama-3.1-8b", "--on", "rtx-3060", "--runtime", "llama.cpp", "--weights", "q4_k_m")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("llama-3.1-70b", "--on", "8xh100-sxm", "--tp", "3"), 4, "tp 3 does not divide 64 heads; 2 and 4 do"),
        (("llama-3.1-70b", "--on", "8xh100-sxm", "--tp", "16"), 4, "does not divide 8"),
        (("deepseek-v3", "--on", "8xa100-sxm-80gb"), 4, "no fp8 units"),
        (("bert-base", "--on", "a10"), 4, "writes no tokens"),
        (("llama-3.1-70b", "--on", "8xh100-sxn"), 2, "h100-sxm-80gb"),
        (("lama-3.1-70b", "--on", "8xh100-sxm"), 2, "llama-3.1-70b"),
        (("llama-3.1-8b", "--on", "h100-sxm", "--runtime", "vlm"), 2, "vllm"),
        (("llama-3.1-8b", "--on", "h100-sxm", "--kv", "fp9"), 2, "fp8"),
        (("llama-3.1-8b", "--on", "h100-sxm", "--weights", "q9"), 2, "q9"),
        (("llama-3.1-8b", "--on", "h100-sxm", "--api", "x"), 2, "3,15"),
        (("llama-3.1-8b", "--on", "h100-sxm", "--memory-fraction", "150%"), 2, "memory-fraction"),
        (("llama-3.1-8b", "--on", "h100-sxm", "--concurrency", "4", "--rate", "2"), 2, "not both"),
        (("llama-3.1-8b", "--on", "h100-sxm", "--context", "1k", "--input", "2k"), 2, "context"),
        (("llama-3.1-8b", "--on", "h100-sxm", "--host-layers", "4"), 2, "llama.cpp"),
        (("llama-3.1-8b", "--on", "h100-sxm", "--runtime-version", "new"), 2, "version"),
        (("llama-3.1-8b", "--on", "h100-sxm", "--format", "svg", "--out", "x.png"), 2, "disagree"),
        (("llama-3.1-8b", "--on", "h100-sxm", "--weights", "q4km"), 2, "q4_k_m"),
        (("llama-3.1-8b", "--on", "h100-sxm", "--concurrency", "0"), 2, "--concurrency: "),
        (("llama-3.1-8b", "--on", "h100-sxm", "--memory", "-1 GB"), 2, "--memory: "),
        (("llama-3.1-8b", "--on", "h100-sxm", "--tpot", "30 GB"), 2, "--tpot: "),
        (("llama-3.1-8b", "--on", "mi300x", "--runtime", "trtllm"), 4, "trtllm does not run on devices of AMD; vllm"),
        (("llama-3.1-8b", "--on", "tpu-v5e", "--runtime", "llama.cpp"), 4, "llama.cpp does not run"),
        ((*LOCAL, "--host-layers", "99"), 4, "llama-3.1-8b has 32; 32 is the most"),
        ((*LOCAL, "--host-experts", "2"), 4, "llama-3.1-8b has no experts"),
    ],
)
def test_what_cannot_be_says_why(
    words: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    left, out, err = run(capsys, *words)
    assert left == code
    assert said in err
    assert "Traceback" not in out + err


def test_what_does_not_fit_leaves_with_4_and_names_what_would(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "llama-3.1-70b", "--on", "1xh100-sxm")
    assert code == 4
    assert "does not fit" in out
    assert "To make it fit" in out
    assert "Other devices" in out
    assert run(capsys, "llama-3.1-70b", "--on", "1xh100-sxm", "--check")[0] == 1


def test_a_small_machine_with_layers_on_the_host(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("llama-3.1-70b", "--on", "rtx-4090", "--runtime", "llama.cpp", "--weights", "q4_k_m", "--context", "8k")
    code, out, _ = run(capsys, *words, "--host-layers", "50", "--host-bandwidth", "80 GB/s")
    assert code == 0
    assert "Q4_K_M" in out
    code, out, _ = run(capsys, *LOCAL, "--host-layers", "32")
    assert code == 0
    assert "memory of the host at 60 GB/s" in out
    assert "none on the chip" in out


def test_what_nobody_measured_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "llama-3.1-8b", "--on", "1xm4-max")
    assert "no measurement of vllm on Apple devices" in " ".join(out.split())
    code, _, err = run(capsys, *LOCAL, "--api", "0.05,0.08")
    assert code == 3
    assert "--price '$2/chip/h'" in err


def test_limits_are_said_in_their_units_and_arrivals_that_are_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, *PLAIN, "--tpot", "2 s", "--ttft", "3 s")
    assert "first token 3 s and further tokens 2 s" in " ".join(out.split())
    code, out, _ = run(capsys, "llama-3.1-8b", "--on", "1xh100-sxm", "--rate", "1e9")
    assert code == 4
    assert "cannot keep up" in out


def test_a_whole_life(capsys: pytest.CaptureFixture[str]) -> None:
    words = (*PLAIN, "--price", "$2/chip/h", "--serve-tokens", "1T", "--train-cost", "$1M", "--use", "50%")
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "whole life" in out


def test_devices_that_would_do_are_listed_the_cheapest_first(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *PLAIN, "--devices", "--json")
    found = json.loads(out)["devices"]
    assert code == 0
    assert len(found) > 20
    prices = [one["price"] for one in found if one["price"] is not None]
    assert prices == sorted(prices)
    assert any(one["output_rate"] for one in found)
    assert "h100-sxm-80gb" in {one["device"] for one in found}
    assert "Devices that hold all requests" in run(capsys, *PLAIN, "--devices")[1]


def test_slow_requests_and_prompts_on_chips_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *PLAIN, "--prefill-tp", "1", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["slow"]["ttft"] >= found["times"]["ttft"]["value"]
    assert found["prompts_apart"]["ratio"] > 0
    assert found["prompts_apart"]["token"] <= found["times"]["tpot"]["value"]
    assert "prompts apart" in run(capsys, *PLAIN, "--prefill-tp", "1")[1]
    code, _, err = run(capsys, *PLAIN, "--prefill-tp", "3")
    assert code == 4
    assert "tp 3 does not divide" in err
