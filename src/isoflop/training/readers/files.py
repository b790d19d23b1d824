"""Settings files of any format as one flat table: JSON, TOML, YAML, and command lines in shell scripts.

Nothing is run: a shell script is cut into words, plain assignments are put in, and what would need a shell to compute
stays as it is written. Size, depth and number of entries are capped.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from isoflop.errors import BadFile, MissingData, shorten
from isoflop.quantity.json_file import parse_json
from isoflop.quantity.toml_file import DEEPEST, parse_toml, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike

MOST_BYTES = 400_000
MOST_ENTRIES = 20_000
LONGEST_WORD = 8192

Table = dict[str, object]


def read_table(path: str | PathLike[str]) -> Table:
    """The keys of a settings file, nested ones joined by dots. Raises: BadFile for what is no such file."""
    return flat(parse(read_text(path, most_bytes=MOST_BYTES), str(path)), str(path))


def parse(text: str, name: str) -> Table:
    """The tables of a text, by its ending where that says what it is, else by what it looks like."""
    ending = name.rpartition(".")[2].lower()
    if ending == "json" or (ending not in _ENDINGS and text.lstrip().startswith("{")):
        return parse_json(text, name)
    if ending == "toml":
        return dict(parse_toml(text, name))
    if ending in {"yaml", "yml"}:
        return parse_yaml(text, name)
    if ending in {"sh", "bash", "slurm", "sbatch"} or re.search(r"(?:^|\s)--[a-z]", text):
        return dict(flags(words(text, name)))
    if re.search(r"^\s*\[[\w.-]+\]\s*$", text, re.MULTILINE):
        return dict(parse_toml(text, name))
    return parse_yaml(text, name)


_ENDINGS = frozenset({"json", "toml", "yaml", "yml", "sh", "bash", "slurm", "sbatch"})


def parse_yaml(text: str, name: str) -> Table:
    """The mapping in YAML text, read by PyYAML's safe loader; aliases are refused, for they can multiply."""
    try:
        import yaml
    except ImportError as error:
        raise MissingData(
            f"{name}: reading YAML needs PyYAML. Install it with: pip install 'isoflop[readers]'; or give the settings "
            "as JSON or TOML."
        ) from error
    name = shorten(name, most=200)
    try:
        for depth, event in _depths(yaml.parse(text, Loader=yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent):
                raise BadFile(f"{name}: line {event.start_mark.line + 1} has an alias (*{event.anchor}); write it out.")
            if depth > DEEPEST:
                raise BadFile(f"{name}: line {event.start_mark.line + 1} is nested deeper than {DEEPEST} levels.")
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadFile(f"{name}: not valid YAML: {shorten(str(error), most=160)}.") from error
    except (RecursionError, ValueError, OverflowError) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{name}: not valid YAML: a value in it cannot be read.") from error
    if not isinstance(found, dict):
        raise BadFile(f"{name}: holds no keys and values but {'nothing' if found is None else type(found).__name__}.")
    return {str(key): value for key, value in found.items()}


def _depths(events: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    """Events with how many collections are open."""
    depth = 0
    for number, event in enumerate(events):
        kind = type(event).__name__
        depth += kind in {"MappingStartEvent", "SequenceStartEvent"}
        depth -= kind in {"MappingEndEvent", "SequenceEndEvent"}
        if number > 5 * MOST_ENTRIES:
            depth = DEEPEST + 1  # as good as too deep: it is no settings file
        yield depth, event


def flat(table: Mapping[str, object], name: str) -> Table:
    """Nested tables as one, keys joined by dots; lists stay lists."""
    found: Table = {}
    waiting: list[tuple[str, object]] = [(str(key), value) for key, value in table.items()]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting += [(f"{key}.{inner}", one) for inner, one in value.items()]
        else:
            found[key] = value
        if len(found) + len(waiting) > MOST_ENTRIES or key.count(".") > 2 * DEEPEST:
            raise BadFile(f"{name}: more than {MOST_ENTRIES:,} entries; it is no settings file.")
    return dict(sorted(found.items()))


_ASSIGNED = re.compile(r"(?:export\s+|local\s+)?([A-Za-z_]\w*)=(.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^{}$]*))?\})")


def words(text: str, name: str) -> list[str]:
    """The words of a shell script with its plain assignments put in; comments left out; a ";" ends each line."""
    found: list[str] = []
    known: dict[str, str] = {}
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        for word in _cut(line):
            assigned = _ASSIGNED.fullmatch(word)
            if assigned:
                known[assigned[1]] = _put_in(assigned[2], known)
            found += _put_in(word, known).split() if _is_plain(word) else [word]
        found.append(";")
        if len(found) > MOST_ENTRIES:
            raise BadFile(f"{name}: more than {MOST_ENTRIES:,} words; it is no script that starts a run.")
    found += [f"--env.{key}={value}" for key, value in known.items() if value.isdigit()]
    return found


def _is_plain(word: str) -> bool:
    """Whether variables may stand for several words in it: one that holds flags."""
    return bool(_VARIABLE.fullmatch(word))


def _cut(line: str) -> Sequence[str]:
    """Words of a line as a shell would cut them; where quotes are open, as spaces do."""
    try:
        cut = shlex.split(line, comments=True)
    except ValueError:
        cut = line.split("#", maxsplit=1)[0].replace('"', " ").replace("'", " ").split()
    return [piece for word in cut for piece in _opened(word)]


def _opened(word: str) -> list[str]:
    """A word without the brackets of an array around it, and quoted flags (ARGS="--a 1 --b 2") as words."""
    inner = re.sub(r"^(?:[A-Za-z_]\w*\+?=)?\(\s*", "", word) if "(" in word and "$" not in word else word
    inner = inner.rstrip(")") if "(" not in inner and "$" not in inner else inner
    assigned = _ASSIGNED.fullmatch(inner)
    if assigned and assigned[2].lstrip().startswith("--"):
        return assigned[2].split()
    if " --" in inner or (inner.startswith("--") and " " in inner):
        return inner.split()
    return [inner] if inner else []


def _put_in(word: str, known: Mapping[str, str]) -> str:
    """Variables that were assigned, and defaults of those that were not; others stay as they are."""
    value = word
    for _ in range(8):
        put = _VARIABLE.sub(lambda found: known.get(found[1] or found[2], found[3] or found[0]), value)
        if put == value or len(put) > LONGEST_WORD:
            break
        value = put
    return value


def flags(given: Sequence[str]) -> Iterator[tuple[str, object]]:
    """(name, value) of `--name value`, `--name=value` and `--name` (True); several values are a list."""
    place = 0
    while place < len(given):
        word = given[place]
        place += 1
        if not word.startswith("--") or len(word) < 3:
            continue
        name, equals, value = word[2:].partition("=")
        if equals:
            yield name.replace("_", "-"), value
            continue
        values = []
        while place < len(given) and not given[place].startswith("--") and given[place] not in _ENDS:
            values.append(given[place])
            place += 1
        yield name.replace("_", "-"), True if not values else values[0] if len(values) == 1 else values


_ENDS = frozenset({"|", "&&", "||", ";", ")", "&", ">", ">>", "2>&1", "<", "done", "fi"})
