"""A checkpoint to read from: which tensor lies where in which file, and what stands beside the weights.

Headers are believed only after all checks of `model.headers`; nothing is unpickled, and nothing outside the folder is
opened.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from isoflop.errors import BadFile, shorten
from isoflop.model.headers import read_tensors
from isoflop.model.headers.safetensors import INDEX, MOST_HEADER, read_safetensors
from isoflop.quantity.json_file import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

FLOATS = {"F64": "fp64", "F32": "fp32", "F16": "fp16", "BF16": "bf16"}
"""Number formats of safetensors that can be quantized or cast, and our names for them."""

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}

_PART = re.compile(r"-\d{5}-of-(\d{5})\.safetensors$")
_TEMPLATES = "additional_chat_templates"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_WEIGHTS = (*_PICKLED, ".safetensors", ".gguf", ".onnx", ".h5", ".msgpack", ".npz", ".tflite")
_CONVERT = (
    "These are pickles, which run code when they are read, so they are not. Convert them once, where you trust them: "
    "AutoModel.from_pretrained(PATH).save_pretrained(OUT) of transformers writes safetensors."
)


class Placed(NamedTuple):
    """One tensor in its file: `begin` is its first byte, counted from the start of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    bytes: int

    @property
    def numbers(self) -> int:
        """Elements held."""
        count = 1
        for side in self.shape:
            count *= side
        return count


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceShard:
    """One file of weights and its tensors, in the order they lie."""

    path: Path
    tensors: tuple[Placed, ...]
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A checkpoint: its folder, files of weights, config (empty where there is none) and the files carried along.

    `left` are folders in it that are not.
    """

    folder: Path
    shards: tuple[SourceShard, ...]
    config: Mapping[str, object]
    beside: tuple[Path, ...]
    left: tuple[str, ...]
    is_folder: bool

    @property
    def tensors(self) -> tuple[Placed, ...]:
        """All tensors of all files."""
        return tuple(tensor for shard in self.shards for tensor in shard.tensors)

    @property
    def bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.bytes for tensor in self.tensors)


def open_source(path: str | PathLike[str]) -> Source:
    """The checkpoint at `path`: a folder, a safetensors file, or the index of several.

    Raises:
        BadFile: pickled weights, files missing, or headers that do not add up.
    """
    place = Path(path)
    called = shorten(str(place), most=200)
    if place.suffix.lower() in _PICKLED:
        raise BadFile(f"{called}: {_CONVERT}")
    if place.suffix.lower() == ".gguf":
        raise BadFile(
            f"{called}: a GGUF file is quantized already; give the safetensors checkpoint that it was made of."
        )
    if not place.exists():
        raise BadFile(f"{called}: not there. Give a folder with safetensors files, one such file, or their index.")
    is_folder = place.is_dir()
    folder = place if is_folder else place.parent
    if is_folder and not any(folder.glob("*.safetensors")):
        if any(one.suffix.lower() in _PICKLED for one in folder.iterdir()):
            raise BadFile(f"{called}: no safetensors files but pickled weights. {_CONVERT}")
        raise BadFile(f"{called}: no *.safetensors in this folder; give the folder of a checkpoint.")
    found = read_tensors(place)
    names = _all_there(place, found.files, called)
    shards = tuple(_shard(folder / name) for name in names)
    config = _config(folder / "config.json") if (folder / "config.json").is_file() else {}
    whole = is_folder or place.suffix == ".json"
    beside, left = _beside(folder) if whole else ((), ())
    return Source(folder=folder, shards=shards, config=config, beside=beside, left=left, is_folder=is_folder)


def _config(path: Path) -> Mapping[str, object]:
    """The config, checked as all JSON is, but with its infinities ("time_step_limit": [0, Infinity]) as numbers."""
    read_json(path, infinity=True)
    found: Mapping[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _all_there(place: Path, found: tuple[str, ...], called: str) -> tuple[str, ...]:
    """The files found, which must be all that an index lists or that their names count."""
    is_folder = place.is_dir()
    index = place / INDEX if is_folder else place if place.suffix == ".json" else place.parent / INDEX
    if index.is_file():
        placed = read_json(index, most_bytes=MOST_HEADER)["weight_map"]
        listed = set(placed.values()) if isinstance(placed, dict) else set()  # any text, where `place` is a file
        lost = sorted(str(name) for name in listed - set(found))
        if lost and (is_folder or index == place or listed & set(found)):
            raise BadFile(f"{called}: {len(lost):,} of {len(listed):,} files are missing (the first: {lost[0]}).")
    elif is_folder:
        due = max((int(part[1]) for name in found if (part := _PART.search(name))), default=0)
        if due > len(found):
            raise BadFile(f"{called}: {due - len(found):,} of {due:,} files are missing, so it is not the whole model.")
    return found


def _shard(path: Path) -> SourceShard:
    """One file: as its tensors lie without gaps up to its end, their lengths say where each begins."""
    listed = read_safetensors(path)
    reached = path.stat().st_size - listed.bytes
    placed = []
    for tensor in listed.tensors:
        placed.append(Placed(tensor.name, tensor.dtype, tensor.shape, reached, tensor.bytes))
        reached += tensor.bytes
    metadata = {key: value for key, value in listed.metadata.items() if isinstance(value, str)}
    return SourceShard(path=path, tensors=tuple(placed), metadata=metadata)


def _beside(folder: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """(tokenizer, templates and the like: files that hold no weights and are not rewritten; folders left behind)."""
    rewritten = {"config.json", INDEX, "quantization_report.json"}
    folders = sorted(one.name for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    templates = sorted((folder / _TEMPLATES).glob("*.jinja")) if _TEMPLATES in folders else []
    files = sorted(
        one
        for one in folder.iterdir()
        if one.is_file()
        and one.suffix.lower() not in _WEIGHTS
        and one.name not in rewritten
        and not one.name.startswith(".")
        and not one.name.endswith(".index.json")
    )
    return (*files, *templates), tuple(name for name in folders if name != _TEMPLATES)
