"""What the catalogues know of a named model: its sizes, and the runs that trained them, as published."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from isoflop import model
from isoflop.audit.prose.families import parts_of
from isoflop.audit.world.words import closed_families, other_figures

if TYPE_CHECKING:
    from isoflop.audit.prose.names import Name
    from isoflop.model import Run

CLOSE_SIZE, NEAR_SIZE = 0.055, 0.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One size of a family: figures as printed, in base units, None where nobody prints one.

    `label` is the size in its name; `also` are further figures in print for the same thing (tokens of the data set
    beside those seen). `rumoured` where the makers published nothing.
    """

    name: str
    family: str
    label: float | None
    words: tuple[str, ...]
    params: float | None
    active_params: float | None
    run: Run | None = None
    preset: str = ""
    rumoured: bool = False
    also: tuple[float, ...] = ()

    @property
    def tokens(self) -> float | None:
        """Tokens seen in training."""
        return self.run.work.tokens if self.run else None

    @property
    def is_mixture(self) -> bool:
        """Whether fewer parameters work on each token than there are."""
        return bool(self.params and self.active_params and self.active_params < 0.9 * self.params)

    def flops(self) -> tuple[float, ...]:
        """Training FLOP: as printed, and 6 N D."""
        work = self.run.work if self.run and "speculative" not in self.run.source else None
        return tuple(one for one in ((work.flops_printed, work.flops_nd) if work else ()) if one)


@cache
def _by_family() -> dict[str, tuple[Variant, ...]]:
    """Published runs by family."""
    found: dict[str, list[Variant]] = {}
    for run in (*model.runs(), *model.table("energy")):
        one = _of_run(run)
        found.setdefault(one.family, []).append(one)
    return {family: tuple(ones) for family, ones in found.items()}


@cache
def _presets() -> dict[str, tuple[str, ...]]:
    """Names of presets by family; their files are read when the family is asked for."""
    found: dict[str, list[str]] = {}
    for stem in model.model_names():
        found.setdefault(parts_of(stem)[0], []).append(stem)
    return {family: tuple(stems) for family, stems in found.items()}


@lru_cache(maxsize=256)
def _family(key: str) -> tuple[Variant, ...]:
    """Every size of a family that a published run or a preset names."""
    found = list(_by_family().get(key, ()))
    for stem in _presets().get(key, ()):
        one = _of_preset(stem)
        same = [place for place, other in enumerate(found) if _same_size(one, other)]
        for place in same:
            found[place] = replace(found[place], words=(*found[place].words, *one.words), preset=stem)
        if not same:
            found.append(one)
    return tuple(found)


def _same_size(one: Variant, other: Variant) -> bool:
    return bool(one.params and other.params and abs(one.params / other.params - 1) < 0.05)


@cache
def _keys() -> tuple[str, ...]:
    return tuple(dict.fromkeys((*_by_family(), *_presets())))


def _of_run(run: Run) -> Variant:
    family, label, words = parts_of(run.model)
    work = run.work
    shapes = (
        1 if work.counts != "3nd" else 2
    )  # the table lists the parameters that a token meets; the model has both stacks
    return Variant(
        name=run.model,
        family=_plain_family(family),
        label=label,
        words=words,
        params=work.params,
        active_params=work.active_params if work.active_params and shapes == 1 else work.params,
        run=run,
        preset=run.preset,
        rumoured="rumour" in run.model or "leaked" in run.model,
        also=other_figures(run.model),
    )


def _plain_family(family: str) -> str:
    for ending in ("reproduction", "asllamarestatesit", "onA100".lower()):
        family = family.removesuffix(ending)
    return family


@lru_cache(maxsize=512)
def _of_preset(stem: str) -> Variant:
    family, label, words = parts_of(stem)
    found = model.preset(stem)
    counted = model.counts(found.spec)
    size = found.published_params or float(counted.params)
    active = counted.active_params
    return Variant(
        name=stem,
        family=family,
        label=label,
        words=words,
        params=size,
        active_params=float(active) if active < 0.9 * size else size,
        preset=stem,
    )


def of_name(name: Name) -> tuple[Variant, ...]:
    """The sizes that a name may mean, () where the catalogues know none."""
    key = {"llama1": "llama", "gptneox": "gptneox", "megatronturingnlg": "mtnlg", "bloomberggpt": "bloomberggpt"}.get(
        name.key, name.key
    )
    wanted = [one for one in _keys() if one == key or _later(one, key)]
    if not re.search("[0-9]", name.key) and any(re.match(rf"{re.escape(key)}v?[0-9]", one) for one in _keys()):
        wanted = [one for one in _keys() if one.startswith(key)]  # "LLaMA" is all of them, whatever their version
    return _narrowed(tuple(one for family in wanted for one in _family(family)), name)


def _later(family: str, key: str) -> bool:
    """Whether a family is a point release of another: Llama 3.1 goes by Llama 3 too."""
    return family.startswith(key) and family[len(key) : len(key) + 1] == "."


def _narrowed(found: tuple[Variant, ...], name: Name) -> tuple[Variant, ...]:
    sized = {"small", "medium", "base", "large", "xl", "xxl", "mini", "moe", "scout", "maverick", "lite"} & set(
        name.words
    )
    if name.size is not None:
        close = tuple(one for one in found if _fits(one, name.size, CLOSE_SIZE))
        return close or tuple(one for one in found if _fits(one, name.size, NEAR_SIZE))
    if sized and any(set(one.words) & sized for one in found):
        return tuple(one for one in found if set(one.words) & sized)
    return found


def _fits(one: Variant, size: float, within: float) -> bool:
    return any(known and abs(known / size - 1) < within for known in (one.label, one.params))


def sizes_are_known(name: Name) -> bool:
    """Whether the catalogues list every size of a family, so that another size is a slip."""
    return name.key in closed_families()
