"""Real config.json files, where the folder that holds them is there: exact, verified, and what they say of bytes.

The files are not ours to copy; the counts are.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from isoflop.model import counts, describe

ROOT = Path(__file__).parents[2]
FOLDERS = [Path(os.environ.get("ISOFLOP_CONFIGS", "nowhere")), ROOT / "shared/configs", ROOT.parent / "shared/configs"]
FOLDER = next((folder for folder in FOLDERS if folder.is_dir()), None)

# Parameters, active ones, and what is stored beside the parameters.
EXPECTED = {
    "DeepSeek-V3": (671_026_404_352, 37_552_282_624, 14_848),
    "Kimi-K2-Instruct": (1_026_408_209_408, 32_861_477_888, 23_040),
    "Llama-3.1-70B-Instruct-FP8": (70_553_706_496, 70_553_706_496, 0),
    "Llama-4-Scout-17B-16E-Instruct": (107_769_861_120, 17_172_894_720, 0),
    "Meta-Llama-3.1-405B": (405_853_388_800, 405_853_388_800, 0),
    "Meta-Llama-3.1-70B": (70_553_706_496, 70_553_706_496, 0),
    "Meta-Llama-3.1-8B": (8_030_261_248, 8_030_261_248, 0),
    "Mixtral-8x22B-v0.1": (140_620_634_112, 39_152_031_744, 0),
    "Mixtral-8x7B-v0.1": (46_702_792_704, 12_879_925_248, 0),
    "Qwen3-0.6B": (596_049_920, 596_049_920, 0),
    "Qwen3-235B-A22B": (235_093_634_560, 22_190_763_520, 0),
    "Qwen3-30B-A3B": (30_532_122_624, 3_353_032_704, 0),
    "Qwen3-32B": (32_762_123_264, 32_762_123_264, 0),
    "Qwen3-32B-FP8": (32_762_123_264, 32_762_123_264, 0),
    "Qwen3-8B": (8_190_735_360, 8_190_735_360, 0),
    "gpt-oss-120b": (116_829_156_672, 5_711_982_912, 0),
    "gpt-oss-20b": (20_914_757_184, 4_187_440_704, 0),
}


@pytest.mark.skipif(FOLDER is None, reason="no folder of real configs; ISOFLOP_CONFIGS names one")
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_released_config_is_read_exactly(name: str) -> None:
    assert FOLDER is not None
    path = FOLDER / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{path.name} is not there")
    described = describe(path)
    assert described.verified, described.why
    counted = counts(described.spec)
    total, active, beside = EXPECTED[name]
    assert (counted.params, counted.active_params) == (total, active)
    assert counted.stored_params - counted.params == beside
