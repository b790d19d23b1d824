"""Bytes of what a checkpoint loads beside the model that text passes: an encoder of images, by its config."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

GATED = ("gemma4", "qwen2_5", "pixtral", "mistral3")
"""Beginnings of model types whose image encoders have gated feed-forward parts (three matrices)."""

KEYS = ("vision_config", "audio_config")
_BYTES = 2.0
_CHANNELS = 3


def tower_bytes(config: Mapping[str, object]) -> float:
    """Bytes in 16 bits of the encoders that a multimodal config describes; 0 where it describes none.

    Attention (4 h^2) and feed-forward part (2 or 3 h i) of every layer, patches, positions. Neglects what joins it to
    the model (5 to 10 % of it) unless the config gives its width; within 10 % of released towers of 0.4 to 0.6 B.
    """
    return _BYTES * sum(_params(found) for key in KEYS if isinstance(found := config.get(key), dict))


def _params(tower: Mapping[str, object]) -> float:
    width = _number(tower, "hidden_size", "vt_hidden_size", "d_model")
    layers = _number(tower, "depth", "num_hidden_layers", "vt_num_hidden_layers", "encoder_layers")
    inner = _number(tower, "intermediate_size", "vt_intermediate_size", "encoder_ffn_dim") or 4 * width
    gated = str(tower.get("model_type", "")).startswith(GATED)
    each = 4 * width**2 + (3 if gated else 2) * width * inner
    patch = _number(tower, "patch_size", "vt_patch_size")
    positions = _number(tower, "position_embedding_size", "num_position_embeddings") * width
    out, merged = _number(tower, "out_hidden_size"), _number(tower, "spatial_merge_size") ** 2 * width
    joins = merged**2 + merged * out if out and merged else 0.0
    return layers * each + _CHANNELS * patch**2 * width + positions + joins


def _number(tower: Mapping[str, object], *names: str) -> float:
    """The first of the fields that is a plausible size, else 0."""
    for name in names:
        value = tower.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**20:
            return float(value)
    return 0.0
