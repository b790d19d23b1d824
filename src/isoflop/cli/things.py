"""What a word stands for that is to be compared: a model, a device, a machine, a law, a layout, a saved answer."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput, UnknownName, shorten
from isoflop.report.beside import Beside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isoflop.report.lines import Line
    from isoflop.training import Advice

MOST = 4
_TITLES = {
    "model": "model",
    "device": "device",
    "node": "machine",
    "law": "law",
    "layout": "layout",
    "answer": "saved answer",
}
_BUDGETS = (1e21, 1e24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The training run that layouts, or devices, are compared in: what was said of it, "" where nothing was."""

    model: str = ""
    on: str = ""
    sequence: str = ""
    batch: str = ""


def beside(words: Sequence[str], run: Run) -> Beside:
    """Two to four things beside each other. Raises: BadInput for things of different kinds, UnknownName for none."""
    if not 2 <= len(words) <= MOST:
        raise BadInput(f"{len(words)} {'thing is' if len(words) == 1 else 'things are'} given; compare 2 to {MOST}")
    kinds = [kind_of(word) for word in words]
    if len(set(kinds)) > 1:
        said = ", ".join(f"{shorten(word)} is a {_TITLES[kind]}" for word, kind in zip(words, kinds, strict=True))
        raise BadInput(f"things of one kind are compared: {said}")
    kind = kinds[0]
    if kind == "device" and run.model:
        return _runs(words, [Run(model=run.model, on=word, sequence=run.sequence, batch=run.batch) for word in words])
    if kind == "layout":
        if not (run.model and run.on):
            raise BadInput("a layout is one of a run; say which: --model 7B --on 64xh100-sxm")
        return _runs(words, [run] * len(words), layouts=words)
    if run != Run():
        raise BadInput(f"--model, --on, --sequence and --batch are for devices and layouts; these are {kind}s")
    names, lines, minds = _READERS[kind](words)
    return Beside(kind=kind, names=_told_apart(names), lines=_shown(lines), minds=tuple(minds))


def _shown(lines: Sequence[Line]) -> tuple[Line, ...]:
    return tuple(line for line in lines if not line.is_empty)


def _told_apart(names: Sequence[str]) -> tuple[str, ...]:
    """The names, numbered where one stands twice."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(found)


# --- which kind ------------------------------------------------------------------------------------------------------


def kind_of(word: str) -> str:
    """Which kind of thing a word stands for; files are told by what they hold."""
    if "=" in word and not Path(word).exists():
        return "layout"
    if word == "-":
        return "answer"
    if _is_file(word):
        return _kind_of_file(word)
    from isoflop.hardware import device_names, node_names
    from isoflop.laws import published_laws
    from isoflop.model.presets import exact_preset, find_preset, model_names

    if word in published_laws():
        return "law"
    if exact_preset(word) is not None:
        return "model"
    if _device(word):
        return "device"
    if word in node_names():
        return "node"
    if word.startswith("hf:") or word[:1].isdigit() or find_preset(word) is not None:
        return "model"
    known = (*model_names(), *device_names(), *node_names(), *published_laws())
    raise UnknownName("model, device, machine or law", word, known)


def _is_file(word: str) -> bool:
    return word.endswith((".json", ".toml")) or word.startswith((".", "/", "~")) or "/" in word.removeprefix("hf:")


def _device(word: str) -> bool:
    from isoflop.errors import IsoflopError
    from isoflop.hardware import device
    from isoflop.quantity import read_cluster

    try:
        device(read_cluster(word).device)
    except IsoflopError:
        return False
    return True


def _kind_of_file(word: str) -> str:
    from isoflop.quantity import read_toml
    from isoflop.quantity.json_file import read_json

    if word.startswith("hf:"):
        return "model"
    path = Path(word).expanduser()
    if path.is_dir() or path.suffix in {".safetensors", ".gguf"}:
        return "model"
    if path.suffix == ".toml":
        if not path.exists() and _device(word):  # 8x./device.toml
            return "device"
        held = read_toml(path)
        return "device" if {"peak_rate", "memory"} & held.keys() else "node" if "chips" in held else "law"
    if path.suffix == ".csv":
        raise BadInput(f"{shorten(word)} is a table; two tables of runs: isoflop laws compare A.csv B.csv --difference")
    held = read_json(path)
    if str(held.get("kind", "")).startswith("isoflop-"):
        return "law"
    if "schema_version" in held:
        return "answer"
    if "model_type" in held or "architectures" in held:
        return "model"
    raise BadFile(
        f"{shorten(word)}: neither an answer that --json printed, nor a fit, nor a config.json; give one of these."
    )


# --- what each kind has ----------------------------------------------------------------------------------------------


def _models(words: Sequence[str]) -> tuple[list[str], list[Line], list[str]]:
    from isoflop.cli.model_tables import below, lines
    from isoflop.model import describe
    from isoflop.model.sheet import lengths, sheet

    described = [describe(word) for word in words]
    sheets = [sheet(one, lengths(one)) for one in described]
    return [one.spec.name for one in sheets], list(lines(sheets)), list(below(sheets))


def _devices(words: Sequence[str]) -> tuple[list[str], list[Line], list[str]]:
    from isoflop.cli.devices import device_lines
    from isoflop.hardware import device
    from isoflop.quantity import read_cluster

    asked = [read_cluster(word) for word in words]
    chosen = [device(one.device) for one in asked]
    minds = []
    if any(one.count not in {None, 1} for one in asked):
        minds.append("figures are a chip's; --model compares what so many of them do in a training run")
    return [one.name for one in chosen], device_lines(chosen), minds


def _nodes(words: Sequence[str]) -> tuple[list[str], list[Line], list[str]]:
    from isoflop.cli.nodes import node_lines
    from isoflop.hardware import node

    chosen = [node(word) for word in words]
    return [one.name for one in chosen], node_lines(chosen), []


def _laws(words: Sequence[str]) -> tuple[list[str], list[Line], list[str]]:
    from isoflop.cli.laws.tables import law_lines
    from isoflop.laws import find_law

    chosen = [find_law(word) for word in words]
    mind = "losses stand there to be read, not ranked: each law has its own data and tokenizer"
    return [one.name for one in chosen], law_lines(chosen, _BUDGETS), [mind]


def _answers(words: Sequence[str]) -> tuple[list[str], list[Line], list[str]]:
    from isoflop.report.flatten import lines_of

    held = [_saved(word) for word in words]
    names = ["stdin" if word == "-" else Path(word).stem for word in words]
    return names, lines_of(held), []


def _saved(word: str) -> Mapping[str, object]:
    from isoflop.quantity.json_file import MOST_BYTES, parse_json, read_json

    if word != "-":
        return read_json(Path(word).expanduser())
    text = sys.stdin.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise BadFile(f"stdin: more than {MOST_BYTES:,} characters, the most that is read.")
    return parse_json(text, "stdin")


_READERS = {"model": _models, "device": _devices, "node": _nodes, "law": _laws, "answer": _answers}


_ASIDE = (
    "fewest", "enough", "rule_of", "capacity", "chosen.value", "chosen.allocated", "chosen.reserved", "chosen.ends",
    "chosen.split", "mfu.full", "mfu.6nd", "mfu.hardware", "peak_rate", "step_time", "model", "schema",
)  # fmt: skip
"""Figures of a training answer that say again, or in another convention, what others say, by how they begin."""

_ASIDE_WHOLE = frozenset({"chosen", "step"})
"""The same by their whole names."""


def _runs(words: Sequence[str], runs: Sequence[Run], layouts: Sequence[str] = ()) -> Beside:
    """Training runs on each device, or in each layout: does it fit, how fast."""
    from isoflop.report import training_json
    from isoflop.report.flatten import lines_of

    found = [training_json(_advice(run, layout)) for run, layout in zip(runs, layouts or [""] * len(runs), strict=True)]
    lines = [one for one in lines_of(found) if not one.name.startswith(_ASIDE) and one.name not in _ASIDE_WHOLE]
    kind = "layout" if layouts else "device"
    return Beside(kind=kind, names=_told_apart(words), lines=_shown(lines))


def _advice(run: Run, layout: str) -> Advice:
    from isoflop.flags.training import batch_of, layout_of, tokens_of
    from isoflop.model import model
    from isoflop.quantity import read_cluster
    from isoflop.training import advise

    length = tokens_of(run.sequence or None)
    chosen = layout_of(layout or None, {}, read_cluster(run.on).count)
    return advise(model(run.model), run.on, sequence=length, batch=batch_of(run.batch or None, length), layout=chosen)
