"""GGUF as transformers reads it: the same logits; and configs and shapes that cannot be written are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.quantize.checkpoints import CONFIG, weights, write

from isoflop.errors import BadFile
from isoflop.quantize import quantize

gguf = pytest.importorskip("gguf")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")
pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

SIZES = {
    "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 300, "max_position_embeddings": 64,
}  # fmt: skip


def byte_level(folder: Path) -> None:
    """A tokenizer of 257 tokens: fewer than the model has embeddings, as in Qwen2."""
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    table = {"<s>": 0, **{letter: index + 1 for index, letter in enumerate(alphabet)}}
    words = tokenizers.Tokenizer(tokenizers.models.BPE(table, []))
    words.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = tokenizers.decoders.ByteLevel()
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>")  # noqa: S106
    made.save_pretrained(folder)


@pytest.mark.parametrize(
    ("config", "more"),
    [("LlamaConfig", {}), ("Qwen2Config", {"tie_word_embeddings": True}), ("Qwen3Config", {"head_dim": 128})],
)
def test_transformers_computes_the_same(config: str, more: dict[str, object], tmp_path: Path) -> None:
    torch.manual_seed(0)
    made = transformers.AutoModelForCausalLM.from_config(getattr(transformers, config)(**SIZES, **more)).eval()
    made.save_pretrained(tmp_path / "source")
    byte_level(tmp_path / "source")
    (tmp_path / "out").mkdir()
    quantize(tmp_path / "source", tmp_path / "out" / "m.gguf", "gguf-f32")
    found = gguf.GGUFReader(tmp_path / "out" / "m.gguf").get_field("tokenizer.ggml.tokens")
    assert len(found.data) == 300  # what llama.cpp holds against the embedding's rows
    pytest.importorskip("accelerate", reason="transformers reads GGUF with it")
    read = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out", gguf_file="m.gguf", dtype=torch.float32)
    tokens = torch.arange(24)[None] * 3 % 96
    with torch.no_grad():
        one, other = read.eval()(tokens).logits, made(tokens).logits
    assert float((one - other).norm() / other.norm()) < 1e-5


def test_biases_are_regrouped_with_their_rows(tmp_path: Path) -> None:
    tensors = weights()
    tensors["model.layers.0.self_attn.q_proj.bias"] = np.arange(128, dtype=np.float32)
    quantize(write(tmp_path / "source", tensors), tmp_path / "m.gguf", "gguf-f16")
    found = {one.name: one for one in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    pairs = np.arange(128).reshape(4, 2, 16).swapaxes(1, 2).reshape(-1)
    assert np.array_equal(found["blk.0.attn_q.bias"].data, pairs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_hidden_layers": 10**9}, "layers"),
        ({"num_attention_heads": 0}, "num_attention_heads"),
        ({"num_attention_heads": 4.5}, "num_attention_heads"),
        ({"num_attention_heads": 3}, "3 heads"),
        ({"num_key_value_heads": "two"}, "num_key_value_heads"),
        ({"head_dim": [1]}, "head_dim"),
        ({"rope_theta": "x"}, "rope"),
        ({"rope_scaling": {"type": "linear"}}, "factor"),
        ({"sliding_window": 16, "use_sliding_window": True, "tie_word_embeddings": True}, "sliding"),
    ],
)
def test_configs_that_cannot_be_written_are_refused(change: dict[str, object], message: str, tmp_path: Path) -> None:
    source = write(tmp_path / "source", weights())
    (source / "config.json").write_text(json.dumps({**CONFIG, **change}))
    with pytest.raises(BadFile, match=message):
        quantize(source, tmp_path / "m.gguf", "gguf-q8_0")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["source"]
