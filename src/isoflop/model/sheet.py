"""Everything that is said of one model, counted once: what `isoflop model` prints and its JSON holds.

It adds nothing to the counts; it chooses at which lengths, conventions and number formats they are taken.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from isoflop.errors import UnknownName
from isoflop.model.count import Counts, counts, weights
from isoflop.model.flops import CONVENTIONS, Convention, check_tokens, decode_flops, forward_flops
from isoflop.model.state import BYTES, state_elements
from isoflop.model.weight_bytes import weight_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isoflop.model.names import Description
    from isoflop.model.parts import Saved, StateKind, Weight
    from isoflop.model.spec import ModelSpec
    from isoflop.model.weight_bytes import Storage
    from isoflop.relation.answer import Ledger

LONGEST_DEFAULT = 4096
"""The sequence length where none is given, unless the model was made for less."""

KV_BYTES: Mapping[str, float] = {"fp32": 4, "bf16": 2, "fp16": 2, "fp8": 1, "int8": 1, "int4": 0.5}
"""Number formats of a cache and their bytes an element, without scales."""

WEIGHT_DTYPES = ("fp32", "bf16", "fp16", "fp8", "int8", "int4")

USUAL = "bf16"
"""The number format of weights where no config names one."""

COMPUTE_BYTES = 2.0
"""Bytes of what training works with: BF16 or FP16."""


class Rule(NamedTuple):
    """A rule of thumb for the memory of training."""

    name: str
    bytes_per_param: int
    words: str


RULES = (
    Rule("mixed precision with Adam", 16, "2 weights, 2 gradients, 4 FP32 copy, 8 Adam"),
    Rule("FP32 with Adam, and a guess for activations", 24, "4 weights, 4 gradients, 8 Adam, 8 activations"),
)


class Component(NamedTuple):
    """One part of the model: what it holds, what a token meets, what a token costs, what it weighs."""

    part: str
    params: int
    active_params: int
    flops: float
    bytes: float


class Shape(NamedTuple):
    """A tensor and how many layers hold one like it: `layers` x `rows` x `columns` x `copies` numbers."""

    part: str
    name: str
    layers: int
    rows: int
    columns: int
    copies: int
    active: int
    trained: bool

    @property
    def params(self) -> int:
        """Numbers held."""
        return self.layers * self.rows * self.columns * self.copies

    @property
    def active_params(self) -> int:
        """Numbers a token meets."""
        return self.layers * self.rows * self.columns * self.active


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """At which lengths and in which form things are counted.

    `sequence`: tokens of a training sequence. `context`: tokens of one sequence in the cache.
    """

    sequence: float
    context: float
    convention: Convention = "model"
    kv_dtype: str = "bf16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """FLOP: a token forward and in training by convention, a whole sequence, a new token at the context.

    `prefill` runs the head on every token, `prefill_head_once` on the last alone, as serving does. `decode` is None for
    models that do not write.
    """

    forward: Mapping[Convention, float]
    training: Mapping[Convention, float]
    prefill: float
    prefill_head_once: float
    decode: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """State in bytes: what a further token adds while no window is full, what does not grow, all of it by kind."""

    bytes_per_token: float
    bytes_per_further_token: float
    bytes_per_sequence: float
    kinds: Mapping[StateKind, float]

    @property
    def total(self) -> float:
        """Bytes of one sequence at the context."""
        return sum(self.kinds.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Activations:
    """Bytes a token that training keeps for the backward pass, nothing recomputed, by part; scores of words apart."""

    parts: Mapping[str, float]
    logits: float

    @property
    def bytes_per_token(self) -> float:
        """All parts, without the scores over the words."""
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A model with all that is counted of it."""

    described: Description
    at: Lengths
    counts: Counts
    components: tuple[Component, ...]
    shapes: tuple[Shape, ...]
    work: Work
    kept: Kept
    activations: Activations
    weights: Mapping[str, float]
    storage: Storage | None = None

    @property
    def stored_as(self) -> str:
        """What the bytes of the components are in: one number format, or as a config mixes them."""
        if self.storage is None:
            return USUAL
        return self.storage.dtype if len({term.note for term in self.storage.ledger.terms}) == 1 else "stored"

    @property
    def spec(self) -> ModelSpec:
        """The model."""
        return self.described.spec


def lengths(
    described: Description,
    *,
    sequence: float | None = None,
    context: float | None = None,
    convention: str = "model",
    kv_dtype: str | None = None,
) -> Lengths:
    """The lengths that are counted at: what is given, else the smaller of 4,096 and the model's context.

    The cache is in 16 bits where nothing else is given and the config asks for nothing smaller.
    """
    spec = described.spec
    usual = min(LONGEST_DEFAULT, spec.context or LONGEST_DEFAULT)
    counted = next((one for one in CONVENTIONS if one == convention), None)
    if counted is None:
        raise UnknownName("FLOP convention", convention, CONVENTIONS, hint=f"Give one of: {', '.join(CONVENTIONS)}.")
    if kv_dtype is None:
        asked = described.storage.kv_dtype if described.storage else USUAL
        kv_dtype = asked if KV_BYTES.get(asked, 2) < KV_BYTES[USUAL] else USUAL
    if kv_dtype not in KV_BYTES:
        raise UnknownName("number format of a cache", kv_dtype, KV_BYTES, hint=f"Give one of: {', '.join(KV_BYTES)}.")
    for name, value in (("sequence", sequence), ("context", context)):
        if value is not None:
            check_tokens(value, name)
    sequence = usual if sequence is None else sequence
    context = float(spec.context or sequence) if context is None else context
    return Lengths(sequence=sequence, context=context, convention=counted, kv_dtype=kv_dtype)


def sheet(described: Description, at: Lengths | None = None) -> Sheet:
    """Everything that is counted of a model."""
    spec = described.spec
    at = at or lengths(described)
    counted = counts(spec)
    storage = described.storage
    return Sheet(
        described=described,
        at=at,
        counts=counted,
        components=_components(spec, at, storage.ledger if storage else weight_bytes(spec, USUAL)),
        shapes=shapes(spec),
        work=_work(spec, at),
        kept=_kept(spec, at),
        activations=_activations(spec),
        weights={dtype: weight_bytes(spec, dtype).total for dtype in WEIGHT_DTYPES},
        storage=storage,
    )


def shapes(spec: ModelSpec) -> tuple[Shape, ...]:
    """Every kind of tensor once, with the number of layers that hold one like it, in the order of the model."""
    layers: dict[Weight, int] = defaultdict(int)
    for times, weight in weights(spec):
        layers[weight] += times
    return tuple(
        Shape(one.part, one.name, many, one.rows, one.columns, one.copies, one.active, one.trained)
        for one, many in layers.items()
    )


def _components(spec: ModelSpec, at: Lengths, stored: Ledger) -> tuple[Component, ...]:
    """Parts in the order of the model; work that belongs to no weight stands behind the part it follows."""
    size: dict[str, float] = defaultdict(float)
    for term in stored.terms:
        size[term.name] += term.value
    held: dict[str, int] = defaultdict(int)
    met: dict[str, int] = defaultdict(int)
    for one in shapes(spec):
        if one.trained:
            held[one.part] += one.params
            met[one.part] += one.active_params
    if at.convention == "6nd":
        flops = {part: 2.0 * size for part, size in met.items()}
    else:
        flops = {term.name: term.value for term in forward_flops(spec, at.sequence, convention=at.convention).terms}
    order = list(held)
    for part in flops:
        if part not in held:
            before = part.removesuffix(" scores")
            order.insert(order.index(before) + 1 if before in order else len(order), part)
    return tuple(Component(part, held[part], met[part], flops.get(part, 0.0), size[part]) for part in order)


def _work(spec: ModelSpec, at: Lengths) -> Work:
    forward = {name: forward_flops(spec, at.sequence, convention=name).total for name in CONVENTIONS}
    passed = forward_flops(spec, at.sequence, convention=at.convention)
    head = sum(term.value for term in passed.terms if term.name == "head")
    tokens = at.sequence * (1 if spec.encoder is None else 2)
    inputs = at.context if spec.encoder is not None else 0.0
    once = head * tokens / at.sequence
    return Work(
        forward=forward,
        training={name: 3 * value for name, value in forward.items()},
        prefill=passed.total * tokens,
        prefill_head_once=(passed.total - head) * tokens + once,
        decode=decode_flops(spec, at.context, inputs=inputs) if spec.causal else None,
    )


def kv_sizes(kv_dtype: str) -> dict[StateKind, float]:
    """Bytes an element of every kind of state: the cache in `kv_dtype`, the rest in what it usually is."""
    return {**BYTES, "kv": KV_BYTES[kv_dtype], "index": KV_BYTES[kv_dtype]}


def _kept(spec: ModelSpec, at: Lengths) -> Kept:
    size = kv_sizes(at.kv_dtype)
    inputs = at.context if spec.encoder is not None else 0.0

    def kinds(context: float) -> dict[StateKind, float]:
        found = state_elements(spec, context, inputs=inputs)
        return {kind: elements * size[kind] for kind, elements in found.items()}

    here = kinds(at.context)
    per_token = sum(times * mixer.kv_elements for times, mixer in spec.stack.mixers()) * size["kv"]
    return Kept(
        bytes_per_token=per_token,
        bytes_per_further_token=sum(kinds(at.context + 1).values()) - sum(here.values()),
        bytes_per_sequence=sum(value for kind, value in here.items() if kind in {"conv", "recurrent"}),
        kinds=here,
    )


def _activations(spec: ModelSpec) -> Activations:
    """What the layers save, with the norms after the last; per token of each stack."""
    parts: dict[str, float] = defaultdict(float)

    def add(times: int, saved: tuple[Saved, ...]) -> None:
        for one in saved:
            parts[one.part] += times * one.elements * (4.0 if one.form == "fp32" else COMPUTE_BYTES)

    for stack in (spec.encoder, spec.stack):
        if stack is None:
            continue
        for times, layer in stack.groups:
            add(times, layer.saved(stack.width))
        if stack.norm is not None:
            add(1, stack.norm.saved(stack.width))
    words = (spec.head.vocabulary or spec.vocabulary) if spec.head is not None else 0
    return Activations(parts=dict(parts), logits=4.0 * words)
