"""What a training run is: a model, how it is divided over ranks, in which number formats, and how it is made to fit.

Sizes are counts (tokens, sequences, ranks). `Layout` holds one layout, `Layouts` any number of them as arrays of the
same fields; every function of this room takes either.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Literal, get_args

from isoflop.errors import BadInput, UnknownName
from isoflop.quantity.columns import check_whole, columns

if TYPE_CHECKING:
    from isoflop.model.spec import ModelSpec
    from isoflop.quantity.types import FloatArray, Real

FORMAT_BYTES = {
    "fp64": 8.0,
    "fp32": 4.0,
    "tf32": 4.0,
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "nf4": 0.5,
    "none": 0.0,
}
"""Bytes an element of each number format; "none" is what is not kept. Scales of blocks are counted by who uses them."""

Schedule = Literal["1f1b", "interleaved", "gpipe", "zero-bubble", "dualpipe"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)

Policy = Literal["none", "core-attention", "norms", "activations", "mlp", "latent-up", "every-second-matmul", "full"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
"""What is not kept for the backward pass but computed again. "core-attention": scores, which only unfused attention
keeps; "norms": outputs of norms; "activations": outputs of activation functions; "mlp": everything inside feed-forward
parts; "latent-up": queries, keys and values rebuilt from MLA's latents; "every-second-matmul": all but inputs,
attention outputs and every second product (torch's selective policy); "full": everything but the input of a layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to divide a run over ranks.

    `dp` data-parallel replicas (context parallelism not counted in), `tp` tensor, `pp` pipeline stages, `vpp` chunks of
    layers a stage, `cp` context, `ep` expert parallelism (inside dp x cp x tp), `etp` tensor parallelism inside an
    expert. `zero`: 1 shards optimizer states, 2 gradients too, 3 weights too (FSDP); over `shard` ranks, 0 for all of
    dp x cp (less is HSDP). `micro_batch` sequences at once. `sequence_parallel` 1: norms and residuals are split over
    tp. `offload_optimizer`: share of the optimizer states kept in host memory; `offload_layers`: layers whose saved
    tensors go there.
    """

    dp: int = 1
    tp: int = 1
    pp: int = 1
    vpp: int = 1
    cp: int = 1
    ep: int = 1
    etp: int = 1
    zero: int = 0
    shard: int = 0
    micro_batch: int = 1
    sequence_parallel: int = 0
    offload_optimizer: float = 0.0
    offload_layers: int = 0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name != "offload_optimizer":
                check_whole(f"layout.{one.name}", value, least=1 if one.name in _DEGREES else 0)
        if (
            self.zero > 3
            or self.sequence_parallel > 1
            or not 0 <= self.offload_optimizer <= 1
            or self.offload_optimizer is True
        ):
            raise BadInput("layout: zero is 0 to 3, sequence_parallel 0 or 1, offload_optimizer a share from 0 to 1")

    @property
    def chips(self) -> int:
        """Ranks of the whole run."""
        return self.dp * self.tp * self.pp * self.cp

    def words(self) -> str:
        """The layout in a line: "dp 32, tp 8, ZeRO-3, micro-batch 2"; degrees of one are left out."""
        said = [
            f"{name} {getattr(self, name)}"
            for name in ("dp", "tp", "pp", "vpp", "cp", "ep", "etp")
            if getattr(self, name) > 1
        ]
        said += [f"ZeRO-{self.zero}" + (f" over {self.shard}" if self.shard else "")] if self.zero else []
        said.append(f"micro-batch {self.micro_batch}")
        said += ["sequence parallel"] if self.sequence_parallel else []
        said += [f"{self.offload_optimizer:.0%} of the optimizer on the host"] if self.offload_optimizer else []
        said += [f"saved tensors of {self.offload_layers} layers on the host"] if self.offload_layers else []
        return ", ".join(said)


_DEGREES = frozenset({"dp", "tp", "pp", "vpp", "cp", "ep", "etp", "micro_batch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layouts:
    """Any number of layouts: the fields of `Layout` as float arrays of one shape."""

    dp: FloatArray
    tp: FloatArray
    pp: FloatArray
    vpp: FloatArray
    cp: FloatArray
    ep: FloatArray
    etp: FloatArray
    zero: FloatArray
    shard: FloatArray
    micro_batch: FloatArray
    sequence_parallel: FloatArray
    offload_optimizer: FloatArray
    offload_layers: FloatArray

    @classmethod
    def of(cls, **sizes: Real) -> Layouts:
        """Layouts from arrays (or numbers for all) by name; what is not named is as in `Layout`."""
        return cls(**columns(Layout(), sizes, "layout"))

    @classmethod
    def from_one(cls, layout: Layout | Layouts) -> Layouts:
        """A single layout as arrays of one entry; many as they are."""
        if isinstance(layout, Layouts):
            return layout
        return cls.of(**{one.name: getattr(layout, one.name) for one in fields(Layout)})

    def take(self, chosen: object) -> Layouts:
        """Those that `chosen` (a mask, indices or a slice) picks."""
        return Layouts(**{one.name: getattr(self, one.name)[chosen] for one in fields(self)})

    def __len__(self) -> int:
        return int(self.dp.size)

    def __getitem__(self, place: int) -> Layout:
        """The layout at `place`, as numbers."""
        found = {one.name: getattr(self, one.name).reshape(-1)[place] for one in fields(self)}
        share = float(found.pop("offload_optimizer"))
        return Layout(**{name: int(value) for name, value in found.items()}, offload_optimizer=share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """LoRA: matrices of `rank` beside frozen weights. `targets` are the weights that get one, by `Weight.name`.

    `base` is the format of the frozen weights: "bf16" for LoRA, "nf4" for QLoRA.
    """

    rank: int = 16
    targets: tuple[str, ...] = ("q", "k", "v", "o", "gate", "up", "down")
    base: str = "bf16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What decides time and not bytes.

    The `year` of the software, the share of launches in CUDA `graphs`, and which communication runs beside compute:
    that of tensor parallelism, the dispatch to experts, the gradients of data parallelism. `attention`: the generation
    of its fused kernels (kernel.profile.Attention). `dispatch_once`: a token goes to each node once (DeepEP, HybridEP).
    `rails`: collectives across nodes use the networks of all ranks of a node together. `host_waits`: routing without
    dropped tokens lets the host wait for counts in each layer, so that it starts nothing ahead. `rack`: the dispatch to
    experts uses the links of a whole rack, not those of a server only.
    """

    year: int = 2025
    graphs: float = 0.0
    overlap_tensor: bool = False
    overlap_experts: bool = False
    overlap_gradients: bool = True
    attention: int = 3
    dispatch_once: bool = False
    rails: bool = True
    host_waits: bool = False
    rack: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Number formats and what else decides bytes, all explicit. Names of formats are those of `FORMAT_BYTES`.

    `weights` are what work is done with, `gradients` as they are summed over micro-batches, `master` the copies that
    the optimizer updates ("none" where the weights themselves are updated), `states` the optimizer's own (two moments
    for Adam). `reduce` is the format gradients travel in. `engine` names the software's mechanisms (`engine.toml`).
    `matmul` is the format of the layers' products where it is not `compute` ("fp8", "fp4"); output layer and attention
    stay in `compute`. `recompute` see `POLICIES`. `fused_attention` false keeps the scores. `dropout`: masks are kept,
    a byte an element.
    """

    name: str = "mixed"
    engine: str = "megatron"
    weights: str = "bf16"
    gradients: str = "fp32"
    master: str = "fp32"
    states: tuple[str, ...] = ("fp32", "fp32")
    reduce: str = "fp32"
    compute: str = "bf16"
    recompute: tuple[Policy, ...] = ("none",)
    fused_attention: bool = True
    fused_loss: bool = False
    dropout: bool = False
    matmul: str = ""
    adapter: Adapter | None = None
    execution: Execution = field(default_factory=Execution)

    def __post_init__(self) -> None:
        for form in (self.weights, self.gradients, self.master, self.reduce, self.compute, *self.states):
            format_bytes(form)
        if self.matmul and self.matmul not in MATMUL_GROUPS:
            raise UnknownName("format of products", self.matmul, MATMUL_GROUPS)
        for policy in self.recompute:
            if policy not in POLICIES:
                raise UnknownName("recompute policy", policy, POLICIES)

    @property
    def state_bytes_per_param(self) -> float:
        """Bytes of weights, gradients, master copies and optimizer states a trained parameter."""
        return sum(map(format_bytes, (self.weights, self.gradients, self.master, *self.states)))


MATMUL_GROUPS = {"fp32": "fp32", "tf32": "tf32", "bf16": "16", "fp16": "16", "fp8": "8", "int8": "8", "fp4": "4"}
"""Formats of products -> the class of rates that serves them."""


def format_bytes(form: str) -> float:
    """Bytes an element of a number format."""
    if form not in FORMAT_BYTES:
        raise UnknownName("number format", form, FORMAT_BYTES)
    return FORMAT_BYTES[form]


RECIPES: dict[str, Recipe] = {
    "mixed": Recipe(),
    "fp32": Recipe(
        name="fp32", engine="torch", weights="fp32", gradients="fp32", master="none", reduce="fp32", compute="fp32"
    ),
    "bf16": Recipe(
        name="bf16",
        engine="torch",
        weights="bf16",
        gradients="bf16",
        master="none",
        states=("bf16", "bf16"),
        reduce="bf16",
    ),
    "fsdp": Recipe(name="fsdp", engine="fsdp", weights="fp32", master="none"),
}
"""Recipes by name: Megatron's mixed precision (bf16 weights, fp32 gradients, master copies and moments: 18 bytes),
plain fp32, bf16 throughout, FSDP2's mixed precision (fp32 shards, gathered in bf16)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A training run: `model` on sequences of `sequence` tokens, `batch` sequences a step, with a recipe.

    `split`: layers of each virtual stage in order of depth where they are not shared out evenly; `ends` 1: embedding
    and head each count as a layer when they are.
    """

    model: ModelSpec
    sequence: int
    batch: int
    recipe: Recipe = field(default_factory=Recipe)
    schedule: Schedule = "1f1b"
    split: tuple[int, ...] = ()
    ends: int = 0

    def __post_init__(self) -> None:
        for name in ("sequence", "batch"):
            check_whole(name, getattr(self, name), below=2**40)

    def with_recipe(self, **changes: object) -> Run:
        """The same run with parts of its recipe changed."""
        return replace(self, recipe=replace(self.recipe, **changes))  # type: ignore[arg-type]
