"""Finding an entry by what people write: a name, an alias, any spelling of it, or a part of it that is unique."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import AmbiguousInput, BadFile, UnknownName, close_matches, shorten

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

MOST_LETTERS = 120
MOST_PATH = 4096
_SPLIT = re.compile(r"[^a-z0-9.]+")
_ASIDE = re.compile(r"\([^()]*\)")
_SIZE = re.compile(r"[0-9]+(g|gb|gib)?")
# Words that say who made it or what it is, and tell no device from another.
_IDLE = frozenset(
    [
        "nvidia",
        "amd",
        "intel",
        "google",
        "cloud",
        "apple",
        "aws",
        "huawei",
        "geforce",
        "instinct",
        "tesla",
        "gpu",
        "core",
    ]
)


def is_path(name: str) -> bool:
    """Whether a name means a file of the user's own: it ends in .toml, or is a path with a separator."""
    if len(name) > MOST_PATH or "\0" in name:
        return False
    has_separator = "/" in name or "\\" in name
    return name.endswith(".toml") or (has_separator and (name[0] in "./~\\" or Path(name).exists()))


def own_file(name: str, kind: str) -> Path:
    """The file that a path names; a folder means its `device.toml`, `node.toml` or `price.toml`."""
    path = Path(name).expanduser()
    if path.is_dir():
        path = path / f"{kind}.toml"
    if not path.is_file():
        raise BadFile(f"no file '{shorten(name, most=200)}'. Give the path of a {kind}.toml, or a catalogued {kind}.")
    return path


def find(kind: str, name: str, names: Collection[str], aliases: Mapping[str, str], *, listing: str) -> str:
    """The one entry that `name` means.

    In this order: the name itself, an alias, either in another spelling (`TPU v4`, `tpuv4`), a unique beginning
    (`h100-sxm`), unique parts in their order (`4090`, `h100 pcie 80`), the beginning of an alias (`texas`), and
    all that without what stands in brackets.
    """
    asked = name.strip().lower()
    if asked in names:
        return asked
    if not asked or len(asked) > MOST_LETTERS:
        raise UnknownName(kind, name, names, listing=listing)
    found = _candidates(asked, names, aliases) or _candidates(_ASIDE.sub(" ", asked), names, aliases)
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(found[:12]) + (f" and {len(found) - 12} more" if len(found) > 12 else "")
        raise AmbiguousInput(
            f"{kind} '{shorten(name)}' can be any of: {listed}. Write more of it. List all with: {listing}"
        )
    raise UnknownName(kind, name, names if close_matches(asked, names) else aliases, listing=listing)


def _candidates(asked: str, names: Collection[str], aliases: Mapping[str, str]) -> list[str]:
    squeezed = _squeeze(asked)
    spellings = {_squeeze(known): known for known in names}
    spellings |= {_squeeze(other): known for other, known in aliases.items()}
    if squeezed in spellings:
        return [spellings[squeezed]]
    return _beginning(squeezed, names) or _containing(_words(asked), names) or _aliased(squeezed, aliases)


def _words(text: str) -> list[str]:
    words = [word for word in _SPLIT.split(text.lower()) if word]
    return [word for word in words if word not in _IDLE] or words


def _squeeze(text: str) -> str:
    return "".join(_words(text))


def _beginning(squeezed: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if _squeeze(name).startswith(squeezed)) if squeezed else []


def _aliased(squeezed: str, aliases: Mapping[str, str]) -> list[str]:
    """What aliases with this beginning mean; three letters at least, for short ones begin by chance."""
    if len(squeezed) < 3:
        return []
    return sorted({known for other, known in aliases.items() if _squeeze(other).startswith(squeezed)})


def _containing(words: list[str], names: Iterable[str]) -> list[str]:
    """Names that have a word beginning with each of `words`, in their order. A memory size alone names no device."""
    if all(_SIZE.fullmatch(word) and word[-1] in "bg" for word in words):
        return []
    return sorted(name for name in names if _in_order(words, _words(name)))


def _in_order(words: list[str], known: list[str]) -> bool:
    rest = iter(known)
    return all(any(part.startswith(word) for part in rest) for word in words)
