"""Small checkpoints on disk, as real ones are laid out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIG = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 128, "intermediate_size": 256,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 96,
    "torch_dtype": "bfloat16", "rms_norm_eps": 1e-5, "max_position_embeddings": 64, "hidden_act": "silu",
    "tie_word_embeddings": False,
}  # fmt: skip


def shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor of the model that CONFIG describes."""
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (96, 128)}
    for layer in range(2):
        base = f"model.layers.{layer}."
        found |= {
            f"{base}self_attn.q_proj.weight": (128, 128), f"{base}self_attn.k_proj.weight": (64, 128),
            f"{base}self_attn.v_proj.weight": (64, 128), f"{base}self_attn.o_proj.weight": (128, 128),
            f"{base}mlp.gate_proj.weight": (256, 128), f"{base}mlp.up_proj.weight": (256, 128),
            f"{base}mlp.down_proj.weight": (128, 256), f"{base}input_layernorm.weight": (128,),
            f"{base}post_attention_layernorm.weight": (128,),
        }  # fmt: skip
    return found | {"model.norm.weight": (128,), "lm_head.weight": (96, 128)}


def weights(seed: int = 0, dtype: str = "bfloat16") -> dict[str, NDArray[np.generic]]:
    """Their values: heavy-tailed rows of unequal size."""
    import ml_dtypes

    rng = np.random.default_rng(seed)
    kind = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
    return {
        name: (rng.standard_t(4, shape) * 0.03 * np.exp(rng.standard_normal((shape[0], *[1] * (len(shape) - 1)))))
        .astype(np.float32)
        .astype(kind)
        for name, shape in shapes().items()
    }


def write(folder: Path, tensors: dict[str, NDArray[np.generic]], *, files: int = 2) -> Path:
    """A checkpoint of some files with an index, a config and a tokenizer."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json.txt").write_text("kept beside")
    (folder / "generation_config.json").write_text("{}")
    names = list(tensors)
    if files == 1:
        save_file(tensors, folder / "model.safetensors")
        return folder
    placed = {}
    for index in range(files):
        name = f"model-{index + 1:05d}-of-{files:05d}.safetensors"
        mine = {key: tensors[key] for key in names[index::files]}
        save_file(mine, folder / name)
        placed |= dict.fromkeys(mine, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": placed}))
    return folder


def read(folder: Path) -> dict[str, NDArray[np.generic]]:
    """All tensors of a folder, by the format's own reader."""
    import ml_dtypes  # noqa: F401 - teaches NumPy the formats that the reader asks for
    from safetensors.numpy import load_file

    found: dict[str, NDArray[np.generic]] = {}
    for file in sorted(Path(folder).glob("*.safetensors")):
        found |= load_file(file)
    return found
