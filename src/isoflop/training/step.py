"""Step time of a run, term by term: one implementation for a layout and for a million of them.

Seconds of one optimizer step. A pipeline's time is that of its slowest stage, micro-batch after micro-batch, and the
bubble before and after. Communication counts where compute does not cover it. Neglected: evaluation, checkpoints, input
pipelines, failures (goodput is another quantity), and that nodes of a large fleet differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from isoflop.kernel import (
    all_gather_time,
    all_reduce_time,
    attention_time,
    cast_time,
    elementwise_time,
    exchange_time,
    matmul_time,
    score_time,
)
from isoflop.relation.answer import Ledger, Term
from isoflop.training.engine import engine
from isoflop.training.spec import MATMUL_GROUPS, Layout, Layouts, format_bytes
from isoflop.training.stages import by_stages, together
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
    "pipeline transfers",
    "gradients",
    "optimizer",
)
"""What adds up to the step time, in the order of the ledger."""

OPTIMIZER_BYTES = 14.0
"""Bytes read and written a parameter and step beyond the states themselves (which are read and written once)."""


UNFUSED_BACKWARD = 2.0
"""Backward over forward of attention that keeps its scores."""

SMOOTH = 3.0
"""Host and chip wait for each other in turn, so that two equal times take 1.26 of one: the power of their norm."""

BUCKET = 40e6
"""Parameters whose gradients travel together; more on many ranks, so that latency does not decide (Megatron-LM)."""


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
    many = Layouts.from_one(layouts)
    parts = [(where, _Clock(run, part, chip, profile).slowest()) for where, part in by_stages(many)]
    return parts[0][1] if len(parts) == 1 else Steps(*together(many.dp, parts), profile.spread)


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
        self.speed = chip.cap**profile.power
        self.group_size = self._group()
        self.routed = any(kind.routed for kind in self.work.kinds)
        self.outer = np.where(many.sequence_parallel > 0, many.tp, 1.0)

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
        terms["pipeline transfers"] = self._passed_down()
        terms |= self._once(total)
        young = self.run.recipe.execution.year <= self.profile.arrived
        pace = self.profile.pace * (self.profile.young if young else 1.0)
        return Steps({name: pace * terms[name] + np.zeros_like(total) for name in TERMS}, place, self.profile.spread)

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
        ends = (stage == 0) + (stage == self.pp - 1)
        host = found["launch"] * (1 + ends / float(counts.sum()))
        found["launch"] = (host**SMOOTH + busy**SMOOTH) ** (1 / SMOOTH) - busy
        if self.run.recipe.execution.host_waits and self.routed:
            found["launch"] = host
        found["sharded weights"] = self._sharded(busy + found["launch"], counts)
        return found

    def _layer(self, kind: LayerWork) -> dict[str, FloatArray]:
        """Seconds of one micro-batch through one layer, forward and backward, by term."""
        many, profile, chip = self.many, self.profile, self.chip
        pass_, zero = 1.0 + self.backward, np.zeros_like(many.dp)
        products = sum((self._product(one) * (pass_ + one.again) for one in kind.products), start=zero)
        elements = self.tokens * (kind.inner / many.tp + kind.outer / self.outer)
        element_wise = elementwise_time(elements, self.compute, chip=chip, profile=profile, kernels=self.kernels)
        casts = self._casts(kind) if self.group in {"8", "4"} else zero
        again = float("full" in self.run.recipe.recompute)
        copies = max((one.copies for one in kind.products), default=1)
        launch = profile.launch.layer(self.kernels) * self.engine.host + zero
        launch = launch + (profile.launch.experts * copies / many.ep if copies > 1 else 0.0)
        launch = launch * self._left_by_graphs()
        return {
            "matrix products": products / self.speed,
            "attention": zero + self._attention(kind),
            "element-wise": zero + element_wise * (3 + kind.elements_again) + casts,
            "launch": launch * (1 + again / 3),
            "tensor parallelism": self._summed(kind) * (2 + again),
            "experts' dispatch": self._dispatched(kind) * (2 + again),
            "context parallelism": self._passed_on(kind) * (2 + again),
        }

    def _left_by_graphs(self) -> float:
        """Share of the launches that CUDA graphs leave."""
        return 1.0 - self.run.recipe.execution.graphs * (1.0 - self.profile.launch.graphs)

    def _attention(self, kind: LayerWork) -> FloatArray:
        """Seconds of attention of one micro-batch in a layer, forward and backward."""
        share, recipe = self.tokens / self.many.tp, self.run.recipe
        if not recipe.fused_attention:
            each = score_time(
                kind.square_flops * share, kind.scores * share, chip=self.chip, profile=self.profile, group=self.plain
            )
            return np.asarray(each * (1 + UNFUSED_BACKWARD + kind.attention_again))
        generation = recipe.execution.attention
        each = attention_time(
            kind.busy_flops * share, chip=self.chip, profile=self.profile, generation=generation, group=self.plain
        )
        return np.asarray(each * (1 + self.profile.attention.backward + kind.attention_again) / self.speed)

    def _casts(self, kind: LayerWork) -> FloatArray:
        """Seconds to bring into 8 or 4 bit what goes into products, and the gradients that come back."""
        elements = np.zeros_like(self.many.dp)
        for one in kind.products:
            out, into, m, times = self._sides(one)
            elements = elements + times * m * (one.inputs / into + (one.outputs / out) * (self.backward > 0))
        return np.asarray(cast_time(elements, chip=self.chip, profile=self.profile))

    def _product(self, one: Product) -> FloatArray:
        """Seconds of one product, forward, on one rank."""
        out, into, m, times = self._sides(one)
        time = matmul_time(
            m, one.outputs / out, one.inputs / into, chip=self.chip, profile=self.profile, group=self.group
        )
        found: FloatArray = times * time
        low = self.group in {"8", "4"}
        return found / (self.profile.expert_low if low else self.profile.expert_matmul) if one.copies > 1 else found

    def _sides(self, one: Product) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """(what divides its outputs, its inputs, rows it takes at once, how many times on a rank) of a product."""
        many, unit = self.many, np.ones_like(self.many.dp)
        m, times = self.tokens, unit
        if one.copies > 1:  # behind a router: each expert of the rank sees its share of the tokens of all its ranks
            m = np.maximum(1.0, self.tokens / self.outer * one.active * many.ep * many.etp / one.copies)
            times = one.copies / many.ep
        out = {"out": many.tp, "heads": self.kv, "expert out": many.etp}.get(one.splits, unit)
        into = {"in": many.tp, "expert in": many.etp}.get(one.splits, unit)
        return out, into, m, times

    def _summed(self, kind: LayerWork) -> FloatArray:
        """Exposed seconds of tensor parallelism's sums of the residual stream, one pass."""
        many = self.many
        size = self.tokens * self.work.width * self.compute
        each = all_reduce_time(size, many.tp, many.tp, chip=self.chip, profile=self.profile)
        overlap = self.profile.overlap
        share = overlap.tensor if self.run.recipe.execution.overlap_tensor else overlap.tensor_alone
        return kind.sums * share * each

    def _dispatched(self, kind: LayerWork) -> FloatArray:
        """Exposed seconds of sending tokens to experts and back, one pass."""
        many = self.many
        if not kind.routed:
            return np.zeros_like(many.dp)
        size = self.tokens / self.outer * kind.routed * kind.routed_width * self.compute
        near = self.chip if self.run.recipe.execution.rack else replace(self.chip, domain=self.chip.node)
        targets = float(kind.routed) if self.run.recipe.execution.dispatch_once else 0.0
        each = exchange_time(size, many.ep, many.ep * many.etp, chip=near, profile=self.profile, targets=targets)
        overlap, execution = self.profile.overlap, self.run.recipe.execution
        share = overlap.experts_once if execution.dispatch_once else overlap.experts
        return 2 * each * share * (overlap.experts_hidden if execution.overlap_experts else 1.0)

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
        width = 4.0 if self.run.recipe.fused_loss else 8.0
        loss = elementwise_time(logits, width, chip=self.chip, profile=self.profile, kernels="loss")
        return np.asarray(product * (1 + self.backward) / self.speed + loss)

    def _sharded(self, busy: FloatArray, counts: FloatArray) -> FloatArray:
        """Exposed seconds of gathering sharded weights and scattering their gradients, one micro-batch (ZeRO-3)."""
        many = self.many
        group = self.group_size
        share = float(counts.sum()) / len(self.work.kind_of)
        recipe = self.run.recipe
        params = self._params() * share * self.pp
        size = params * (2 * format_bytes(recipe.compute) + format_bytes(recipe.reduce))  # gathered twice, scattered
        pieces = 3 * float(counts.sum())
        moved = pieces * all_gather_time(
            size / pieces,
            group,
            group * many.tp,
            chip=self.chip,
            profile=self.profile,
            rails=recipe.execution.rails,
        )
        if self.engine.whole_pipeline and self.pp > 1:
            moved = moved / self.steps  # gathered and scattered once a step
        overlap = self.profile.overlap
        share = overlap.sharded if recipe.execution.rails else overlap.sharded_alone
        exposed = np.maximum(0.0, moved - busy) + share * np.minimum(moved, busy)
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

    def _passed_down(self) -> FloatArray:
        """Exposed seconds of sending activations from stage to stage and gradients back, all micro-batches."""
        if self.pp == 1:
            return np.zeros_like(self.many.dp)
        size = self.tokens * self.work.width * self.compute / self.outer
        apart = self.many.tp * self.many.cp * self.many.dp
        inside = apart * self.pp <= self.chip.domain
        rate = np.where(
            inside,
            self.chip.link * self.profile.link.efficiency,
            self.chip.network * self.profile.network.efficiency,
        )
        share = self.profile.overlap.pipeline if self.vpp > 1 else 1.0
        return np.asarray(2 * self.vpp * self.steps * size / rate * share)

    def _once(self, busy: FloatArray) -> dict[str, FloatArray]:
        """What happens once a step: gradients of data parallelism, and the optimizer; `busy`: one micro-batch."""
        many, recipe, profile = self.many, self.run.recipe, self.profile
        params, group = self._params(), self.group_size
        trained = 0.01 if recipe.adapter is not None else 1.0
        size = params * trained
        whole = many.dp * many.cp
        back = np.where(many.zero >= 1, format_bytes(recipe.compute), format_bytes(recipe.reduce))
        both = size * (format_bytes(recipe.reduce) + back)  # reduce-scatter, and all-gather of weights or gradients
        pieces = 2 * np.maximum(1.0, size / np.maximum(BUCKET, whole * BUCKET / 40))
        moved = pieces * all_gather_time(
            both / pieces, whole, whole * many.tp, chip=self.chip, profile=profile, rails=recipe.execution.rails
        )
        if recipe.execution.overlap_gradients:
            window = busy * np.minimum(self.steps, self.pp)  # stages wait for each other while a pipeline drains
            moved = np.maximum(0.0, moved - window) + profile.overlap.gradients * np.minimum(moved, window)
        exposed = np.where((many.zero < 3) & (whole > 1), moved, 0.0)
        states = sum(map(format_bytes, (recipe.master, *recipe.states)))
        sharded = np.where(many.zero >= 1, group, 1.0)
        touched = size / sharded * (2 * states + OPTIMIZER_BYTES / 2) * (1.0 - many.offload_optimizer)
        host = profile.launch.step * self._left_by_graphs()
        return {"gradients": exposed, "optimizer": profile.optimizer * touched / self.chip.bandwidth + host}
