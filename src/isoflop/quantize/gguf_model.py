"""What a GGUF file says of its model: the family, its sizes, its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, shorten

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from isoflop.quantize.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One architecture of GGUF: its name, how it splits text (`pre`), whether rows of q and k are regrouped."""

    name: str
    constant: str
    pre: str
    regroup: bool = False

    def architecture(self, gguf: ModuleType) -> object:
        """The library's constant for it."""
        found: object = getattr(gguf.MODEL_ARCH, self.constant)
        return found


FAMILIES = {
    "llama": Family(name="llama", constant="LLAMA", pre="llama-bpe", regroup=True),
    "mistral": Family(name="llama", constant="LLAMA", pre="tekken", regroup=True),
    "qwen2": Family(name="qwen2", constant="QWEN2", pre="qwen2"),
    "qwen3": Family(name="qwen3", constant="QWEN3", pre="qwen2"),
}
"""model_type -> how it is written. Others are refused."""

MOST_LAYERS = 10_000
_GIVEN = ("num_key_value_heads", "head_dim")

_NEEDED = (
    "num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "max_position_embeddings",
    "rms_norm_eps", "vocab_size",
)  # fmt: skip


def arch_of(found: Source) -> str:
    """The model_type, one that can be written.

    Raises:
        BadFile: no config, another family, or features that would be lost.
    """
    config = found.config
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise BadFile(
            f"{shorten(str(found.folder), most=200)}: GGUF is written for {', '.join(FAMILIES)}, not for "
            f"'{shorten(str(kind))}'; llama.cpp's own convert_hf_to_gguf.py knows more."
        )
    lacking = [name for name in _NEEDED if not _counts(config.get(name), whole=name != "rms_norm_eps")]
    lacking += [name for name in _GIVEN if config.get(name) is not None and not _counts(config[name], whole=True)]
    if lacking:
        raise BadFile(f"{shorten(str(found.folder), most=200)}: config.json lacks a number for {', '.join(lacking)}.")
    if int(str(config["num_hidden_layers"])) > MOST_LAYERS:
        raise BadFile(f"{shorten(str(found.folder), most=200)}: more than {MOST_LAYERS:,} layers.")
    _check_rope(config, str(found.folder))
    if config.get("sliding_window") and config.get("use_sliding_window", kind == "mistral"):
        raise BadFile(f"{shorten(str(found.folder), most=200)}: sliding windows are not written to GGUF here.")
    return kind


def _counts(value: object, *, whole: bool) -> bool:
    """Whether it is a number above zero, of a size that a model can have."""
    kind = int if whole else int | float
    return isinstance(value, kind) and not isinstance(value, bool) and 0 < value < 2**31


def _rope(config: object) -> dict[str, object]:
    assert isinstance(config, dict)
    found = config.get("rope_parameters") or config.get("rope_scaling") or {}
    return found if isinstance(found, dict) else {}


def _check_rope(config: object, called: str) -> None:
    assert isinstance(config, dict)
    rope = _rope(config)
    kind = rope.get("rope_type", rope.get("type", "default"))
    theta = rope.get("rope_theta") or config.get("rope_theta") or 10000.0
    if not _counts(theta, whole=False) or (kind == "linear" and not _counts(rope.get("factor"), whole=False)):
        raise BadFile(
            f"{shorten(called, most=200)}: config.json has no number for rope_theta, or for the rope's factor."
        )
    if kind not in {"default", "linear"}:
        raise BadFile(
            f"{shorten(called, most=200)}: rope scaling '{shorten(str(kind))}' is not written to GGUF here; llama.cpp"
            "'s own convert_hf_to_gguf.py knows it."
        )


def heads_of(found: Source, arch: str, name: str) -> int:
    """Heads by which the rows of this tensor are regrouped; 0 for none."""
    if not FAMILIES[arch].regroup:
        return 0
    heads = int(str(found.config["num_attention_heads"]))
    if name.endswith(("q_proj.weight", "q_proj.bias")):
        return heads
    if name.endswith(("k_proj.weight", "k_proj.bias")):
        return int(str(found.config.get("num_key_value_heads") or heads))
    return 0


def describe_model(found: Source, writer: object, gguf: ModuleType, kind: str) -> None:
    """Add sizes and tokenizer to a GGUFWriter."""
    config = found.config
    rope = _rope(config)
    heads = int(str(config["num_attention_heads"]))
    width = int(str(config.get("head_dim") or int(str(config["hidden_size"])) // heads))
    adds = {
        "add_name": found.folder.resolve().name, "add_block_count": config["num_hidden_layers"],
        "add_context_length": config["max_position_embeddings"], "add_embedding_length": config["hidden_size"],
        "add_feed_forward_length": config["intermediate_size"], "add_head_count": heads,
        "add_head_count_kv": config.get("num_key_value_heads") or heads,
        "add_layer_norm_rms_eps": config["rms_norm_eps"],
        "add_rope_freq_base": float(str(rope.get("rope_theta") or config.get("rope_theta") or 10000.0)),
        "add_rope_dimension_count": width, "add_key_length": width, "add_value_length": width,
        "add_vocab_size": config["vocab_size"], "add_quantization_version": gguf.GGML_QUANT_VERSION,
    }  # fmt: skip
    for method, value in adds.items():
        getattr(writer, method)(value)
    if rope.get("rope_type", rope.get("type")) == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)  # type: ignore[attr-defined]
        writer.add_rope_scaling_factor(float(str(rope["factor"])))  # type: ignore[attr-defined]
    file_type = getattr(gguf.LlamaFileType, f"MOSTLY_{kind}", None)
    if file_type is not None:
        writer.add_file_type(file_type)  # type: ignore[attr-defined]
    _add_tokenizer(found.folder, FAMILIES[str(config["model_type"])].pre, int(str(config["vocab_size"])), writer, gguf)


def _add_tokenizer(folder: Path, pre: str, rows: int, writer: object, gguf: ModuleType) -> None:
    """The tokenizer: byte-level BPE of tokenizer.json, SentencePiece of tokenizer.model, or "none"; `rows` tokens."""
    if (folder / "tokenizer.model").is_file() and gguf.vocab.SentencePieceProcessor is not None:
        vocab, kind, merges = gguf.SentencePieceVocab(folder), "llama", False
    elif (folder / "tokenizer.json").is_file():
        try:
            vocab, kind, merges = gguf.BpeVocab(folder), "gpt2", True
        except (TypeError, FileNotFoundError, ValueError) as error:
            raise BadFile(f"{shorten(str(folder), most=200)}: its tokenizer is no byte-level BPE: {error}.") from error
    elif (folder / "tokenizer.model").is_file():
        raise BadFile(
            f"{shorten(str(folder), most=200)}: tokenizer.model is read by sentencepiece; pip install sentencepiece"
        )
    else:
        writer.add_tokenizer_model("none")  # type: ignore[attr-defined]
        return
    texts, scores, types = (list(row) for row in zip(*vocab.all_tokens(), strict=True))
    missing = rows - len(texts)  # embeddings are padded; a reader takes the list of tokens for their number
    if missing < 0:
        raise BadFile(f"{shorten(str(folder), most=200)}: {len(texts):,} tokens, but embeddings for only {rows:,}.")
    texts += [f"[PAD{len(texts) + index}]".encode() for index in range(missing)]
    scores += [-1000.0] * missing
    types += [gguf.TokenType.UNUSED] * missing
    writer.add_tokenizer_model(kind)  # type: ignore[attr-defined]
    writer.add_tokenizer_pre(pre if merges else "default")  # type: ignore[attr-defined]
    writer.add_token_list(texts)  # type: ignore[attr-defined]
    writer.add_token_scores(scores)  # type: ignore[attr-defined]
    writer.add_token_types(types)  # type: ignore[attr-defined]
    gguf.SpecialVocab(folder, load_merges=merges, n_vocab=len(texts)).add_to_gguf(writer, quiet=True)
