"""Models by name: one TOML file each in `presets/`.

A file holds the parts of `spec` field by field, or a table `config` with the fields of the model's config.json, which
the family's reader reads (`null` names those that are null there: TOML has no word for it). A name is a file's stem
("llama-3.1-8b"), an alias inside a file, or any beginning that fits one file only. Upper case, spaces and underscores
do not matter. Only the file that is asked for is read, unless a name has to be searched for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from isoflop.errors import AmbiguousInput, BadFile, BadInput, UnknownName, shorten
from isoflop.model.parts import (  # noqa: TC001 (msgspec reads the annotations)
    Attention,
    Embedding,
    Head,
    Linear,
    Mlp,
    Moe,
    Norm,
)
from isoflop.model.spec import Group, Layer, ModelSpec, Stack
from isoflop.quantity.toml_file import read_toml

if TYPE_CHECKING:
    from isoflop.model.config import Reading

FOLDER = Path(__file__).parent / "presets"
LISTING = "isoflop model --list"

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class _Published(msgspec.Struct, frozen=True):
    params: float
    unit: Literal["param"]
    source: _Text


class _Layer(msgspec.Struct, frozen=True):
    norms: tuple[Norm, ...]
    attention: Attention | None = None
    cross: Attention | None = None
    mlp: Mlp | None = None
    moe: Moe | None = None
    parallel: bool = False


class _Group(msgspec.Struct, frozen=True):
    times: int
    layer: _Layer


class _Stack(msgspec.Struct, frozen=True):
    width: int
    groups: tuple[_Group, ...]
    norm: Norm | None = None


class _File(msgspec.Struct, frozen=True):
    name: _Text
    source: _Text
    embedding: Embedding
    stack: _Stack
    aliases: tuple[_Text, ...] = ()
    notes: tuple[_Text, ...] = ()
    published: _Published | None = None
    context: int | None = None
    head: Head | None = None
    encoder: _Stack | None = None
    extras: tuple[Linear, ...] = ()


class _ConfigFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: _Text
    source: _Text
    config: dict[str, Any]
    null: tuple[_Text, ...] = ()
    aliases: tuple[_Text, ...] = ()
    notes: tuple[_Text, ...] = ()
    published: _Published | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A model with what its file says beside the shape: other names, and the size its makers print.

    `published_params` is a figure as printed (rounded, or exact where a released checkpoint was counted), None where
    nobody prints one. `reading` is what the family's reader made of `config`, None where the file lists the parts.
    """

    spec: ModelSpec
    aliases: tuple[str, ...]
    published_params: float | None
    published_source: str
    reading: Reading | None = None


def model_names() -> tuple[str, ...]:
    """The names of all presets, sorted; a size ("7B") or a path is a model too."""
    return _stems()


def preset(name: str) -> Preset:
    """The preset called `name`, with its aliases and its published size."""
    found = _find(name)
    if found is None:
        raise UnknownName("model", name, _stems(), listing=LISTING)
    return _catalogued(found)


@lru_cache(maxsize=1024)
def exact_preset(name: str) -> str | None:
    """The preset whose whole name or alias `name` is, None for none."""
    wanted = _plain(name)
    return wanted if wanted in _stems() else _aliases().get(wanted)


@lru_cache(maxsize=1024)
def find_preset(name: str) -> str | None:
    """The name of the preset that `name` means, None for none; remembered: the folder does not change."""
    return _find(name)


@cache
def _catalogued(stem: str) -> Preset:
    return read_preset(FOLDER / f"{stem}.toml")


@cache
def _stems() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def _aliases() -> dict[str, str]:
    """Alias -> stem; looks into every file, so it is asked last."""
    found: dict[str, str] = {}
    for stem in _stems():
        listed = read_toml(FOLDER / f"{stem}.toml").get("aliases", ())
        assert isinstance(listed, list | tuple)
        found.update((_plain(str(alias)), stem) for alias in listed)
    return found


def _plain(name: str) -> str:
    """`name` as names are compared: lower case, hyphens for spaces and underscores."""
    return re.sub(r"[\s_]+", "-", name.strip().lower())


def _find(name: str) -> str | None:
    """The stem that `name` means: itself, an alias's, or the only one it begins; None where there is none."""
    wanted, stems = _plain(name), _stems()
    if wanted not in stems and wanted:
        beginning = [stem for stem in stems if stem.startswith(wanted)]
        wanted = _aliases().get(wanted, beginning[0] if len(beginning) == 1 else wanted)
        if wanted not in stems and beginning:
            shown = ", ".join(beginning[:6]) + (", ..." if len(beginning) > 6 else "")
            raise AmbiguousInput(
                f"'{shorten(name)}' begins the names of {len(beginning)} models: {shown}. Give one of them."
            )
    return wanted if wanted in stems else None


def read_preset(path: Path) -> Preset:
    """The preset in the file `path`; whatever is unknown, missing or out of range is refused with its key."""
    given = read_toml(path)
    try:
        if "config" in given:
            return _from_config(msgspec.convert(given, _ConfigFile, strict=True), path)
        file = msgspec.convert(given, _File, strict=True)
        _refuse_unknown(given, msgspec.to_builtins(file), "")
        spec = ModelSpec(
            name=file.name,
            stack=_stack(file.stack, "stack"),
            embedding=file.embedding,
            head=file.head,
            encoder=_stack(file.encoder, "encoder") if file.encoder else None,
            extras=file.extras,
            context=file.context,
            source=file.source,
            notes=file.notes,
        )
    except (msgspec.ValidationError, BadInput) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{path}: {error}. For the form see a preset: {FOLDER / 'gpt2.toml'}") from error
    return _preset(file, spec)


def _from_config(file: _ConfigFile, path: Path) -> Preset:
    from isoflop.model.config import reading_of  # most presets list their parts and need no reader

    config = {**file.config, **dict.fromkeys(file.null)}
    reading = reading_of(config, f"{path}, [config]", file.name)
    return _preset(file, replace(reading.spec, source=file.source, notes=file.notes), reading)


def _preset(file: _File | _ConfigFile, spec: ModelSpec, reading: Reading | None = None) -> Preset:
    published = file.published
    return Preset(
        spec=spec,
        aliases=file.aliases,
        published_params=published.params if published else None,
        published_source=published.source if published else "",
        reading=reading,
    )


def _stack(table: _Stack, key: str) -> Stack:
    groups = tuple(
        Group(group.times, _layer(group.layer, f"{key}.groups[{i}]")) for i, group in enumerate(table.groups)
    )
    return Stack(width=table.width, groups=groups, norm=table.norm)


def _layer(table: _Layer, key: str) -> Layer:
    if table.mlp is not None and table.moe is not None:
        raise BadInput(f"{key}.layer has both mlp and moe; give one of them (a shared expert is moe.shared)")
    return Layer(
        norms=table.norms,
        mixers=(table.attention,) if table.attention else (),
        cross=table.cross,
        mlp=table.mlp or table.moe,
        parallel=table.parallel,
    )


def _refuse_unknown(given: object, understood: object, key: str) -> None:
    """Raise at the first key of `given` that reading it did not take up (dataclasses would pass over it)."""
    if isinstance(given, dict) and isinstance(understood, dict):
        for name, value in given.items():
            here = f"{key}.{name}" if key else str(name)
            if name not in understood:
                close = UnknownName("key", here, [f"{key}.{other}" if key else other for other in understood])
                raise BadInput(str(close))
            _refuse_unknown(value, understood[name], here)
    elif isinstance(given, list) and isinstance(understood, list | tuple):
        for i, (one, other) in enumerate(zip(given, understood, strict=True)):
            _refuse_unknown(one, other, f"{key}[{i}]")
