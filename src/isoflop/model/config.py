"""Reading a config.json: whose family it is, what its fields mean, and whether the reading is known to be complete."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput, shorten
from isoflop.model.families import class_defaults, readers
from isoflop.model.families.generic import generic
from isoflop.model.fields import Fields
from isoflop.quantity.json_file import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from isoflop.model.spec import ModelSpec

INNER = ("text_config", "llm_config", "language_config", "thinker_config")
"""Where configs of several modalities keep the part that reads and writes text."""

_ASIDE = ("quantization_config", "compression_config")
"""Read by `quantized`; they change bytes, not shapes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was made of a config file.

    `verified` is true only where the family is known, every field that could change the shape was understood, and
    nothing contradicts. `not_understood` names the fields that nobody read, `doubts` says what else is uncertain.
    `dtype` is the data type that the file names for its weights ("bfloat16"), "" where it names none.
    `quantization` is its quantization as written.
    """

    spec: ModelSpec
    model_type: str
    verified: bool
    not_understood: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    dtype: str = ""
    quantization: Mapping[str, object] | None = None

    def renamed(self, name: str, source: str) -> Reading:
        """The same reading with another name and source."""
        return replace(self, spec=self.spec.renamed(name, source))


def read_config(path: Path) -> Reading:
    """The model in a config.json, or in a folder that holds one."""
    file = path / "config.json" if path.is_dir() else path
    name = file.resolve().parent.name if file.name == "config.json" else file.stem
    return reading_of(read_json(file), str(file), name)


def reading_of(config: Mapping[str, object], file: str, name: str) -> Reading:
    """What is made of the fields `config`; `file` is what errors call them."""
    fields = Fields(config, file)
    fields.ignore(*_ASIDE)
    kind = fields.word("model_type")
    spec, kind, known = _read(fields, kind)
    doubts, unread = fields.all_doubts(), fields.not_understood()
    if not known:
        said = f"model_type '{shorten(kind)}' is not known" if kind else "the file names no model_type"
        doubts = (f"{said}: read like Llama, by the usual names of fields", *doubts)
    quantization = next((config[key] for key in _ASIDE if isinstance(config.get(key), dict)), None)
    return Reading(
        spec=spec.renamed(name, f"config.json, model_type {kind}" if kind else "config.json"),
        model_type=kind,
        verified=known and not doubts and not unread,
        not_understood=unread,
        doubts=doubts,
        dtype=_dtype(config),
        quantization=quantization,  # type: ignore[arg-type]
    )


def _read(fields: Fields, kind: str) -> tuple[ModelSpec, str, bool]:
    """(spec, model type that was read, whether it is known); of several modalities the text part."""
    read = readers().get(kind)
    try:
        if read is not None:
            fields.assume(class_defaults(kind))
            return read(fields), kind, True
        for key in INNER:
            inner = fields.within(key)
            if inner is not None:
                _agree(fields, inner)
                return _read(inner, inner.word("model_type") or kind)
        return generic(fields), kind, False
    except BadInput as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{fields.file}: {error}") from error


def _agree(fields: Fields, inner: Fields) -> None:
    """Whether the head is tied is said outside, inside or twice: transformers 5 follows the outside, 4 the inside."""
    outside = fields.values.get("tie_word_embeddings")
    fields.ignore("tie_word_embeddings")
    if isinstance(outside, bool):
        if inner.has("tie_word_embeddings") and inner.values["tie_word_embeddings"] != outside:
            fields.doubt("tie_word_embeddings is not the same in the file and in its text part")
        inner.assume({"tie_word_embeddings": outside})


def _dtype(config: Mapping[str, object]) -> str:
    for key in ("dtype", "torch_dtype"):
        value = config.get(key)
        if isinstance(value, str):
            return value.removeprefix("torch.")
    for key in INNER:
        inner = config.get(key)
        if isinstance(inner, dict):
            return _dtype(inner)
    return ""
