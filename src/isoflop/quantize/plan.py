"""What becomes of every tensor, decided before the first byte is written."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.errors import BadFile, BadInput, Infeasible, shorten
from isoflop.quantize.choose import Patterns, check_patterns, module_of, reason_to_keep, renamed
from isoflop.quantize.layout import PLAIN_DTYPES, Out, outputs, quantization_config
from isoflop.quantize.read_back import Coded, Stored, coded_weights, parts_of, shape_of, stored_as
from isoflop.quantize.source import FLOATS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from isoflop.quantize.options import Options
    from isoflop.quantize.scheme import Scheme
    from isoflop.quantize.source import Placed, Source

_HEADS = ("lm_head", "lm_head.decoder", "cls.predictions.decoder")
_THERE = "in that format already"
_WORDS = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of one tensor, and the tensors that are written for it.

    `kept` says why it is not converted (empty where it is); `cast` is the plain format that it gets ("" for none);
    `coded` is the quantized weight that is read back.
    """

    tensor: Placed
    kept: str = ""
    cast: str = ""
    coded: Coded | None = None
    outs: tuple[Out, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """The plans of all tensors by file; `stored` is how weights to be read back are stored."""

    by_file: Mapping[str, Sequence[Plan]]
    stored: Stored | None

    @property
    def all(self) -> list[Plan]:
        """Of all files."""
        return [plan for listed in self.by_file.values() for plan in listed]


def check_places(found: Source, target: Path) -> None:
    """Refuse to overwrite anything, the source above all.

    Raises:
        BadFile: the target is there, or inside the source, or its parent is not there.
    """
    called = shorten(str(target), most=200)
    if target.exists() or target.is_symlink():
        raise BadFile(f"{called}: is there already; give a new name, or remove it first.")
    if not target.parent.is_dir():
        raise BadFile(f"{called}: the folder {shorten(str(target.parent), most=200)} is not there; make it first.")
    if found.is_folder and target.resolve().is_relative_to(found.folder.resolve()):
        raise BadFile(f"{called}: lies inside the checkpoint that is read; give a place outside it.")


def plan_all(found: Source, target: Path, chosen: Scheme, options: Options) -> Plans:
    """The plans of all tensors.

    Raises:
        BadFile: the checkpoint is quantized already.
        BadInput: patterns that match nothing, or nothing to convert.
        Infeasible: too little room on the disk.
    """
    called = shorten(str(found.folder), most=200)
    quantized = is_quantized(found)
    if quantized and chosen.element != "plain":
        raise BadFile(
            f"{called}: its config says that it is quantized already, and rounding twice loses more. Start from the "
            f"original, or read it back first: isoflop quantize {called} OUT --to bf16"
        )
    stored = stored_as(found.config, called) if quantized else None
    plans = _read_back(found, chosen, stored) if stored else _forward(found, chosen, options)
    if all(plan.kept for plan in plans.all):
        raise BadInput(f"{called}: nothing to convert to {chosen.name}: {_why_none(plans)}")
    needed = sum(out.bytes for plan in plans.all for out in plan.outs)
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise Infeasible(
            f"{shorten(str(target), most=200)}: {needed:,} bytes are to be written, and {free:,} are free there. "
            "Make room, or choose another disk or a smaller scheme."
        )
    return plans


def is_quantized(found: Source) -> bool:
    """Whether the config says so."""
    text = found.config.get("text_config")
    return "quantization_config" in found.config or (isinstance(text, dict) and "quantization_config" in text)


def _forward(found: Source, chosen: Scheme, options: Options) -> Plans:
    patterns = Patterns(keep=options.keep, include=options.include)
    check_patterns(patterns, found.tensors, chosen)
    by_file = {
        shard.path.name: [_plan(tensor, chosen, patterns, options.rest) for tensor in shard.tensors]
        for shard in found.shards
    }
    return Plans(by_file=by_file, stored=None)


def _plan(tensor: Placed, chosen: Scheme, patterns: Patterns, rest: str) -> Plan:
    if chosen.element == "plain":
        return _plain(tensor, chosen.target)
    kept = reason_to_keep(tensor, chosen, patterns)
    if not kept:
        return Plan(tensor=tensor, outs=outputs(tensor, chosen))
    cast = rest if tensor.dtype in FLOATS and rest != FLOATS[tensor.dtype] else ""
    return Plan(tensor=tensor, kept=kept, cast=cast, outs=(_as(tensor, cast),))


def _plain(tensor: Placed, target: str) -> Plan:
    if tensor.dtype not in FLOATS or FLOATS[tensor.dtype] == target:
        kept = _THERE if tensor.dtype in FLOATS else "not a floating-point tensor"
        return Plan(tensor=tensor, kept=kept, outs=(_as(tensor, ""),))
    return Plan(tensor=tensor, cast=target, outs=(_as(tensor, target),))


def _as(tensor: Placed, cast: str) -> Out:
    return Out(tensor.name, PLAIN_DTYPES[cast] if cast else tensor.dtype, tensor.shape)


def _read_back(found: Source, chosen: Scheme, stored: Stored) -> Plans:
    coded = coded_weights(found)
    beside = parts_of(coded)
    by_file: dict[str, list[Plan]] = {}
    for shard in found.shards:
        plans = by_file.setdefault(shard.path.name, [])
        for tensor in shard.tensors:
            one = coded.get(tensor.name)
            if one is not None:
                out = Out(one.name, PLAIN_DTYPES[chosen.target], shape_of(one, stored))
                plans.append(Plan(tensor=tensor, cast=chosen.target, coded=one, outs=(out,)))
            elif tensor.name not in beside:
                plans.append(_plain(tensor, chosen.target))
    return Plans(by_file=by_file, stored=stored)


def _why_none(plans: Plans) -> str:
    reasons: dict[str, int] = {}
    for plan in plans.all:
        reasons[plan.kept] = reasons.get(plan.kept, 0) + 1
    first = sorted(reasons.items(), key=lambda pair: -pair[1])[:4]
    return "there are " + ", ".join(f"{count:,} tensors ({reason})" for reason, count in first) + "."


def config_of(found: Source, chosen: Scheme, plans: Plans, options: Options) -> dict[str, object] | None:
    """config.json of the new checkpoint; None where the source has none."""
    if not found.config:
        return None
    config = {key: value for key, value in found.config.items() if key != "quantization_config"}
    if isinstance(inner := config.get("text_config"), dict):
        config["text_config"] = {key: value for key, value in inner.items() if key != "quantization_config"}
    plain = chosen.target if chosen.element == "plain" else options.rest
    if plain:
        keys = [key for key in ("torch_dtype", "dtype") if key in config] or ["torch_dtype"]
        config |= dict.fromkeys(keys, _WORDS[plain])
    if chosen.element != "plain":
        config["quantization_config"] = quantization_config(chosen, _ignored(found, plans))
    return config


def _ignored(found: Source, plans: Plans) -> set[str]:
    """What readers shall not take for quantized: layers by name, and patterns where readers rename them.

    Readers of models with vision rename modules ("visual.blocks" to "model.visual.blocks"), each in its own way, so
    those have a pattern besides. Heads tied to the embedding are modules that no tensor tells of.
    """
    matrices = [plan for plan in plans.all if module_of(plan.tensor.name) and len(plan.tensor.shape) == 2]
    kept = [module_of(plan.tensor.name) for plan in matrices if plan.kept and plan.kept != "embedding"]
    taken = [module_of(plan.tensor.name) for plan in matrices if not plan.kept]
    names = {*kept, *(head for head in _HEADS if not any(one.endswith(head) for one in taken))}
    if "text_config" in found.config or "vision_config" in found.config:
        patterns = {pattern for module in kept if (pattern := renamed(module))}
        names |= {pattern for pattern in patterns if not any(re.match(pattern[3:], one) for one in taken)}
    return names
