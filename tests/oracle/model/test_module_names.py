"""Names of modules held against real ones: naming a real matrix means exactly as many of our numbers."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
zoo = pytest.importorskip("tests.oracle.model.zoo")

from isoflop.model.storage.modules import Namer, modules  # noqa: E402
from isoflop.model.storage.patterns import Patterns  # noqa: E402

pytestmark = pytest.mark.oracle

KINDS = (
    "llama", "qwen3_moe", "mixtral", "deepseek_v3", "deepseek_v32", "gpt_oss", "llama4_text", "glm4_moe",
    "gemma4_text", "phi3", "qwen2_moe", "qwen3_next", "qwen3_5_moe_text", "minimax_m2", "kimi_linear", "nemotron_h",
    "granitemoehybrid", "jamba", "ernie4_5_moe", "hunyuan_v1_moe", "lfm2", "dbrx", "starcoder2", "cohere", "minimax",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_means_the_matrix_that_bears_it(kind: str) -> None:
    config = zoo.make_config(kind, **zoo.SMALL[kind]["small"])
    reading = zoo.read(config)
    real = {
        name: module.weight.numel()
        for name, module in zoo.build(config).named_modules()
        if isinstance(module, torch.nn.Linear) and not (name == "lm_head" and reading.spec.head.tied)
    }
    assert real
    for name, numbers in real.items():
        patterns = Patterns([name])
        found = [
            module.times * module.weight.rows * module.weight.columns
            for module in modules(reading.spec, Namer([name]))
            if module.kind not in {"vector", "embedding"} and patterns.hit(module.paths)
        ]
        assert sum(found) == numbers, name
