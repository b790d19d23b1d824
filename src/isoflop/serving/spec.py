"""What a deployment is: a model on devices, how it is divided, in which formats, under which runtime, for what traffic.

Sizes are counts (tokens, sequences, chips), times seconds, shares from 0 to 1. `Placement` holds one division over
chips, `Placements` any number of them as arrays of the same fields; numbers of `Settings` and `Traffic` may be arrays
of that shape too. Every function of this room takes either.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from isoflop.errors import BadInput, UnknownName
from isoflop.model.storage.formats import BITS, dtype_of
from isoflop.quantity.columns import check_range, check_whole, columns

if TYPE_CHECKING:
    from isoflop.hardware import Device, Node
    from isoflop.model.spec import ModelSpec
    from isoflop.model.storage.scheme import Scheme
    from isoflop.quantity.types import FloatArray, Real

RuntimeName = Literal["ideal", "vllm", "sglang", "trtllm", "llama.cpp"]
RUNTIMES: tuple[RuntimeName, ...] = get_args(RuntimeName)
"""Software that serves; "ideal" holds nothing but weights and the least state, in all memory there is."""

DraftMethod = Literal["none", "mtp", "eagle", "draft-model", "ngram"]
DRAFT_METHODS: tuple[DraftMethod, ...] = get_args(DraftMethod)
"""Who guesses ahead: nobody, the model's own layers for further tokens, a light head, a small model, the text."""

AS_STORED = "auto"
"""A number format that is left to the checkpoint and the runtime."""

KV_BITS = {
    "q8_0": 8.5, "q5_1": 6.0, "q5_0": 5.5, "q4_1": 5.0, "q4_0": 4.5, "iq4_nl": 4.5, "turboquant": 3.25,
}  # fmt: skip
"""Bits an element of formats that only caches are kept in, scales counted: ggml's blocks of 32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One way to divide a deployment over chips.

    One instance takes `tp` (tensor) x `pp` (pipeline stages) x `dp` chips; `dp` is data parallelism of attention: each
    group of `tp` has sequences and attention weights of its own, and all of them share the experts. `ep`: experts are
    divided by number over so many chips of the `tp` x `dp` of a stage, each expert's matrices over the rest. `dcp`:
    decode context parallelism, within `tp`: so many ranks share what they would hold twice of the cache. `replicas` are
    whole instances beside each other.
    """

    tp: int = 1
    pp: int = 1
    dp: int = 1
    ep: int = 1
    dcp: int = 1
    replicas: int = 1

    def __post_init__(self) -> None:
        for one in fields(self):
            check_whole(f"placement.{one.name}", getattr(self, one.name), below=2**20)

    @property
    def instance_chips(self) -> int:
        """Chips of one instance."""
        return self.tp * self.pp * self.dp

    @property
    def chips(self) -> int:
        """Chips of all instances."""
        return self.instance_chips * self.replicas

    def words(self) -> str:
        """The placement in a line: "tp 8, ep 8, 2 replicas"; degrees of one are left out."""
        said = [f"{name} {getattr(self, name)}" for name in ("tp", "pp", "dp", "ep", "dcp") if getattr(self, name) > 1]
        said += [f"{self.replicas} replicas"] if self.replicas > 1 else []
        return ", ".join(said) or "one chip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placements:
    """Any number of placements: the fields of `Placement` as float arrays of one shape."""

    tp: FloatArray
    pp: FloatArray
    dp: FloatArray
    ep: FloatArray
    dcp: FloatArray
    replicas: FloatArray

    @classmethod
    def of(cls, **sizes: Real) -> Placements:
        """Placements from arrays (or numbers for all) by name; what is not named is 1."""
        return cls(**columns(Placement(), sizes, "placement"))

    @classmethod
    def from_one(cls, placement: Placement | Placements) -> Placements:
        """A single placement as arrays of one entry; many as they are."""
        if isinstance(placement, Placements):
            return placement
        return cls.of(**{one.name: np.asarray([getattr(placement, one.name)], float) for one in fields(Placement)})

    @property
    def instance_chips(self) -> FloatArray:
        """Chips of one instance."""
        return self.tp * self.pp * self.dp

    @property
    def chips(self) -> FloatArray:
        """Chips of all instances."""
        return self.instance_chips * self.replicas

    def take(self, chosen: object) -> Placements:
        """Those that `chosen` (a mask, indices or a slice) picks."""
        return Placements(**{one.name: getattr(self, one.name)[chosen] for one in fields(self)})

    def __len__(self) -> int:
        return int(self.tp.size)

    def __getitem__(self, place: int) -> Placement:
        """The placement at `place`, as numbers."""
        return Placement(**{one.name: int(getattr(self, one.name).reshape(-1)[place]) for one in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The software: its name and version ("0.11.0"; "" for a current one), and what it is told to do.

    None leaves a choice to that version's default. `graphs`: CUDA graphs. `chunked_prefill`: prompts are read in pieces
    among the decoding. `prefix_caching`: what prompts begin with in common is kept.
    """

    name: RuntimeName = "vllm"
    version: str = ""
    graphs: bool | None = None
    chunked_prefill: bool | None = None
    prefix_caching: bool | None = None

    def __post_init__(self) -> None:
        if self.name not in RUNTIMES:
            raise UnknownName("runtime", self.name, RUNTIMES, hint=f"Give one of: {', '.join(RUNTIMES)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Numbers a runtime is started with, each a number or an array; 0 is that version's default.

    `memory_fraction` of the chip that it may fill, `block_size` tokens in a page of the cache, `max_model_len` tokens
    of the longest sequence (0: what the model was made for), `max_sequences` that run at once, `max_batched_tokens` a
    step works on at most.
    """

    memory_fraction: Real = 0.0
    block_size: Real = 0.0
    max_model_len: Real = 0.0
    max_sequences: Real = 0.0
    max_batched_tokens: Real = 0.0

    def __post_init__(self) -> None:
        check_range(self, "settings", {"memory_fraction": 1.0}, 2.0**40, " (the default)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """Number formats: of the weights (a plain one, or a checkpoint's scheme), the cache, and what stays unquantised.

    `kv` "auto" is the format that the scheme asks for, else that of `rest`.
    """

    weights: str | Scheme = "bf16"
    kv: str = AS_STORED
    rest: str = "bf16"

    def __post_init__(self) -> None:
        if self.kv != AS_STORED:
            kv_bits(self.kv)
        if isinstance(self.weights, str):
            dtype_of(self.weights)

    @property
    def kv_name(self) -> str:
        """The format of the cache, said or following from the weights."""
        if self.kv != AS_STORED:
            return self.kv
        asked = "" if isinstance(self.weights, str) else self.weights.kv
        return asked or self.rest

    @property
    def kv_bytes(self) -> float:
        """Bytes an element of the cache."""
        return kv_bits(self.kv_name) / 8


def kv_bits(form: str) -> float:
    """Bits an element of a cache in a number format, block scales counted; "fp8" is 8.

    "k-v" is a format for the keys and one for the values: the mean ("q8_0-f16").
    """
    if "-" in form and form not in KV_BITS:
        keys, values = form.split("-", 1)
        return (kv_bits(keys) + kv_bits(values)) / 2
    word = form.strip().lower()
    return KV_BITS[word] if word in KV_BITS else BITS[dtype_of(word)]


USUAL_ACCEPTANCE = 0.7
"""Chance that a guessed token is right, where nobody says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speculation:
    """Tokens guessed ahead and checked in one step.

    `tokens` a step are guessed by `method`, each right with probability `acceptance` where those before it were.
    `draft` is the small model of "draft-model".
    """

    method: DraftMethod = "none"
    tokens: Real = 0.0
    acceptance: Real = USUAL_ACCEPTANCE
    draft: ModelSpec | None = None

    def __post_init__(self) -> None:
        if self.method not in DRAFT_METHODS:
            raise UnknownName("way of guessing tokens ahead", self.method, DRAFT_METHODS)
        if not bool(np.all((np.asarray(self.acceptance) >= 0) & (np.asarray(self.acceptance) <= 1))):
            raise BadInput(f"speculation.acceptance = {self.acceptance}: give a share from 0 to 1")
        if (self.method == "draft-model") != (self.draft is not None):
            raise BadInput("speculation: a draft model and the method 'draft-model' come together; give both")

    @property
    def tokens_per_step(self) -> Real:
        """Tokens a sequence gains in a step, in the mean: (1 - a^(n+1)) / (1 - a), 1 without speculation."""
        share, many = np.asarray(self.acceptance, float), np.asarray(self.tokens, float)
        if self.method == "none":
            return 1.0
        safe = np.where(share < 1, share, 0.5)
        gained = np.where(share < 1, (1 - safe ** (many + 1)) / (1 - safe), many + 1)
        return float(gained) if gained.ndim == 0 else gained


@dataclass(frozen=True, slots=True, kw_only=True)
class Offload:
    """What stays in the memory of the host (llama.cpp): whole layers, experts of layers, the cache.

    `layers` at the end of the stack that the host holds and works on; `expert_layers` whose experts alone it does; `kv`
    whether caches of the layers on chips stay there too. `memory` [bytes] and `bandwidth` [byte/s] of the host.
    """

    layers: int = 0
    expert_layers: int = 0
    kv: bool = False
    memory: float = 0.0
    bandwidth: float = 0.0

    @property
    def any(self) -> bool:
        """Whether anything is on the host."""
        return bool(self.layers or self.expert_layers or self.kv)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A model ready to serve on chips of one `device`.

    `node` says which chips are near each other, None for the usual one of the device. `prefill` is a placement that
    reads prompts only, where prefill and decoding are apart (`placement` decodes then). `beside` [bytes] of weights
    are loaded that no text passes (an encoder of images). `memory` [bytes] of a chip stands for the device's if it is
    above 0 (a host whose memory is as large as it was bought).
    """

    model: ModelSpec
    device: Device
    placement: Placement | Placements = field(default_factory=Placement)
    formats: Formats = field(default_factory=Formats)
    runtime: Runtime = field(default_factory=Runtime)
    settings: Settings = field(default_factory=Settings)
    speculation: Speculation = field(default_factory=Speculation)
    offload: Offload = field(default_factory=Offload)
    node: Node | None = None
    prefill: Placement | Placements | None = None
    beside: float = 0.0
    memory: float = 0.0

    @property
    def placements(self) -> Placements:
        """The placement as arrays."""
        return Placements.from_one(self.placement)

    def at(self, placement: Placement | Placements) -> Deployment:
        """The same deployment divided otherwise."""
        return replace(self, placement=placement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What is asked of a deployment as a whole, each a number or an array.

    Either `concurrency` requests at all times (closed loop), or `request_rate` a second (open loop); 0 is not given.
    `input_tokens` and `output_tokens` are means over requests, `input_spread` and `output_spread` their standard
    deviation over the mean (0: all alike). `prefix_share` of the input is common to requests and, at `hit_rate`, found
    in the cache. `depth`: tokens already in the cache before the input (a later turn).
    """

    concurrency: Real = 0.0
    request_rate: Real = 0.0
    input_tokens: Real = 1024.0
    output_tokens: Real = 256.0
    input_spread: Real = 0.0
    output_spread: Real = 0.0
    prefix_share: Real = 0.0
    hit_rate: Real = 1.0
    depth: Real = 0.0

    def __post_init__(self) -> None:
        check_range(self, "traffic", {"prefix_share": 1.0, "hit_rate": 1.0}, 2.0**50)
        if bool(np.any((np.asarray(self.concurrency) > 0) & (np.asarray(self.request_rate) > 0))):
            raise BadInput("traffic: give concurrency or request_rate, not both")

    @property
    def cached_tokens(self) -> Real:
        """Tokens of the input that need not be read again."""
        return self.input_tokens * self.prefix_share * self.hit_rate

    @property
    def mean_context(self) -> Real:
        """Tokens in the cache of a sequence halfway through its output."""
        return self.depth + self.input_tokens + self.output_tokens / 2

    @property
    def longest(self) -> Real:
        """Tokens of a sequence of mean lengths at its end."""
        return self.depth + self.input_tokens + self.output_tokens
