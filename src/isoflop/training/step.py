"""Step time of a run, term by term: one implementation for a layout and for a million of them.

Seconds of one optimizer step. A pipeline's time is that of its slowest stage, micro-batch after micro-batch, and the
bubble before and after. Communication counts where compute does not cover it. Neglected: evaluation, checkpoints, input
pipelines, failures (goodput is another quantity), and that nodes of a large fleet differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.kernel import (
    all_gather_time,
    all_reduce_time,
    attention_time,
    elementwise_time,
    exchange_time,
    matmul_time,
)  # fmt: skip
from isoflop.relation.answer import Ledger, Term
from isoflop.training.engine import engine
from isoflop.training.spec import MATMUL_GROUPS, Layout, Layouts, format_bytes
from isoflop.training.tally import stage_bounds, tally
from isoflop.training.work import LayerWork, Product, Work, work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.kernel import Chip, Profile
    from isoflop.quantity.types import FloatArray
    from isoflop.training.spec import Run

TERMS = (
    "matrix products",
    "attention",
    "element-wise",
    "output layer and loss",
    "launch",
    "tensor parallelism",
    "experts' dispatch",
    "context parallelism",
    "sharded weights",
    "pipeline bubble",
    "gradients",
    "optimizer",
)
"""What adds up to the step time, in the order of the ledger."""

OPTIMIZER_BYTES = 14.0
"""Bytes read and written a parameter and step beyond the states themselves (which are read and written once)."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Seconds of a step of each layout, by term; `stage` is the slowest pipeline stage."""

    terms: dict[str, FloatArray]
    stage: FloatArray
    spread: float

    @property
    def total(self) -> FloatArray:
        """Step time."""
        result: FloatArray = sum(self.terms.values(), start=np.zeros_like(self.stage))
        return result

    @property
    def low(self) -> FloatArray:
        """5 % point."""
        return self.total / self.spread

    @property
    def high(self) -> FloatArray:
        """95 % point."""
        return self.total * self.spread


def step_time(run: Run, layouts: Layout | Layouts, chip: Chip, profile: Profile) -> Steps:
    """The step time of every layout on chips of a kind; a single layout gives arrays of one entry."""
    many = layouts if isinstance(layouts, Layouts) else Layouts.of(**{name: getattr(layouts, name) for name in _NAMES})
    keys = many.pp * 2**20 + many.vpp
    kinds = np.unique(keys)
    if len(kinds) == 1:
        return _Clock(run, many, chip, profile).slowest()
    terms = {name: np.empty_like(many.dp) for name in TERMS}
    stage = np.empty_like(many.dp)
    for key in kinds:
        mask = keys == key
        part = _Clock(run, many.take(mask), chip, profile).slowest()
        stage[mask] = part.stage
        for name in TERMS:
            terms[name][mask] = part.terms[name]
    return Steps(terms, stage, profile.spread)


_NAMES = tuple(Layout.__dataclass_fields__)


def step_ledger(run: Run, layout: Layout, chip: Chip, profile: Profile) -> Ledger:
    """The step time of one layout as a ledger."""
    found = step_time(run, layout, chip, profile)
    terms = tuple(Term(name=name, value=float(value.item())) for name, value in found.terms.items() if value.item() > 0)
    return Ledger(quantity="step_time", title=f"Step time of {run.model.name}: {layout.words()}", terms=terms)


class _Clock:
    """Layouts that share their number of stages."""

    def __init__(self, run: Run, many: Layouts, chip: Chip, profile: Profile) -> None:
        self.run, self.many, self.chip, self.profile = run, many, chip, profile
        recipe = run.recipe
        self.engine = engine(recipe.engine)
        self.kernels = self.engine.kernels
        self.work: Work = work(run.model, run.sequence, recipe.recompute, self.kernels, merged=self.kernels == "fused")
        self.compute = format_bytes(recipe.compute)
        self.group = MATMUL_GROUPS[recipe.matmul or recipe.compute]
        self.plain = MATMUL_GROUPS[recipe.compute]
        self.pp, self.vpp = int(many.pp.flat[0]), int(many.vpp.flat[0])
        self.tokens = many.micro_batch * run.sequence / many.cp
        self.steps = np.maximum(1.0, run.batch / (many.dp * many.micro_batch))
        self.kv = np.minimum(many.tp, self.work.kv_heads)
        self.backward = 1.0 if recipe.adapter is not None else 2.0
        self.speed = profile.power if chip.cap < 1 else 1.0

    def slowest(self) -> Steps:
        """The whole step, paced by the stage that takes longest."""
        kinds = [self._layer(kind) for kind in self.work.kinds]
        best: dict[str, FloatArray] = {}
        total = place = np.zeros_like(self.many.dp)
        mean = np.zeros_like(total)
        for stage, counts in self._stages():
            one = self._stage(stage, counts, kinds)
            time = sum(one.values(), start=np.zeros_like(total))
            if stage == 0:
                mean = time
            if not best:
                best, total, place = one, time, np.full_like(total, stage)
                continue
            more = time > total
            best = {name: np.where(more, one[name], best[name]) for name in one}
            total, place = np.where(more, time, total), np.where(more, stage, place)
        terms = {name: self.steps * best[name] for name in best}
        terms["pipeline bubble"] = (self.pp - 1) / self.vpp * mean * self.profile.bubble
        terms |= self._once()
        return Steps({name: terms[name] + np.zeros_like(total) for name in TERMS}, place, self.profile.spread)

    def _stages(self) -> Iterator[tuple[int, FloatArray]]:
        """(stage, layers of each kind in it): the first, the last, and those with most of a kind."""
        bounds = stage_bounds(len(self.work.kind_of), self.pp * self.vpp, self.run.split, self.run.ends)
        chunks = np.diff(self.work.cumulated[bounds], axis=0)
        sums = chunks.reshape(self.vpp, self.pp, -1).sum(axis=0)
        for stage in sorted({0, self.pp - 1, *sums.argmax(axis=0).tolist(), int(sums.sum(axis=1).argmax())}):
            yield stage, sums[stage]

    def _stage(self, stage: int, counts: FloatArray, kinds: list[dict[str, FloatArray]]) -> dict[str, FloatArray]:
        """Seconds of one micro-batch through a stage, forward and backward, by term."""
        zero = np.zeros_like(self.many.dp)
        found = {
            name: sum((count * kind[name] for count, kind in zip(counts, kinds, strict=True) if count), start=zero)
            for name in kinds[0]
        }
        found["output layer and loss"] = self._output() if stage == self.pp - 1 else zero
        busy = sum((value for name, value in found.items() if name != "launch"), start=zero)
        found["launch"] = np.maximum(0.0, found["launch"] - busy)
        found["sharded weights"] = self._sharded(busy + found["launch"], counts)
        return found

    def _layer(self, kind: LayerWork) -> dict[str, FloatArray]:
        """Seconds of one micro-batch through one layer, forward and backward, by term."""
        many, profile, chip = self.many, self.profile, self.chip
        pass_, zero = 1.0 + self.backward, np.zeros_like(many.dp)
        products = sum((self._product(one) * (pass_ + one.again) for one in kind.products), start=zero)
        attention = attention_time(
            kind.pair_flops * self.tokens / many.tp, chip=chip, profile=profile, fused=self.run.recipe.fused_attention
        )
        outer = np.where(many.sequence_parallel > 0, many.tp, 1.0)
        elements = self.tokens * (kind.inner / many.tp + kind.outer / outer)
        element_wise = elementwise_time(elements, self.compute, chip=chip, profile=profile, kernels=self.kernels)
        again = float("full" in self.run.recipe.recompute)
        launch: float = getattr(profile.launch, self.kernels) * self.engine.host
        launch += profile.launch.experts if kind.routed else 0.0
        launch *= profile.launch.graphs if self.run.recipe.execution.graphs else 1.0
        return {
            "matrix products": products / self.speed,
            "attention": zero + attention * (1 + profile.attention.backward + kind.attention_again) / self.speed,
            "element-wise": zero + element_wise * (3 + kind.elements_again),
            "launch": np.full_like(many.dp, launch * (1 + again / 3)),
            "tensor parallelism": self._summed(kind) * (2 + again),
            "experts' dispatch": self._dispatched(kind) * (2 + again),
            "context parallelism": self._passed_on(kind) * (2 + again),
        }

    def _product(self, one: Product) -> FloatArray:
        """Seconds of one product, forward, on one rank."""
        many, unit = self.many, np.ones_like(self.many.dp)
        m, times = self.tokens, unit
        if one.copies > 1:  # behind a router: each expert of the rank sees its share of the tokens of all its ranks
            m = np.maximum(1.0, self.tokens * one.active * many.ep / one.copies)
            times = one.copies / many.ep
        out = {"out": many.tp, "heads": self.kv, "expert out": many.etp}.get(one.splits, unit)
        into = {"in": many.tp, "expert in": many.etp}.get(one.splits, unit)
        time = matmul_time(
            m, one.outputs / out, one.inputs / into, chip=self.chip, profile=self.profile, group=self.group
        )
        found: FloatArray = times * time
        return found / self.profile.expert_matmul if one.copies > 1 else found

    def _summed(self, kind: LayerWork) -> FloatArray:
        """Exposed seconds of tensor parallelism's sums of the residual stream, one pass."""
        many = self.many
        size = self.tokens * self.work.width * self.compute
        each = all_reduce_time(size, many.tp, many.tp, chip=self.chip, profile=self.profile)
        share = self.profile.overlap.tensor if self.run.recipe.execution.overlap_tensor else 1.0
        return kind.sums * share * each

    def _dispatched(self, kind: LayerWork) -> FloatArray:
        """Exposed seconds of sending tokens to experts and back, one pass."""
        many = self.many
        if not kind.routed:
            return np.zeros_like(many.dp)
        outer = np.where(many.sequence_parallel > 0, many.tp, 1.0)
        size = self.tokens / outer * kind.routed * kind.routed_width * self.compute
        each = exchange_time(size, many.ep, many.ep * many.etp, chip=self.chip, profile=self.profile)
        overlap = self.profile.overlap
        return 2 * each * (overlap.experts_hidden if self.run.recipe.execution.overlap_experts else overlap.experts)

    def _passed_on(self, kind: LayerWork) -> FloatArray:
        """Exposed seconds of passing keys and values around the ring of context parallelism, one pass."""
        many = self.many
        size = self.tokens * kind.kv_elements / self.kv * self.compute * many.cp
        each = all_gather_time(size, many.cp, many.cp * many.tp, chip=self.chip, profile=self.profile)
        return self.profile.overlap.context * each

    def _output(self) -> FloatArray:
        """Seconds of logits and loss of one micro-batch, forward and backward."""
        many, work = self.many, self.work
        if not work.vocabulary:
            return np.zeros_like(many.dp)
        wide = np.full_like(many.dp, work.width)
        product = matmul_time(
            self.tokens, work.vocabulary / many.tp, wide, chip=self.chip, profile=self.profile, group=self.plain
        )
        logits = self.tokens * work.vocabulary / many.tp
        loss = elementwise_time(logits, 8.0, chip=self.chip, profile=self.profile, kernels="loss")
        return np.asarray(product * (1 + self.backward) / self.speed + loss)

    def _sharded(self, busy: FloatArray, counts: FloatArray) -> FloatArray:
        """Exposed seconds of gathering sharded weights and scattering their gradients, one micro-batch (ZeRO-3)."""
        many = self.many
        group = self._group()
        share = float(counts.sum()) / len(self.work.kind_of)
        size = self._params() * share * self.pp * format_bytes(self.run.recipe.compute)
        moved = 3 * all_gather_time(size, group, group * many.tp, chip=self.chip, profile=self.profile)
        if self.engine.whole_pipeline and self.pp > 1:
            moved = moved / self.steps  # gathered and scattered once a step
        exposed = np.maximum(0.0, moved - busy) + self.profile.overlap.sharded * np.minimum(moved, busy)
        return np.where((many.zero >= 3) & (group > 1), exposed, 0.0)

    def _group(self) -> FloatArray:
        whole = self.many.dp * self.many.cp
        result: FloatArray = np.where(self.many.shard > 0, np.minimum(self.many.shard, whole), whole)
        return result

    def _params(self) -> FloatArray:
        """Parameters of a rank, in the mean of its stages."""
        counted = tally(self.run.model, self.run.recipe, self.kernels)
        tensor, heads, expert, vocabulary, whole = counted.cumulated[-1][:5]
        ends = counted.embedding + counted.head
        many = self.many
        dense = (tensor + vocabulary + ends) / many.tp + heads / self.kv + whole
        result: FloatArray = (dense + expert / (many.ep * many.etp)) / self.pp
        return result

    def _once(self) -> dict[str, FloatArray]:
        """What happens once a step: gradients of data parallelism, and the optimizer."""
        many, recipe = self.many, self.run.recipe
        params, group = self._params(), self._group()
        trained = 0.01 if recipe.adapter is not None else 1.0
        size = params * trained
        whole = many.dp * many.cp
        back = np.where(many.zero >= 1, format_bytes(recipe.compute), format_bytes(recipe.reduce))
        both = size * (format_bytes(recipe.reduce) + back)  # reduce-scatter, and all-gather of weights or gradients
        moved = all_gather_time(both, whole, whole * many.tp, chip=self.chip, profile=self.profile)
        exposed = np.where((many.zero < 3) & (whole > 1), self.profile.overlap.gradients * moved, 0.0)
        states = sum(map(format_bytes, (recipe.master, *recipe.states)))
        sharded = np.where(many.zero >= 1, group, 1.0)
        touched = size / sharded * (2 * states + OPTIMIZER_BYTES / 2) * (1.0 - many.offload_optimizer)
        return {"gradients": exposed, "optimizer": self.profile.optimizer * touched / self.chip.bandwidth}
