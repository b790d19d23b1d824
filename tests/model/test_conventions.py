"""Published TFLOP/s follow from published times under the conventions of their sources, to 0.5 %.

Rows whose times were themselves worked out from TFLOP/s prove nothing and are left out. A printed figure may be rounded
or cut, so one unit of its last digit is allowed beside.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

import isoflop
from isoflop.accuracy import committed_rows, read_configs
from isoflop.accuracy.shapes import shapes_of
from isoflop.errors import BadInput, MissingData, UnknownName
from isoflop.model import counts, model
from isoflop.model.conventions import PUBLISHED, published_flops_per_token
from isoflop.model.flops import train_flops_per_token

ROWS = Path(isoflop.__file__).parent / "accuracy" / "rows" / "training.csv"
WITHIN = 0.005

EXCEPTIONS = {
    ("NVIDIA-NeMo/Megatron-Bridge", "DeepSeekV3"): "its counter takes in the module of further tokens",
    ("NVIDIA-NeMo/Megatron-Bridge", "LLAMA3.1_405B"): "counted 1 % above",
    ("NVIDIA-NeMo/Megatron-Bridge", "LLAMA3_70B"): "three rows of one container",
    ("NVIDIA-NeMo/Megatron-Bridge", "Qwen3_30B_a3B"): "three rows, 0.8 %",
    ("NVIDIA-NeMo/Megatron-Bridge", "Kimi_K2"): "one row, 0.8 %",
    ("NVIDIA/NeMo", "LLAMA2_7B"): "fine-tuning on short packed sequences: attention of the short ones",
    ("NVIDIA/NeMo", "LLAMA2_70B"): "fine-tuning on short packed sequences: attention of the short ones",
    ("docs.nvidia.com/nemo-framework performance_guide", "LLAMA3.1_405B"): "counted 1 % above",
    ("InternLM/InternEvo", "InternLM-7B"): "six rows whose printed tokens and TFLOP/s disagree by up to 3 %",
}
"""Models of a source with rows further off, and why."""


def convention_of(cells: dict[str, str]) -> str:
    said = cells["flop_convention"]
    if said.startswith("Megatron-2021"):
        return "narayanan2021" if cells["recompute"] == "full" else "korthikanti2022"
    starts = {
        "6*N_matmul(incl. logits)+6*L": "megatron-bridge",
        "6*N_matmul(incl. logits)+12*L": "nemo",
        "6*n_params": "llm-foundry",
    }
    return next((name for start, name in starts.items() if said.startswith(start)), "")


def errors() -> dict[tuple[str, str], list[tuple[str, float]]]:
    """(source, convention) -> (model, relative error beyond rounding) of each row."""
    library = read_configs(None)
    with ROWS.open(encoding="utf-8") as file:
        every = {cells["id"]: cells for cells in csv.DictReader(file)}
    found: dict[tuple[str, str], list[tuple[str, float]]] = defaultdict(list)
    for row in committed_rows():
        cells = every[row.id]
        name, printed, rate = convention_of(cells), cells["tflops_per_gpu"], cells["tokens_per_s_per_gpu"]
        if not (name and printed and rate and cells["seq"]):
            continue
        try:
            shapes = shapes_of(row.settings, library)
        except MissingData:
            continue
        counted = [published_flops_per_token(one.spec, float(cells["seq"]), name) for one in shapes]
        off = min(abs(flops * float(rate) / 1e12 / float(printed) - 1) for flops in counted)
        digit = 10.0 ** -len(printed.partition(".")[2]) / float(printed)
        found[cells["source"].partition(":")[0], name].append((cells["model"], max(0.0, off - digit)))
    return found


def test_published_rates_follow_from_published_times() -> None:
    found = errors()
    assert set(PUBLISHED) <= {name for _, name in found}
    assert sum(map(len, found.values())) > 350
    for (source, name), rows in found.items():
        off = sorted(error for _, error in rows)
        assert off[len(off) // 2] <= WITHIN, (source, name)
        excused = {one for where, one in EXCEPTIONS if source.startswith(where[:30])}
        beyond = {one for one, error in rows if error > WITHIN}
        assert beyond <= excused, (source, name, beyond - excused)


def test_conventions_of_a_plain_model_by_hand() -> None:
    gpt = model("gpt3-175b")
    layers, width, vocabulary, sequence = 96, 12288, gpt.vocabulary, 2048
    hardware = 96 * layers * width**2 * (1 + sequence / (6 * width) + vocabulary / (16 * layers * width))
    assert published_flops_per_token(gpt, sequence, "narayanan2021") == pytest.approx(hardware)
    model_flops = 72 * layers * width**2 * (1 + sequence / (6 * width) + vocabulary / (12 * layers * width))
    assert published_flops_per_token(gpt, sequence, "korthikanti2022") == pytest.approx(model_flops)
    foundry = 6 * counts(gpt).params + 12 * layers * width * sequence
    assert published_flops_per_token(gpt, sequence, "llm-foundry") == pytest.approx(foundry)
    assert published_flops_per_token(gpt, sequence, "nemo") == pytest.approx(model_flops, rel=2e-3)


def test_two_are_ours() -> None:
    llama = model("llama-3-8b")
    for name, ours in (("megatron-bridge", "model"), ("nemo", "full-attention")):
        assert published_flops_per_token(llama, 8192, name) == train_flops_per_token(llama, 8192, convention=ours).total


def test_what_is_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'nemo'"):
        published_flops_per_token(model("llama-3-8b"), 8192, "nemoo")
    with pytest.raises(BadInput, match="published conventions are of decoders"):
        published_flops_per_token(model("t5-11b"), 512, "nemo")
