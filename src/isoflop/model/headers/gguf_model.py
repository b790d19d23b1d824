"""From a GGUF header to a model: its metadata under the names of a config.json, read by the readers of families.

Where the tensors that the file lists are more or fewer than the model read from its metadata has, that is a doubt.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, shorten
from isoflop.model.config import reading_of
from isoflop.model.headers.check import check
from isoflop.model.spec import groups_of
from isoflop.quantity.toml_file import read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.model.config import Reading
    from isoflop.model.headers.tensors import Tensors
    from isoflop.model.spec import Layer, ModelSpec

MOST_LAYERS = 10_000

_BY_LAYER = ("num_attention_heads", "num_key_value_heads", "intermediate_size")


@cache
def _names() -> Mapping[str, Mapping[str, object]]:
    return read_toml(Path(__file__).with_name("gguf_names.toml"))  # type: ignore[return-value]


def spec_of_gguf(tensors: Tensors) -> Reading:
    """The model in a GGUF file, with a doubt for whatever its metadata leaves open or its tensors contradict."""
    metadata = tensors.metadata
    architecture = metadata.get("general.architecture")
    file = tensors.files[0]
    if not isinstance(architecture, str):
        raise BadFile(f"{file}: no text 'general.architecture' in the metadata, so the model is not known.")
    config, unread = _config(tensors, architecture)
    name = metadata.get("general.name")
    called = shorten(name) if isinstance(name, str) and name.strip() else Path(file).stem
    reading = _read(config, file, called)
    doubts = (
        *((f"not understood in the metadata: {', '.join(unread[:5])}",) if unread else ()),
        *tensors.doubts,
        *check(tensors, reading),
    )
    return replace(
        reading,
        spec=reading.spec.renamed(called, f"GGUF, architecture {shorten(architecture)}"),
        doubts=(*reading.doubts, *doubts),
        verified=reading.verified and not doubts,
        dtype="",
    )


def _config(tensors: Tensors, architecture: str) -> tuple[dict[str, object], tuple[str, ...]]:
    """(fields as a config.json has them, names in the metadata that nothing knows)."""
    held = {tensor.name: tensor for tensor in tensors.tensors}
    prefix = f"{architecture}."
    values = {key.removeprefix(prefix): one for key, one in tensors.metadata.items() if key.startswith(prefix)}
    kind = _model_type(architecture, values, held)
    names = {**_names()["field"], **_family(kind)}
    config: dict[str, object] = {"model_type": kind}
    unread = []
    inert = _names()["inert"]["names"]
    assert isinstance(inert, list)
    for key, value in values.items():
        field = names.get(key)
        if isinstance(field, str):
            config[field] = value
        elif not key.startswith(tuple(inert)):
            unread.append(key)
    config["tie_word_embeddings"] = "output.weight" not in held
    words = held.get("token_embd.weight")
    if words is not None and len(words.shape) == 2:
        config["vocab_size"] = words.shape[0]
    elif "vocab_size" in values:
        config["vocab_size"] = values["vocab_size"]
    _layers(config)
    _latent(config, values)
    _flags(config, kind, held, values)
    return config, tuple(unread)


def _model_type(architecture: str, values: Mapping[str, object], held: Mapping[str, object]) -> str:
    found = _names()["model_type"].get(architecture, architecture)
    assert isinstance(found, str)
    if found == "llama" and values.get("expert_count"):
        return "mixtral"
    corrected = any(name.endswith("exp_probs_b.bias") for name in held)
    return "deepseek_v3" if found == "deepseek_v2" and corrected else found


def _family(kind: str) -> Mapping[str, object]:
    found = _names()["family"].get(kind, {})
    assert isinstance(found, dict)
    return found


def _layers(config: dict[str, object]) -> None:
    """Blocks that predict further tokens are counted among the others there, and apart here."""
    more = config.get("num_nextn_predict_layers")
    for name in ("num_hidden_layers", "n_layer"):
        blocks = config.get(name)
        if isinstance(blocks, int) and isinstance(more, int) and 0 < more < blocks:
            config[name] = blocks - more


def _latent(config: dict[str, object], values: Mapping[str, object]) -> None:
    """Widths of latent attention: whole keys and their rotary part, in older files and in newer ones ("_mla")."""
    if "kv_lora_rank" not in config:
        return
    newer = "attention.key_length_mla" in values
    key = values.get("attention.key_length_mla" if newer else "attention.key_length")
    value = values.get("attention.value_length_mla" if newer else "attention.value_length")
    rotary = values.get("rope.dimension_count")
    if isinstance(key, int) and isinstance(rotary, int):
        config |= {"qk_rope_head_dim": rotary, "qk_nope_head_dim": key - rotary, "v_head_dim": value}
    config.setdefault("q_lora_rank", None)
    config["num_key_value_heads"] = config.get("num_attention_heads")
    config.pop("head_dim", None)


def _flags(config: dict[str, object], kind: str, held: Mapping[str, object], values: Mapping[str, object]) -> None:
    """What only the tensors tell: biases."""
    if kind in {"llama", "mixtral", "qwen3", "qwen3_moe", "glm4_moe", "granite", "seed_oss"}:
        config["attention_bias"] = "blk.0.attn_q.bias" in held
    if kind in {"llama", "granite"}:
        config["mlp_bias"] = "blk.0.ffn_gate.bias" in held
    if kind == "seed_oss":
        config["attention_out_bias"] = "blk.0.attn_output.bias" in held
    if kind == "starcoder2":
        config["use_bias"] = "blk.0.attn_q.bias" in held
    if kind == "stablelm":
        config["use_qkv_bias"] = "blk.0.attn_q.bias" in held
    if kind in {"mixtral", "qwen3_moe", "qwen2_moe", "olmoe", "phimoe"} and not config.get("num_experts", 1):
        config.pop("num_experts")
    del values


def _read(config: dict[str, object], file: str, name: str) -> Reading:
    """The reading; where heads or widths are listed by layer, each layer is that of a model with its own values."""
    layers = config.get("num_hidden_layers")
    listed = {key: config[key] for key in _BY_LAYER if isinstance(config.get(key), list)}
    if not listed or isinstance(layers, bool) or not isinstance(layers, int):
        return reading_of(config, file, name)
    if not 1 <= layers <= MOST_LAYERS or any(len(found) != layers for found in listed.values()):  # type: ignore[arg-type]
        raise BadFile(f"{file}: lists by layer are not as long as there are blocks ({layers:,}).")
    rows = [dict(zip(listed, row, strict=True)) for row in zip(*listed.values(), strict=True)]
    readings: dict[tuple[object, ...], Reading] = {}
    for row in rows:
        key = tuple(row.values())
        if not all(isinstance(one, int) and one > 0 for one in key):
            raise BadFile(f"{file}: a block without attention or feed-forward part ({row}) is not read from GGUF yet.")
        if key not in readings:
            readings[key] = reading_of({**config, **row}, file, name)
    first = next(iter(readings.values()))
    if len(readings) == 1:
        return first
    unrolled = {key: _unrolled(one.spec) for key, one in readings.items()}
    stack = replace(
        first.spec.stack,
        groups=groups_of(unrolled[tuple(row.values())][place] for place, row in enumerate(rows)),
    )
    return replace(first, spec=replace(first.spec, stack=stack))


def _unrolled(spec: ModelSpec) -> list[Layer]:
    return list(chain.from_iterable(repeat(layer, times) for times, layer in spec.stack.groups))
