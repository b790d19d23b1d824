"""Models whose layers each say what they are: counted by hand, as no library knows them."""

from __future__ import annotations

from typing import Any

import pytest

from isoflop.errors import BadFile
from isoflop.model import counts
from isoflop.model.config import Reading, reading_of
from isoflop.model.state import kv_elements_per_token

WIDE, ROWS = 1024, 1000


def block(heads: int | None, multiple: float | None, *, linear: bool = False, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """One entry as files have it; None leaves a part out."""
    attention = {"n_heads_in_group": heads, "no_op": heads is None and not linear, "replace_with_linear": linear}
    ffn = {"ffn_mult": multiple, "no_op": multiple is None, "replace_with_linear": False, "sparsify": None}
    return {"attention": {**attention, "sparsify": None, "window_length": None, **more}, "ffn": ffn}


def reading(*blocks: dict[str, Any], **more: Any) -> Reading:  # noqa: ANN401
    """What is made of a file with these layers."""
    config = {
        "model_type": "nemotron-nas", "architectures": ["DeciLMForCausalLM"], "hidden_act": "silu",
        "hidden_size": WIDE, "intermediate_size": None, "num_attention_heads": 8, "num_key_value_heads": None,
        "num_hidden_layers": len(blocks), "vocab_size": ROWS, "block_configs": list(blocks), **more,
    }  # fmt: skip
    return reading_of(config, "config.json", "sample")


def test_each_layer_has_the_parts_that_it_names() -> None:
    found = reading(block(4, 3.0), block(None, 0.5), block(None, None, linear=True), block(2, None))
    assert found.verified, (found.not_understood, found.doubts)
    attention = {kv: 2 * WIDE * WIDE + 2 * WIDE * kv * 128 for kv in (2, 4)}
    wide, narrow = 2048, 512  # 2/3 of 3 x 1024, and of 512 = 341, in whole 256s
    layers = attention[2] + attention[4] + WIDE * WIDE + 3 * WIDE * (wide + narrow)
    norms = WIDE * (2 + 1 + 1 + 1 + 1)
    assert counts(found.spec).params == layers + norms + 2 * ROWS * WIDE
    assert kv_elements_per_token(found.spec) == 2 * (2 + 4) * 128


def test_what_a_layer_says_beyond_that_is_doubted() -> None:
    assert not reading(block(4, 3.0, window_length=512)).verified
    with pytest.raises(BadFile, match="block_configs"):
        reading(block(4, 3.0), num_hidden_layers=2)


def test_the_first_of_them_lists_heads() -> None:
    config = {
        "model_type": "deci", "hidden_act": "silu", "hidden_size": WIDE, "intermediate_size": 2048,
        "num_attention_heads": 8, "num_key_value_heads": 8, "num_key_value_heads_per_layer": [1, 4],
        "num_hidden_layers": 2, "vocab_size": ROWS,
    }  # fmt: skip
    found = reading_of(config, "config.json", "sample")
    assert found.verified, (found.not_understood, found.doubts)
    assert kv_elements_per_token(found.spec) == 2 * (1 + 4) * 128
