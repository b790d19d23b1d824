"""What a model may be called: a preset, a size, a file, a folder, a name on the Hub; and what is known of it.

Tried in this order: `hf:org/name` (the only one that may use the network), a text that ends like a file or holds a
slash, a preset by name, alias or beginning, a size ("7B"), a file or folder that is there under that name. A folder
called like a preset is `./gpt2`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from isoflop.errors import BadFile, BadInput, MissingData, UnknownName, shorten
from isoflop.model.presets import LISTING, Preset, find_preset, model_names, preset, read_preset
from isoflop.model.sizes import shape_for
from isoflop.model.spec import ModelSpec
from isoflop.quantity import quantity, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.model.config import Reading

Origin = Literal["preset", "size", "config", "hub", "spec"]

HUB = "hf:"
"""What stands before a name that may be looked up on the Hub."""

_FILES = (".toml", ".json")
_SIZE = re.compile(r"\s*[~.\d]")
_ORG_AND_NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A model, where it comes from, and whether the reading is known to be complete.

    `verified` is true where every field that could change the shape was understood; else `not_understood` names those
    that were not, and `doubts` says what else is uncertain. `dtype` is the data type that the file names for its
    weights, "" where none is named; `quantization` what it says of quantised ones, as written.
    """

    spec: ModelSpec
    origin: Origin
    model_type: str = ""
    verified: bool = True
    not_understood: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    dtype: str = ""
    quantization: Mapping[str, object] | None = None
    published_params: float | None = None
    published_source: str = ""

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

        return replace(_of_reading(config_of(name.removeprefix(HUB))), origin="hub")
    if name.endswith(_FILES) or "/" in name or "\\" in name:
        return _of_path(Path(name))
    found = find_preset(name)
    if found is not None:
        return _of_preset(preset(found))
    if _SIZE.match(name):
        return Description(spec=shape_for(read(name, quantity("params")).spread.median), origin="size")
    if _is_there(name):
        return _of_path(Path(name))
    raise UnknownName("model", name, model_names(), listing=LISTING)


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
    from isoflop.model.config import read_config

    if path.is_dir() and not (path / "config.json").exists():
        raise MissingData(f"{shorten(str(path))}: no config.json in this folder; give the path of one.")
    return _of_reading(read_config(path))


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
    known = {"published_params": found.published_params, "published_source": found.published_source}
    if found.reading is None:
        return Description(spec=found.spec, origin="preset", **known)  # type: ignore[arg-type]
    return replace(_of_reading(found.reading), origin="preset", spec=found.spec, **known)  # type: ignore[arg-type]


def _of_reading(reading: Reading) -> Description:
    return Description(
        spec=reading.spec,
        origin="config",
        model_type=reading.model_type,
        verified=reading.verified,
        not_understood=reading.not_understood,
        doubts=reading.doubts,
        dtype=reading.dtype,
        quantization=reading.quantization,
    )
