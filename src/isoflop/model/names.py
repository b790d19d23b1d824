"""What a model may be called: a preset, a size, a file, a folder, a name on the Hub; and what is known of it.

Tried in this order: `hf:org/name` (the only one that may use the network), a text that ends like a file or holds a
slash, a preset by its whole name or alias, a file or folder that is there under that name, the beginning of a preset's
name, a size ("7B"). A folder called like a preset is `./gpt2`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from isoflop.errors import BadFile, BadInput, MissingData, UnknownName, shorten
from isoflop.model.presets import LISTING, Preset, exact_preset, find_preset, model_names, preset, read_preset
from isoflop.model.sizes import shape_for
from isoflop.model.spec import ModelSpec
from isoflop.quantity import quantity, read
from isoflop.relation.shown import Shown

if TYPE_CHECKING:
    from isoflop.model.config import Reading
    from isoflop.model.headers import Tensors
    from isoflop.model.weight_bytes import Storage

Origin = Literal["preset", "size", "config", "hub", "file", "spec"]

HUB = "hf:"
"""What stands before a name that may be looked up on the Hub."""

CONFIG = "config.json"
WEIGHTS = (".safetensors", ".gguf")
"""Endings of files whose headers are read."""

INDEX = ".index.json"

_FILES = (".toml", ".json", *WEIGHTS)
_SIZE = re.compile(r"\s*(?:~\s*)?\.?\d")
_ORG_AND_NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Description(Shown):
    """A model, where it comes from, and whether what was read is known to be complete.

    `reading` is what was made of its config, None where it was not read from one. `tensors` are those that its files
    list, None where no files of weights were there. `published_params` is the size its makers print.
    """

    spec: ModelSpec
    origin: Origin
    reading: Reading | None = None
    tensors: Tensors | None = None
    published_params: float | None = None
    published_source: str = ""

    @property
    def model_type(self) -> str:
        """The family that its config names, "" where there is none."""
        return self.reading.model_type if self.reading else ""

    @property
    def verified(self) -> bool:
        """Whether every field that could change the shape was understood, and nothing contradicts."""
        return self.reading is None or self.reading.verified

    @property
    def not_understood(self) -> tuple[str, ...]:
        """Fields of the config that nobody read and that may matter."""
        return self.reading.not_understood if self.reading else ()

    @property
    def doubts(self) -> tuple[str, ...]:
        """What else is uncertain."""
        return self.reading.doubts if self.reading else ()

    @property
    def dtype(self) -> str:
        """The number format that the config names for its weights, "" where it names none."""
        return self.reading.dtype if self.reading else ""

    @property
    def storage(self) -> Storage | None:
        """How the config says that its weights are stored; None where no config does, as for GGUF files."""
        if self.reading is None or (self.tensors is not None and self.tensors.kind == "gguf"):
            return None
        if self.origin == "preset" and not self.dtype and self.reading.quantization is None:
            return None
        from isoflop.model.weight_bytes import storage_of  # what is asked for a shape does without

        return storage_of(self.reading)

    @property
    def why(self) -> tuple[str, ...]:
        """Why the reading is not verified; nothing where it is."""
        unread = ", ".join(self.not_understood)
        return (*self.doubts, *((f"not understood: {unread}",) if unread else ()))

    @property
    def warning(self) -> str:
        """The same as one sentence for whoever uses the model, "" where it is verified."""
        if self.verified:
            return ""
        said = "; ".join(self.why) or "nothing more is known"
        return f"the shape of {self.spec.name} is not verified, so its counts may be wrong: {said}"


Name = str | float | Path | ModelSpec
"""What `model` and `describe` take."""


def model(name: Name) -> ModelSpec:
    """The model that `name` means: a preset ("gpt2-xl"), a size ("7B", 7e9), a path, `hf:org/name`, or itself.

    A size gives a concrete shape by the rule of `sizes.shape_for`; the spec's `source` says so. Whether the reading of
    a file is known to be complete says `describe`.

    >>> model("llama-3.1-8b").width
    4096
    """
    return describe(name).spec


def describe(name: Name) -> Description:
    """The model that `name` means and what is known of it beside the shape.

    >>> describe("llama-3.1-8b").verified
    True
    """
    if isinstance(name, ModelSpec):
        return Description(spec=name, origin="spec")
    if isinstance(name, Path):
        return _of_path(name)
    if isinstance(name, int | float):
        return Description(spec=shape_for(float(name)), origin="size")
    if name.startswith(HUB):
        from isoflop.model.hub import config_of  # who asks for no name of the Hub does not pay for it

        reading = config_of(name.removeprefix(HUB))
        return Description(spec=reading.spec, origin="hub", reading=reading)
    if name.lower().endswith(_FILES) or "/" in name or "\\" in name:
        return _of_path(Path(name))
    found = exact_preset(name)
    if found is None and name.strip() and _is_there(name):
        return _of_path(Path(name))
    found = found or find_preset(name)
    if found is not None:
        return _of_preset(preset(found))
    if _SIZE.match(name):
        return Description(spec=shape_for(read(name, quantity("params")).spread.median), origin="size")
    raise UnknownName("model", name, model_names(), listing=LISTING)


def bare_tensors(name: Name) -> Tensors | None:
    """The tensors of files that have no shape: safetensors without a config.json beside; None for everything else."""
    if isinstance(name, ModelSpec | int | float) or str(name).startswith(HUB) or not str(name).strip():
        return None
    path = Path(name)
    if not _is_there(str(path)) or not _holds_weights(path):
        return None
    folder = path if path.is_dir() else path.parent
    if (folder / CONFIG).exists():
        return None
    from isoflop.model.headers import read_tensors

    tensors = read_tensors(path)
    return None if tensors.kind == "gguf" else tensors


def _is_there(name: str) -> bool:
    try:
        return bool(name.strip()) and Path(name).exists()
    except (OSError, ValueError):  # no name of a file: too long, a NUL in it
        return False


def _of_path(path: Path) -> Description:
    if path.suffix == ".toml":
        return _of_preset(read_preset(path))
    if not _is_there(str(path)):
        raise BadFile(_missing(str(path)))
    if _holds_weights(path):
        from isoflop.model.headers import model_of

        reading, tensors = model_of(path)
        return Description(spec=reading.spec, origin="file", reading=reading, tensors=tensors)
    if path.is_dir() and not (path / CONFIG).exists():
        raise MissingData(f"{shorten(str(path), most=200)}: no {CONFIG} in this folder; give the path of one.")
    from isoflop.model.config import read_config

    reading = read_config(path)
    return Description(spec=reading.spec, origin="config", reading=reading)


def _holds_weights(path: Path) -> bool:
    """Whether a file is one of weights, or a folder holds such files."""
    if path.is_dir():
        return any(next(path.glob(f"*{ending}"), None) for ending in WEIGHTS)
    return path.suffix in WEIGHTS or path.name.endswith(INDEX)


def _missing(name: str) -> str:
    """What to say of a path that is not there: it may be meant for the Hub, or the name of a preset."""
    said = f"'{shorten(name)}': no such file or folder."
    if _ORG_AND_NAME.fullmatch(name):
        try:
            known = find_preset(name.partition("/")[2])
        except BadInput:
            known = None
        here = f", or {known} for the preset" if known else ""
        return f"{said} Give the path of a config.json, write hf:{shorten(name)} to look it up on the Hub{here}."
    return f"{said} Give the path of a config.json or of its folder, or a preset; list those with: {LISTING}"


def _of_preset(found: Preset) -> Description:
    return Description(
        spec=found.spec,
        origin="preset",
        reading=found.reading,
        published_params=found.published_params,
        published_source=found.published_source,
    )
