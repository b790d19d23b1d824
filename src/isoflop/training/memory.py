"""Peak memory of a rank, term by term: one implementation for a layout and for a million of them.

The peak is looked for at two moments of the backward pass: at the output layer, when everything that was saved is still
there and logits come on top, and inside a layer, when its gradients do (after it was computed again, where it is). Of
all pipeline stages the worst is taken. Neglected: the optimizer's step (no activations are left then; plain, unfused
optimizers may need a temporary of the size of the parameters), evaluation, checkpoint writing, data.

GB is 10^9 bytes, GiB 2^30. `allocated` is what tensors take, `reserved` what the caching allocator holds, `device` what
the driver shows: context and communication buffers too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isoflop.relation.answer import Ledger, Term
from isoflop.training.engine import Engine, engine
from isoflop.training.spec import Layout, Layouts, format_bytes
from isoflop.training.stages import by_stages, together
from isoflop.training.tally import FEATURES, KEPT, SPLITS, Tally, stage_bounds, tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.quantity.types import FloatArray
    from isoflop.training.spec import Run, Schedule

TERMS = (
    "weights",
    "gradients",
    "master weights",
    "optimizer states",
    "gathered weights",
    "gradients in flight",
    "saved for backward",
    "output layer and loss",
    "working set of a layer",
)
"""What adds up to the allocated peak, in the order of the ledger."""

BEGUN = 0.5
"""Share of a layer's passing tensors that is there while all that was computed again is: gradients of its widest
product alone. Read off 12 peaks on a CPU, which it brings within a percent; those of GPUs get nearer too."""

PART_MADE = 0.25
"""Share of a layer's gradients that is there when the most of what was saved of it still is: that of the last product
of its feed-forward part."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Peak bytes of the worst rank of each layout: `terms` by name in the order of `TERMS`, arrays of one shape.

    `stage` is the pipeline stage of that rank. `low` and `high` bound the 5 to 95 % interval as factors.
    """

    terms: dict[str, FloatArray]
    stage: FloatArray
    engine: Engine

    @property
    def allocated(self) -> FloatArray:
        """What tensors take at the peak."""
        total: FloatArray = sum(self.terms.values(), start=np.zeros_like(self.stage))
        return total

    @property
    def reserved(self) -> FloatArray:
        """What the caching allocator holds: fragments on top."""
        return self.allocated * self.engine.overhead[0]

    @property
    def device(self) -> FloatArray:
        """What the driver shows as used."""
        return self.reserved + self.engine.context[0]

    def of_kind(self, kind: str) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(median, 5 %, 95 %) of "allocated", "reserved" or "device" memory."""
        middle = {"allocated": self.allocated, "reserved": self.reserved, "device": self.device}[kind]
        relative = [self.engine.spread - 1.0]
        if kind != "allocated":
            relative.append((self.engine.overhead[2] / self.engine.overhead[1]) ** 0.5 - 1)
        wide = 1 + float(np.hypot.reduce(relative))
        extra = (0.0, 0.0) if kind != "device" else (
            self.engine.context[0] - self.engine.context[1], self.engine.context[2] - self.engine.context[0]
        )  # fmt: skip
        return middle, middle / wide - extra[0], middle * wide + extra[1]


def peak(run: Run, layouts: Layout | Layouts, made: Engine | None = None) -> Peak:
    """The peak of every layout; a single one gives arrays of one entry. `made` stands for the recipe's engine."""
    many = Layouts.from_one(layouts)
    made = made or engine(run.recipe.engine)
    counted = tally(run.model, run.recipe, made.kernels)
    parts = [(where, _Shared(run, counted, made, part).worst()) for where, part in by_stages(many)]
    return parts[0][1] if len(parts) == 1 else Peak(*together(many.dp, parts), made)


def ledger(run: Run, layout: Layout, kind: str = "device", limit: float | None = None) -> Ledger:
    """The peak of one layout as a ledger of `peak_memory` of a kind, held against `limit` [bytes] where given."""
    found = peak(run, layout)
    terms = [Term(name=name, value=float(values.item())) for name, values in found.terms.items() if values.item() > 0]
    if kind != "allocated":
        terms.append(Term(name="allocator overhead", value=float((found.reserved - found.allocated).item())))
    if kind == "device":
        terms.append(Term(name="context and communication", value=found.engine.context[0]))
    where = f", stage {int(found.stage.item()) + 1} of {layout.pp}" if layout.pp > 1 else ""
    title = f"Peak memory ({kind}) of {run.model.name}: {layout.words()}{where}"
    return Ledger(quantity="peak_memory", title=title, terms=tuple(terms), limit=limit)


def in_flight(schedule: Schedule, stage: int, pp: int, vpp: int, steps: FloatArray) -> FloatArray:
    """Micro-batches whose saved tensors a rank of `stage` holds at once, in whole stages, of `steps` micro-batches.

    1F1B and zero-bubble (ZB-H1): as many as stages are left. Interleaved: chunks of the warm-up. GPipe: all. DualPipe:
    one more than stages, of the stages at both ends together. Sources: Narayanan et al. 2021, section 2.2; Qi et al.
    2023, section 3; DeepSeek-AI 2024, section 3.2.1.
    """
    if schedule == "gpipe":
        return steps
    if schedule == "dualpipe":
        most, each = pp + 1.0, 2.0
    elif vpp > 1:
        most, each = (2.0 * (pp - stage - 1) + (vpp - 1) * pp + 1) / vpp, 1.0
    else:
        most, each = float(pp - stage), 1.0
    held: FloatArray = np.minimum(most, steps) / each
    return held


@dataclass(frozen=True, slots=True)
class _Held:
    """Parameters that a rank works with, before sharding by data parallelism; experts apart."""

    dense: FloatArray
    expert: FloatArray

    def over(self, groups: tuple[FloatArray, FloatArray]) -> FloatArray:
        """Those that are left to a rank of sharding groups of these sizes (dense, expert)."""
        return self.dense / groups[0] + self.expert / groups[1]


class _Shared:
    """Layouts that share their number of stages: what is common to all stages is computed once."""

    def __init__(self, run: Run, counted: Tally, made: Engine, many: Layouts) -> None:
        self.run, self.tally, self.engine, self.many = run, counted, made, many
        self.compute = format_bytes(run.recipe.compute)
        self.pp, self.vpp = int(many.pp.flat[0]), int(many.vpp.flat[0])
        self.both_ends = run.schedule == "dualpipe"  # a rank holds a stage from each end
        self.tokens = many.micro_batch * run.sequence / many.cp
        self.steps = np.maximum(1.0, run.batch / (many.dp * many.micro_batch))
        self.outer = np.where(many.sequence_parallel > 0, many.tp, 1.0)
        self.kv = np.minimum(many.tp, counted.kv_heads)
        whole = many.dp * many.cp
        group = np.where(many.shard > 0, np.minimum(many.shard, whole), whole)
        self.groups = (group, np.maximum(1.0, group * many.tp / (many.ep * many.etp)))
        self.gathers = (many.zero >= 3) & (group > 1)
        self.kept_whole = self.gathers & (made.whole_pipeline > 0) & (self.pp > 1)

    def worst(self) -> Peak:
        """Of all stages the one that needs most."""
        best: dict[str, FloatArray] = {}
        total = place = np.zeros_like(self.many.dp)
        for stage, rows in self._stages():
            terms = self._terms(stage, rows)
            need = sum(terms.values(), start=np.zeros_like(total))
            if not best:
                best, total, place = terms, need, np.full_like(total, stage)
                continue
            more = need > total
            if more.any():
                best = {name: np.where(more, terms[name], best[name]) for name in TERMS}
                place, total = np.where(more, stage, place), np.where(more, need, total)
        return Peak(best, place, self.engine)

    def _stages(self) -> Iterator[tuple[int, FloatArray]]:
        """(stage, sum of its layers' features): the first, the second, the last and the heaviest; others need less."""
        bounds = stage_bounds(self.tally.layers, self.pp * self.vpp, self.run.split, self.run.ends)
        chunks = np.diff(self.tally.cumulated[bounds], axis=0)
        sums = chunks.reshape(self.vpp, self.pp, -1).sum(axis=0)
        if self.both_ends:
            sums = sums + sums[::-1]
        heaviest = sums[:, : len(SPLITS) + len(KEPT)].argmax(axis=0).tolist()
        for stage in sorted({0, min(1, self.pp - 1), self.pp - 1, *heaviest}):
            yield stage, sums[stage]

    def _terms(self, stage: int, rows: FloatArray) -> dict[str, FloatArray]:
        recipe = self.run.recipe
        held = self._held(rows[: len(SPLITS)], stage)
        trained = self._held(rows[len(SPLITS) : 2 * len(SPLITS)], stage, ends=self.tally.trained_ends)
        stated = trained.over(self._sharded(1)) * (1.0 - self.many.offload_optimizer)
        gathered, at_output, in_layer = self._moment(stage, held)
        terms = {
            "weights": self._weights(stage, rows[: len(SPLITS)], trained),
            "gradients": self._gradients(trained),
            "master weights": format_bytes(recipe.master) * stated,
            "optimizer states": sum(map(format_bytes, recipe.states)) * stated,
            "gathered weights": gathered,
            "gradients in flight": self._in_flight_gradients(),
            "saved for backward": self._saved(stage, rows),
            "output layer and loss": at_output,
            "working set of a layer": in_layer,
        }
        return self._as_made(terms) if self.engine.as_made and recipe.adapter is None else terms

    def _as_made(self, terms: dict[str, FloatArray]) -> dict[str, FloatArray]:
        """The worst moment where a gradient takes memory from when it is made to the end of the step.

        Without accumulation and replicas there are four: at the output layer nothing but its own gradient is there; in
        the last layer a part of that layer's too; in the first all but those of the rest of it and of the embedding,
        and nothing that was saved of others; at the end all gradients, and nothing that was saved.
        """
        counted, many = self.tally, self.many
        alone = (self.steps <= 1) & (many.dp * many.cp * self.pp == 1)
        form = format_bytes(self.run.recipe.gradients)
        matrix = form * counted.vocabulary * counted.width / many.tp
        whole, saved, layer = terms["gradients"], terms["saved for backward"], self._in_layer()
        at_output = self._at_output(matrix / form)
        inside = np.maximum(saved - self._bytes(counted.final), 0.0)
        begun = np.minimum(matrix + PART_MADE * form * self._unit(), whole)
        again = matrix if counted.tied else 0.0  # the gradient of a shared matrix is made twice and added
        coming = (1.0 - PART_MADE) * form * self._unit() + (0.0 if counted.tied else form * counted.embedding)
        ended, left = np.maximum(whole - coming, begun), inside / counted.layers
        moments = np.stack([
            matrix + saved + at_output, begun + inside + layer, ended + left + layer, whole + again + 0.0 * saved
        ])  # fmt: skip
        worst = np.argmax(moments, axis=0)

        def at(*values: FloatArray) -> FloatArray:
            found: FloatArray = np.choose(worst, np.broadcast_arrays(*values))
            return found

        zero = np.zeros_like(saved)
        made = {
            "gradients": at(matrix + zero, begun, ended, whole + again),
            "saved for backward": at(saved, inside, left, zero),
            "output layer and loss": at(at_output, zero, zero, zero),
            "working set of a layer": at(zero, layer, layer, zero),
        }
        return terms | {name: np.where(alone, value, terms[name]) for name, value in made.items()}

    def _sharded(self, level: int) -> tuple[FloatArray, FloatArray]:
        """Ranks that share what ZeRO shards from `level` on: of dense parameters, of experts."""
        at = self.many.zero >= level
        return np.where(at, self.groups[0], 1.0), np.where(at, self.groups[1], 1.0)

    def _held(self, row: FloatArray, stage: int, *, ends: float = 1.0) -> _Held:
        """Parameters of a rank of this stage; `ends` 0 leaves embedding, head and final norm out (frozen)."""
        tensor, heads, expert, vocabulary, whole = row
        counted = self.tally
        first, last = stage == 0 or self.both_ends, stage == self.pp - 1 or self.both_ends
        tables = counted.embedding * first + counted.head * last
        if counted.tied and last and not first:
            tables += counted.embedding  # a copy of the shared matrix
        dense = (tensor + vocabulary + ends * tables) / self.many.tp + heads / self.kv
        return _Held(dense + whole + ends * counted.rest * last, expert / (self.many.ep * self.many.etp))

    def _weights(self, stage: int, row: FloatArray, trained: _Held) -> FloatArray:
        """Weights as they are held; frozen layers in the format of the base, frozen tables in that of the work."""
        recipe, groups = self.run.recipe, self._sharded(3)
        held = self._held(row, stage)
        if recipe.adapter is None:
            whole: FloatArray = format_bytes(recipe.weights) * held.over(groups)
            tables = self.tally.embedding * (stage == 0) / self.many.tp
            return whole + self.engine.cast_copies * self.compute * (held.dense + held.expert - tables)
        layers = self._held(row, stage, ends=0.0)
        frozen = _Held(layers.dense - trained.dense, layers.expert - trained.expert).over(groups)
        tables = (held.dense - layers.dense) / groups[0]
        base = format_bytes(recipe.adapter.base)
        both: FloatArray = base * frozen + self.compute * tables + format_bytes(recipe.weights) * trained.over(groups)
        return both

    def _gradients(self, trained: _Held) -> FloatArray:
        """Gradients as they are summed: of a shard, or whole where a pipeline keeps them so until its last step."""
        recipe = self.run.recipe
        sharded = format_bytes(recipe.gradients) * trained.over(self._sharded(2))
        whole = format_bytes(recipe.reduce) * (trained.dense + trained.expert)
        kept: FloatArray = np.where(self.kept_whole, whole, sharded)
        return kept

    def _saved(self, stage: int, rows: FloatArray) -> FloatArray:
        """What is saved of all micro-batches in flight, and the final norm's at the last stage."""
        each = self._bytes(rows[2 * len(SPLITS) : 2 * len(SPLITS) + len(KEPT)])
        each = each * (1.0 - np.minimum(self.many.offload_layers * self.pp / self.tally.layers, 1.0))
        stream = self.compute * self.tally.width * self.tokens
        meeting = stream * self.engine.boundary * self.vpp if self.pp > 1 else 0.0
        last = self._bytes(self.tally.final) if stage == self.pp - 1 else 0.0
        flight = in_flight(self.run.schedule, stage, self.pp, self.vpp, self.steps)
        saved: FloatArray = flight * (each + meeting) + last
        return saved

    def _bytes(self, kept: FloatArray) -> FloatArray:
        """Bytes of saved features (`KEPT`) of one micro-batch on one rank."""
        inner, outer, inner32, outer32, routed_inner, routed_outer, pairs = kept
        tp = self.many.tp
        split = self.compute * (inner + routed_inner + routed_outer * self.many.etp + pairs * self.run.sequence)
        held: FloatArray = self.tokens * (
            (split + 4 * inner32) / tp + (self.compute * outer + 4 * outer32) / self.outer
        )
        return held

    def _moment(self, stage: int, held: _Held) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(gathered weights, loss, working set of a layer) at the worse moment: at the output layer or in a layer."""
        unit = self._unit()
        in_layer = self._in_layer()
        gathered = np.where(self.gathers, self.engine.gathered_units * self.compute * unit, 0.0)
        whole = self.compute * (held.dense + held.expert)
        if stage != self.pp - 1 and not self.both_ends:
            return np.where(self.kept_whole, whole, gathered), np.zeros_like(unit), in_layer
        matrix = self.tally.vocabulary * self.tally.width / self.many.tp
        at_output = self._at_output(matrix)
        beside = np.where(self.gathers, self.compute * (matrix + unit), 0.0)
        here = at_output + beside >= in_layer + gathered
        return (
            np.where(self.kept_whole, whole, np.where(here, beside, gathered)),
            np.where(here, at_output, 0.0),
            np.where(here, 0.0, in_layer),
        )

    def _at_output(self, matrix: FloatArray) -> FloatArray:
        """What logits and loss need: the logits in their copies, the gathered input, the gradient's placeholder."""
        counted, engine = self.tally, self.engine
        each: FloatArray | float = engine.fused_logit_bytes
        if not self.run.recipe.fused_loss:
            each = np.where(self.many.tp > 1, engine.parallel_logit_bytes, engine.logit_bytes)
        logits = each * self.tokens * counted.vocabulary / self.many.tp
        inputs = np.where(self.outer > 1, engine.gathered_inputs, 0.0) * self.compute * self.tokens * counted.width
        needed: FloatArray = logits + inputs + engine.placeholder_heads * self.compute * matrix * counted.trained_ends
        return needed

    def _in_layer(self) -> FloatArray:
        """What the backward pass through the largest layer needs: gradients, and what is computed again."""
        counted = self.tally
        wide = max(counted.widest, counted.widest_routed)
        working = self.engine.transient * self.compute * self.tokens * wide / self.many.tp
        if "full" not in self.run.recipe.recompute:
            return working
        return working * (BEGUN if self.engine.as_made else 1.0) + self._bytes(counted.working)

    def _unit(self) -> FloatArray:
        """Parameters of the largest layer on one rank, before sharding by data parallelism."""
        tensor, heads, expert, vocabulary, whole = self.tally.unit
        spread = (tensor + vocabulary) / self.many.tp + heads / self.kv + whole
        unit: FloatArray = spread + expert / (self.many.ep * self.many.etp)
        return unit

    def _in_flight_gradients(self) -> FloatArray:
        """Unreduced gradients of the units in flight, and placeholders of fused accumulation."""
        engine, recipe = self.engine, self.run.recipe
        if recipe.adapter is not None:
            return np.zeros_like(self.many.dp)
        moving = np.where((self.many.zero >= 2) & ~self.kept_whole, engine.gathered_gradients, 0.0)
        placeholders = engine.placeholder_layers * self.compute * self.tally.placeholder / self.many.tp
        both: FloatArray = moving * format_bytes(recipe.reduce) * self._unit() + placeholders
        return both


assert len(FEATURES) == 2 * len(SPLITS) + len(KEPT) + 1
