"""How a runtime pages the cache: bytes of one block, blocks of one sequence, and what it prints as tokens that fit.

Every policy ends in the same two figures: `unit`, the bytes on the fullest chip of what is handed out at once (a block
in every layer of a group), and `needs`, how many of those a sequence of so many tokens takes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from isoflop.serving.caches import RECURRENT_BYTES, layer_caches

if TYPE_CHECKING:
    from isoflop.model.spec import ModelSpec
    from isoflop.quantity.types import FloatArray, Real
    from isoflop.serving.caches import Cache
    from isoflop.serving.runtime import Era
    from isoflop.serving.spec import Placements

INDEX_BYTES = 132 / 128
"""Bytes an element of a sparse index's keys: 128 in FP8 with an FP32 scale, as vLLM keeps them."""

FP8_LATENT = 656 / 576
"""Bytes an element of a latent in FP8 where a sparse index reads it: 512 in FP8, 4 scales, the rotary part in BF16."""

FP8_BYTES = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """What a placement's pages depend on: the cache's format, the page, what a step works on, tokens guessed ahead.

    `expanded`: keys and values of a latent are kept rebuilt, for all heads (llama.cpp without MLA).
    """

    kv_bytes: float
    block: FloatArray
    step_tokens: FloatArray
    drafts: FloatArray
    expanded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Layers of one kind on the fullest chip: how many, bytes of a page of one of them, and tokens in it.

    `state` where a sequence takes `fixed` pages whatever its length; `reach` the window, 0 for none. `slots` is how
    many layers' places it takes where groups share pages by turns, `count` how many of them there are in truth.
    """

    count: FloatArray
    page: FloatArray
    tokens: FloatArray
    reach: int = 0
    chunked: bool = False
    fixed: FloatArray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A runtime's pages: `unit` bytes are handed out at once on the fullest chip; `era` says how tokens are printed.

    `columns` are groups that each take a block of their own for every page: (how many, group). `block` is the smallest
    page of an attention group in tokens. `apart` are bytes a running sequence takes outside the pages.
    """

    unit: FloatArray
    columns: tuple[tuple[FloatArray, Group], ...]
    block: FloatArray
    dcp: FloatArray
    step_tokens: FloatArray
    apart: FloatArray
    era: Era
    kept: float = 1.0

    def needs(self, context: Real) -> FloatArray:
        """Units that a sequence of `context` tokens takes at most."""
        total = np.zeros_like(self.unit)
        tokens = np.asarray(context, dtype=np.float64) / self.dcp
        for number, group in self.columns:
            total = total + number * self._pages(group, tokens)
        return total

    def _pages(self, group: Group, tokens: FloatArray) -> FloatArray:
        if group.fixed is not None:
            return group.fixed
        if not group.reach:
            return np.asarray(np.ceil(tokens / group.tokens))
        if self.era.windows == "cells":
            kept = np.minimum(tokens, group.reach + self.step_tokens)
            return np.asarray(np.ceil(kept / group.tokens))
        within = group.reach if group.chunked else group.reach - 1
        kept = np.minimum(tokens, within + self.step_tokens)
        return np.asarray(np.ceil(kept / group.tokens) + (0 if group.chunked else 1))

    def printed(self, units: FloatArray, context: Real) -> FloatArray:
        """Tokens that the runtime prints as the size of its cache when it has so many units."""
        groups = sum((number for number, _ in self.columns), start=np.zeros_like(self.unit))
        if self.era.tokens == "concurrency" and len(self.columns) > 1:
            needed = self.needs(context)
            return np.asarray(np.floor(units / np.maximum(needed, 1) * np.asarray(context, dtype=np.float64)))
        whole = np.floor(units / np.maximum(groups, 1)) if self.era.tokens != "blocks" else units
        return np.asarray(whole * self.block * self.dcp)


Listed = list[tuple["Cache", int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """Layers of one chip by kind: those whose state grows and those whose does not, with bytes a token and a sequence.

    `apart` are bytes a sequence takes in growing layers whatever its length.
    """

    growing: Listed
    fixed: Listed
    token: dict[Cache, FloatArray]
    state: dict[Cache, FloatArray]
    apart: FloatArray
    many: Placements
    paging: Paging
    era: Era

    @property
    def block(self) -> FloatArray:
        """Tokens of a page, an entry a placement."""
        return np.array(np.broadcast_to(self.paging.block, self.many.tp.shape), dtype=np.float64)

    @property
    def memories(self) -> FloatArray:
        """Bytes of all memories of a sequence that do not grow."""
        return sum((times * self.state[cache] for cache, times in self.fixed), start=np.zeros_like(self.many.tp))

    def pool(self, columns: list[tuple[FloatArray, Group]], unit: FloatArray, **changes: FloatArray) -> Pool:
        """The pool that these columns make."""
        step = np.broadcast_to(self.paging.step_tokens, self.many.tp.shape)
        found = {"block": self.block, "apart": self.apart, **changes}
        return Pool(
            unit=unit,
            columns=tuple(columns),
            block=found["block"],
            apart=found["apart"],
            dcp=self.many.dcp,
            step_tokens=step,
            era=self.era,
        )


@lru_cache(maxsize=1024)
def _counted(model: ModelSpec, first: int, beyond: int, *, chunks: bool = True) -> tuple[tuple[Cache, int], ...]:
    """(kind, how many of the layers from the first up to beyond have it); `chunks` false: they keep all tokens."""
    counted: dict[Cache, int] = {}
    for caches in layer_caches(model)[first:beyond]:
        for cache in caches:
            kept = cache if chunks or not cache.chunked else replace(cache, kind="full", reach=0, chunked=False)
            counted[kept] = counted.get(kept, 0) + 1
    return tuple(counted.items())


def pool_of(model: ModelSpec, era: Era, many: Placements, paging: Paging, layers: tuple[int, int]) -> Pool:
    """The pages of the layers from the first up to (not with) the second of `layers`, for placements alike in pp."""
    counted = dict(_counted(model, *layers, chunks=not era.chunks))
    state = {cache: _state_bytes(cache, many, paging) for cache in counted}
    growing = [(cache, times) for cache, times in counted.items() if cache.kind != "recurrent"]
    fixed = [(cache, times) for cache, times in counted.items() if cache.kind == "recurrent"]
    found = _Counted(
        growing=growing,
        fixed=fixed,
        token={cache: _token_bytes(cache, era, many, paging) for cache in counted},
        state=state,
        apart=sum((times * state[cache] for cache, times in growing), start=np.zeros_like(many.tp)),
        many=many,
        paging=paging,
        era=era,
    )
    mixed = any(cache.reach for cache, _ in growing) or (bool(fixed) and era.windows == "groups")
    if not growing:
        return _memories(found)
    if era.windows == "cells":
        return _cells(found)
    return _groups(found) if mixed and era.windows == "groups" else _uniform(found)


def _memories(found: _Counted) -> Pool:
    """No cache at all: a unit is what a sequence keeps."""
    ones = np.ones_like(found.apart)
    group = Group(count=ones, page=found.memories, tokens=found.block, fixed=ones)
    return found.pool([(ones, group)], found.memories)


def _uniform(found: _Counted) -> Pool:
    """One page in every layer for so many tokens, windows or not; memories of recurrences apart."""
    ones = np.ones_like(found.apart)
    each = sum(
        (times * found.token[cache] * _share(cache, found.era) for cache, times in found.growing),
        start=np.zeros_like(ones),
    )
    group = Group(count=ones, page=each * found.block, tokens=found.block)
    return found.pool([(ones, group)], each * found.block, apart=found.apart + found.memories)


def _share(cache: Cache, era: Era) -> float:
    """A second pool for windows has fewer tokens."""
    return era.window_pool if era.windows == "pool" and cache.reach else 1.0


def _token_bytes(cache: Cache, era: Era, many: Placements, paging: Paging) -> FloatArray:
    """Bytes that a token leaves in one such layer on one chip; heads are not divided below one."""
    if paging.expanded and cache.kind == "latent":
        return np.full_like(many.tp, cache.expanded * paging.kv_bytes)
    if era.whole:
        return np.asarray(paging.kv_bytes * (cache.token + cache.index) / many.tp)
    heads = np.full_like(many.tp, float(cache.heads)) if era.of == "asked" else np.ceil(cache.heads / many.tp)
    own = cache.token / cache.heads * heads
    size = paging.kv_bytes
    if cache.kind == "latent" and cache.index and paging.kv_bytes == FP8_BYTES:
        size = FP8_LATENT
    if cache.kind == "latent" and era.latent_multiple and not cache.index:
        own = np.ceil(own / era.latent_multiple) * era.latent_multiple
    index = INDEX_BYTES if cache.kind == "latent" else paging.kv_bytes
    return np.asarray(own * size + cache.index * index)


def _state_bytes(cache: Cache, many: Placements, paging: Paging) -> FloatArray:
    """Bytes that a sequence keeps in one such layer whatever its length; inputs of tokens guessed ahead too."""
    if not cache.conv and not cache.recurrent:
        return np.zeros_like(many.tp)
    inputs = cache.conv * (1 + paging.drafts / cache.taps if cache.taps else 1.0)
    divided = many.tp if cache.kind == "recurrent" else np.ones_like(many.tp)
    return np.asarray((2.0 * inputs + RECURRENT_BYTES * cache.recurrent) / divided)


def _cells(found: _Counted) -> Pool:
    """Cells of their own for every layer: a unit is a byte, and each group takes what its tokens take."""
    ones = np.ones_like(found.apart)
    columns = []
    for cache, times in found.growing:
        group = Group(count=ones, page=ones, tokens=found.block, reach=cache.reach, chunked=cache.chunked)
        columns.append((times * found.token[cache] * found.block, group))
    columns.append((found.memories + found.apart, Group(count=ones, page=ones, tokens=found.block, fixed=ones)))
    return found.pool(columns, ones, apart=np.zeros_like(ones))


def _groups(found: _Counted) -> Pool:
    """Groups of equally many layers take pages of one size by turns (vLLM's hybrid manager).

    Pages of kinds that keep less a token hold more tokens, so that all are of one size; where memories of recurrences
    are among them, attention's page grows until it holds one. A group has as many layers as the rarest kind, or as the
    commonest where that is less than a quarter more; what is left over in the last group is padding.
    """
    kinds: dict[tuple[float, int, bool], tuple[int, FloatArray]] = {}
    for cache, times in found.growing:
        key = (float(np.max(found.token[cache])), cache.reach, cache.chunked)
        kinds[key] = (kinds.get(key, (0, found.token[cache]))[0] + times, found.token[cache])
    ones, block = np.ones_like(found.apart), found.block
    widest = np.max([size for _, size in kinds.values()], axis=0)
    held = np.max([found.state[cache] for cache, _ in found.fixed], axis=0) if found.fixed else 0.0 * ones
    block = np.where(widest * block < held, np.ceil(held / widest / block) * block, block)
    counts = [times for times, _ in kinds.values()] + [times for _, times in found.fixed]
    size = max(counts) if max(counts) < 1.25 * min(counts) else min(counts)
    columns = []
    for (_, reach, chunked), (times, each) in kinds.items():
        tokens = block * np.maximum(np.floor(widest / each), 1)
        group = Group(count=ones * times, page=widest * block, tokens=tokens, reach=reach, chunked=chunked)
        columns.append((ones * np.ceil(times / size), group))
    slots = found.era.state_blocks + found.era.draft_slots * found.paging.drafts
    for _, times in found.fixed:
        group = Group(count=ones * times, page=widest * block, tokens=block, fixed=slots * ones)
        columns.append((ones * np.ceil(times / size), group))
    return found.pool(columns, widest * block * size, block=block)
