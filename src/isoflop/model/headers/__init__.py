"""What files of weights say of themselves: safetensors and GGUF, by their headers alone.

A file of 500 GB costs as much as its header. Nothing in a header is believed that the rest of it, or the size of the
file, contradicts: such files are refused.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, MissingData, shorten
from isoflop.model.headers.gguf import read_gguf
from isoflop.model.headers.safetensors import INDEX, read_index, read_safetensors, read_shards
from isoflop.model.headers.tensors import Held, Many, Tensor, Tensors, ledger_of

if TYPE_CHECKING:
    from os import PathLike

    from isoflop.model.config import Reading

__all__ = ["Held", "Many", "Tensor", "Tensors", "ledger_of", "model_of", "read_tensors"]


def model_of(path: str | PathLike[str]) -> tuple[Reading, Tensors]:
    """The model in files of weights, and their tensors, each held against the other.

    GGUF says itself what it is; safetensors needs a config.json beside it. Where the two disagree, the reading has a
    doubt with both numbers.
    """
    tensors = read_tensors(path)
    if tensors.kind == "gguf":
        from isoflop.model.headers.gguf_model import spec_of_gguf

        return spec_of_gguf(tensors), tensors
    from isoflop.model.config import read_config
    from isoflop.model.headers.check import check

    folder = Path(path) if _is_folder(Path(path)) else Path(path).parent
    if not (folder / "config.json").is_file():
        raise MissingData(
            f"{shorten(str(folder), most=200)}: no config.json beside the weights, so heads and layers are not known; "
            "the tensors alone can be listed."
        )
    reading = read_config(folder)
    doubts = (*tensors.doubts, *check(tensors, reading))
    doubted = replace(reading, doubts=(*reading.doubts, *doubts), verified=reading.verified and not doubts)
    return doubted, tensors


def read_tensors(path: str | PathLike[str]) -> Tensors:
    """The tensors of a checkpoint: a safetensors file, an index of several, a GGUF file, or a folder of these."""
    try:
        return _tensors(Path(path))
    except OSError as error:  # what fails while it is read: a disk, a file that nobody may read
        raise BadFile(f"{shorten(str(path), most=200)}: cannot be read: {error.strerror or error}.") from error


def _tensors(place: Path) -> Tensors:
    if _is_folder(place):
        return _of_folder(place)
    if place.name.endswith(".json"):
        return read_index(place)
    return read_gguf(place) if place.suffix == ".gguf" else read_safetensors(place)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _of_folder(folder: Path) -> Tensors:
    if (folder / INDEX).is_file():
        return read_index(folder / INDEX)
    if (folder / "model.safetensors").is_file():
        return read_safetensors(folder / "model.safetensors")
    found = sorted(folder.glob("*.safetensors"))
    if len(found) == 1:
        return read_safetensors(found[0])
    if found:
        return read_shards(found)
    models = sorted(folder.glob("*.gguf"))
    first = [path for path in models if "-of-" not in path.stem or "-00001-of-" in path.stem]
    if len(first) == 1:
        return read_gguf(first[0])
    what = f"{len(first)} models in GGUF" if first else "no *.safetensors and no *.gguf"
    raise BadFile(f"{shorten(str(folder), most=200)}: {what} in this folder; give the path of one.")
