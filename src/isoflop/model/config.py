"""Reading a config.json: whose family it is, what its fields mean, and whether the reading is known to be complete."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput, shorten
from isoflop.model.architectures import class_doubts
from isoflop.model.count import counts
from isoflop.model.families import class_defaults, reader
from isoflop.model.families.generic import generic
from isoflop.model.families.multimodal import KEYS, unknown
from isoflop.model.fields import Fields
from isoflop.model.spec import LARGEST
from isoflop.quantity.json_file import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from isoflop.model.spec import ModelSpec

_ASIDE = ("quantization_config", "compression_config")
"""Read by `quantized`; they change bytes, not shapes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was made of a config file.

    `verified` is true only where the family is known, every field that could change the shape was understood, and
    nothing contradicts. `not_understood` names the fields that nobody read, `doubts` says what else is uncertain.
    `dtype` is the data type that the file names for its weights ("bfloat16"), "" where it names none.
    `quantization` is its quantization as written, `config` all its fields, `file` what errors call it.
    """

    spec: ModelSpec
    model_type: str
    verified: bool
    not_understood: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    dtype: str = ""
    quantization: Mapping[str, object] | None = None
    config: Mapping[str, object] = field(default_factory=dict)
    file: str = "config.json"

    def renamed(self, name: str, source: str) -> Reading:
        """The same reading with another name and source."""
        return replace(self, spec=self.spec.renamed(name, source))


def read_config(path: Path) -> Reading:
    """The model in a config.json, or in a folder that holds one."""
    file = path / "config.json" if path.is_dir() else path
    config = read_json(file, infinity=True)
    name = file.resolve().parent.name if file.name == "config.json" else file.stem
    return reading_of(config, str(file), name)


def reading_of(config: Mapping[str, object], file: str, name: str) -> Reading:
    """What is made of the fields `config`; `file` is what errors call them."""
    fields = Fields(config, shorten(file, most=200))
    fields.ignore(*_ASIDE)
    kind = fields.word("model_type") or _unnamed(fields)
    try:
        spec, known = _read(fields, kind)
        _check_size(spec, fields.file)
    except BadInput as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{fields.file}: {error}") from error
    if known:
        for doubt in class_doubts(config, kind, headed=spec.head is not None):
            fields.doubt(doubt)
    doubts, unread = fields.all_doubts(), fields.not_understood()
    return Reading(
        spec=spec.renamed(name, f"config.json, model_type {shorten(kind)}" if kind else "config.json"),
        model_type=kind,
        verified=known and not doubts and not unread,
        not_understood=unread,
        doubts=doubts,
        dtype=_dtype(config),
        quantization=_quantization(fields, config),
        config=config,
        file=fields.file,
    )


def _read(fields: Fields, kind: str) -> tuple[ModelSpec, bool]:
    """The model, and whether its type is known; of an unknown type that has a text part, that part."""
    read = reader(kind)
    if read is not None:
        fields.assume(class_defaults(kind))
        return read(fields), True
    said = f"model_type '{shorten(kind)}' is not known" if kind else "the file names no model_type"
    try:
        spec = unknown(fields, kind)
        if spec is None:
            fields.doubt(f"{said}: read like Llama, by the usual names of fields")
            spec = generic(fields)
    except BadFile as error:
        raise BadFile(f"{error} ({said}: it was read like Llama, by the usual names of fields.)") from error
    return spec, False


def _unnamed(fields: Fields) -> str:
    """The type of files that name none and yet are known by their fields."""
    return "mamba_ssm" if isinstance(fields.values.get("ssm_cfg"), dict) else ""


def _check_size(spec: ModelSpec, file: str) -> None:
    """Refuse what no field alone gives away: widths that are possible each by itself and absurd together."""
    found = counts(spec).params
    if found > LARGEST:
        raise BadFile(f"{file}: its fields make a model of {found:.1e} parameters; some of them are wrong.")


def _quantization(fields: Fields, config: Mapping[str, object]) -> Mapping[str, object] | None:
    """Its quantization as written, of the whole or of its text part (Kimi-K2.5).

    DeepSeek-V4 says beside it that experts have a format of their own.
    """
    for key in _ASIDE:
        found = config.get(key)
        if isinstance(found, dict):
            apart = {name: config[name] for name in ("expert_dtype",) if name in config}
            return {**apart, **found} if found.get("quant_method") == "fp8" else found
        if found:
            raise fields.wrong(key, found, "an object, or null")
    inner = next((config[key] for key in KEYS if isinstance(config.get(key), dict)), None)
    return None if inner is None else _quantization(fields, inner)  # type: ignore[arg-type]


def _dtype(config: Mapping[str, object]) -> str:
    for key in ("dtype", "torch_dtype"):
        value = config.get(key)
        if isinstance(value, str):
            return value.removeprefix("torch.")
    inner = next((config[key] for key in KEYS if isinstance(config.get(key), dict)), {})
    return _dtype(inner) if inner else ""  # type: ignore[arg-type]
