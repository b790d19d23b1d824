"""What a runtime prints at its start for a row of settings, with 80 % intervals, or why it cannot be said.

It takes `StateSettings` and nothing else of a row, so it cannot read what was measured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from isoflop import hardware
from isoflop.accuracy.state_models import formats_of, model_of
from isoflop.errors import BadInput, IsoflopError, MissingData
from isoflop.serving.caches import caches_of
from isoflop.serving.legal import faults
from isoflop.serving.memory import SEEN_BY_SOFTWARE, WEIGHTS_SPREAD, budget, capacity_of, units_of
from isoflop.serving.spec import Deployment, Placement, Runtime, Settings, Speculation

if TYPE_CHECKING:
    from isoflop.accuracy.state_rows import StateSettings
    from isoflop.hardware import Device
    from isoflop.model.names import Description
    from isoflop.model.spec import ModelSpec
    from isoflop.quantity.types import FloatArray
    from isoflop.serving.memory import Budget
    from isoflop.serving.spec import RuntimeName

Status = Literal["ok", "refused", "illegal", "does_not_fit"]

FRAMEWORKS: tuple[tuple[str, RuntimeName], ...] = (
    ("vllm.rs", "vllm"), ("vllm", "vllm"), ("sglang", "sglang"), ("tensorrt", "trtllm"), ("trt", "trtllm"),
    ("llama", "llama.cpp"), ("ideal", "ideal"),
)  # fmt: skip
"""Words in names of frameworks -> runtimes; others (TGI) are taken to page like vLLM of their month, and said."""

OTHERS = ("vllm.rs", "tgi")

NO_WEIGHTS_KNOWN = 1.12
"""How far off weights may be whose mix of formats is known by its bits alone."""

STAND_IN = "h100-sxm-80gb"


class Three(NamedTuple):
    """Middle, 10 and 90 %."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePrediction:
    """Bytes on one device (llama.cpp's cache: on all), tokens and sequences; None where it cannot be said.

    `reason` says why, or what was assumed.
    """

    status: Status
    weights: Three | None = None
    state: Three | None = None
    tokens: Three | None = None
    concurrency: Three | None = None
    reason: str = ""


class _Place(NamedTuple):
    device: Device
    capacity: float | None
    assumed: tuple[str, ...]
    known: bool


def predict_state(row: StateSettings, library: dict[str, Description]) -> StatePrediction:
    """What a runtime started like this prints."""
    try:
        found = model_of(row.model, row.model_family, library)
        formats, said = formats_of(found, row.weight_prec, row.kv_prec)
        runtime, told = _runtime(row)
        place = _place("" if runtime.name == "llama.cpp" else row.gpu)
        placement = _placement(row, runtime)
    except (MissingData, BadInput) as error:
        return StatePrediction(status="refused", reason=str(error))
    except IsoflopError as error:
        return StatePrediction(status="refused", reason=str(error))
    deployment = Deployment(
        model=found.what.spec,
        device=place.device,
        placement=placement,
        formats=formats,
        runtime=runtime,
        settings=_settings(row, runtime, place, placement),
        speculation=_speculation(row),
        beside=found.beside,
    )
    deployment, guessed = _enough_chips(row, deployment, place)
    placement = deployment.placements[0]
    assumed = [*found.assumed, *said, *told, *place.assumed, *guessed, *_unsaid(row)]
    wrong = faults(deployment, placement)
    if wrong:
        return StatePrediction(status="illegal", reason="; ".join(wrong))
    made = budget(deployment, month=_month(row.date), capacity=place.capacity)
    return _prediction(row, deployment.model, made, place, assumed)


MOST_GUESSED = 64


def _enough_chips(row: StateSettings, deployment: Deployment, place: _Place) -> tuple[Deployment, tuple[str, ...]]:
    """Where no column says how many devices there are and one does not hold the weights: as many as do."""
    if row.n_gpus or row.tp or not place.known or deployment.runtime.name == "llama.cpp":
        return deployment, ()
    tp, tried = 1, deployment
    while float(budget(tried, month=_month(row.date), capacity=place.capacity).pool[0]) <= 0 and tp < MOST_GUESSED:
        tp *= 2
        tried = deployment.at(Placement(tp=tp))
    return (tried, (f"tp {tp}, the fewest that hold the weights",)) if tp > 1 else (tried, ())


SHARED = ("gb10", "jetson", "m1", "m2", "m3", "m4")
SHARED_SHARE = 0.1
"""Share of a memory that host and device have in common which other programs may hold."""

LOADED_MORE = {"static": 0.4e9}
"""Bytes that a runtime may print as weights beside them: SGLang prints what loading took of the free memory."""

FREE_SHARE = 0.15
"""Share of a device that an engine may hold beside weights where the cache is a share of what is left."""

UNSAID_SHARE = (0.06, 0.04)
"""How much less or more of a device a runtime may fill whose share no column says."""


def _prediction(
    row: StateSettings, model: ModelSpec, made: Budget, place: _Place, assumed: list[str]
) -> StatePrediction:
    said = f"assumed: {', '.join(assumed)}" if assumed else ""
    spread = NO_WEIGHTS_KNOWN if "bpw" in row.weight_prec else WEIGHTS_SPREAD**2
    more = LOADED_MORE.get(made.era.of, 0.0)
    weights = _three(made.weights, made.weights / spread, made.weights * spread + more)
    if made.era.of == "asked":
        return _asked(row, made, said)
    if not place.known:
        why = "which device it is is not known, so the memory that is left for a cache cannot be said"
        return StatePrediction(status="ok", weights=weights, reason="; ".join(filter(None, (why, said))))
    if any(cache.kind == "compressed" for cache in caches_of(model)):
        why = "how this runtime pages compressed attention is not modelled"
        return StatePrediction(status="ok", weights=weights, reason="; ".join(filter(None, (why, said))))
    if float(made.pool_high[0]) <= 0:
        why = f"weights of {float(made.weights[0]) / 2**30:.1f} GiB and a step leave nothing for a cache"
        return StatePrediction(status="does_not_fit", weights=weights, reason="; ".join(filter(None, (why, said))))
    less, more = (0.0, 0.02) if row.gpu_mem_util else UNSAID_SHARE
    less += FREE_SHARE if made.era.of == "free" else 0.0
    less += SHARED_SHARE if place.device.name.startswith(SHARED) else 0.0
    pools = (
        np.maximum(made.pool, 0.05 * made.pool_high),
        made.pool_low - less * made.capacity,
        made.pool_high + more * made.capacity,
    )
    return StatePrediction(
        status="ok",
        weights=weights,
        state=_three(*(units_of(pool, made.pages) * made.pages.unit for pool in pools)),
        tokens=_three(*(made.tokens(pool) for pool in pools)),
        concurrency=_three(*(_sequences(made, pool) for pool in pools)),
        reason=said,
    )


def _sequences(made: Budget, pool: FloatArray) -> FloatArray:
    """Longest sequences that fit as the runtime prints them: whole pages over the pages of one."""
    return np.asarray(units_of(pool, made.pages) / np.maximum(made.pages.needs(made.length), 1e-9))


PRINTED = 1.005
"""How far off a cache may be that is set aside to the byte: what logs round."""


def _asked(row: StateSettings, made: Budget, said: str) -> StatePrediction:
    """llama.cpp sets aside what is asked for: bytes and cells follow from the settings alone."""
    pool = made.asked
    cells = np.ceil(made.length / made.pages.block) * made.pages.block * (row.max_num_seqs or 1)
    weights = made.weights
    return StatePrediction(
        status="ok",
        weights=_three(weights, weights / NO_WEIGHTS_KNOWN, weights * NO_WEIGHTS_KNOWN),
        state=_three(pool, pool / PRINTED, pool * PRINTED),
        tokens=_three(cells, cells, cells),
        concurrency=Three(*[float(row.max_num_seqs or 1)] * 3),
        reason=said,
    )


def _three(middle: FloatArray, low: FloatArray, high: FloatArray) -> Three:
    return Three(float(middle[0]), float(low[0]), float(high[0]))


def _runtime(row: StateSettings) -> tuple[Runtime, tuple[str, ...]]:
    """The runtime and what was taken for granted of its version."""
    word = row.framework.strip().lower()
    if not word:
        raise MissingData("column framework is empty")
    name = next((runtime for part, runtime in FRAMEWORKS if part in word), None)
    told = (f"{word} pages like vLLM of its month",) if name is None or word in OTHERS else ()
    return Runtime(name=name or "vllm", version=_version(row.version, name or "vllm")), told


def _version(text: str, name: str) -> str:
    """A version number in a text: "~0.6.4 era (V0)", "build 10107 (857c97607)"; "" where there is none."""
    lowered = text.lower()
    if name == "llama.cpp":
        found = re.search(r"(?:build |^b)(\d{4,6})", lowered)
        return "0" if "ik_llama" in lowered else found[1] if found else ""
    found = re.search(r"(?<![\d.])(\d+\.\d+(?:\.\d+)?)", lowered)
    if "v0" in re.findall(r"v\d", lowered) and (found is None or _newer(found[1], "0.7.4")):
        return "0.7.4"
    return found[1] if found else ""


def _newer(version: str, than: str) -> bool:
    return tuple(map(int, version.split("."))) > tuple(map(int, than.split(".")))


def _month(date: str) -> str:
    """Year and month of a date; of a year alone its middle."""
    found = re.search(r"(20\d\d)(?:-(\d\d))?", date)
    return f"{found[1]}-{found[2] or '06'}" if found else ""


_TOTAL = re.compile(r"([\d.]+)\s*gib")
_SIZE = re.compile(r"(?<![\d.])(\d+)\s*gb", re.IGNORECASE)


def _place(gpu: str) -> _Place:
    """The device, its memory where the row says it, and whether it is known at all."""
    if not gpu:
        return _Place(hardware.device(STAND_IN), None, (), known=False)
    stated = _TOTAL.search(gpu.lower())
    capacity = float(stated[1]) * 2**30 if stated else None
    name = re.sub(r"\(.*?\)", "", gpu).strip()
    try:
        return _Place(_device(name), capacity, (), known=True)
    except BadInput:
        size = _SIZE.search(gpu)
        if capacity is None and size is None:
            said = (f"column gpu: no device is called '{gpu[:40]}'",)
            return _Place(hardware.device(STAND_IN), None, said, known=False)
        capacity = capacity or (_of_size(float(size[1])) if size else None)
        said = (f"a device of {(capacity or 0) / 2**30:.1f} GiB",)
        return _Place(hardware.device(STAND_IN), capacity, said, known=True)


LABELS = (8, 10, 11, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 141, 180, 192)
"""Sizes by which devices are sold, in GiB but for what error correction and drivers keep; others are as tools print."""


def _of_size(size: float) -> float:
    """Memory that software is told of on a device that is called by its size alone."""
    return size * 0.988 * 2**30 if size in LABELS else size * 1024**2 * 1000 * SEEN_BY_SOFTWARE


def _device(name: str) -> Device:
    """The device of that name; of several sizes the largest ("A100")."""
    try:
        return hardware.device(name)
    except BadInput:
        shorter = re.sub(r"[- ]?\d+ ?gb$", "", name, flags=re.IGNORECASE)
        word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        fitting = [one for one in hardware.device_names() if one.startswith((word, f"{shorter.lower()}-"))]
        sized = [one for one in fitting if _SIZE.search(name) is None or _SIZE.search(name)[0].lower() in one]  # type: ignore[index]
        chosen = sized or fitting
        if not chosen:
            raise
        return max((hardware.device(one) for one in chosen), key=capacity_of)


def _placement(row: StateSettings, runtime: Runtime) -> Placement:
    """Degrees as given; of llama.cpp one device, as its figures are of all together."""
    if runtime.name == "llama.cpp":
        return Placement()
    pp, chips = row.pp or 1, row.n_gpus
    tp = row.tp or max(1, (chips or 1) // pp)
    dp = row.dp or 1
    if row.dp is None and row.pp is None and row.ep and chips and chips > tp and chips % tp == 0:
        tp = chips  # all devices hold experts, so they are one instance
    return Placement(tp=tp, pp=pp, dp=dp, ep=min(row.ep or 1, tp * dp))


def _settings(row: StateSettings, runtime: Runtime, place: _Place, placement: Placement) -> Settings:
    del place, placement
    sequences = row.max_num_seqs or 0
    length = row.max_model_len or 0
    if runtime.name == "llama.cpp" and sequences > 1 and length:
        each = -(-length // sequences)
        return Settings(max_model_len=each, max_sequences=sequences, max_batched_tokens=row.max_num_batched_tokens or 0)
    return Settings(
        memory_fraction=min(row.gpu_mem_util or 0.0, 1.0),
        block_size=row.block_size or 0,
        max_model_len=length,
        max_sequences=sequences,
        max_batched_tokens=row.max_num_batched_tokens or 0,
    )


def _speculation(row: StateSettings) -> Speculation:
    """A name says whether layers for further tokens are loaded: one token ahead where nothing is said."""
    text = row.model.lower()
    drafts = "mtp" in text and "no mtp" not in text
    return Speculation(method="mtp", tokens=1) if drafts else Speculation()


def _unsaid(row: StateSettings) -> list[str]:
    """Columns that decide and are empty, by name."""
    if "llama" in row.framework.lower():
        return []
    listed = {"gpu_mem_util": row.gpu_mem_util, "max_num_batched_tokens": row.max_num_batched_tokens}
    listed |= {"max_num_seqs": row.max_num_seqs, "max_model_len": row.max_model_len}
    return [f"{column} at its default" for column, value in listed.items() if value is None]
