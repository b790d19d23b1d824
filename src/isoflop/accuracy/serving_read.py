"""What a row of serving means: a deployment, its traffic, how requests come, and what had to be taken for granted.

Every row means something: what it leaves open is assumed by name, and widens the interval of its prediction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from isoflop.accuracy.serving_named import Notes, device_in, model_in
from isoflop.accuracy.state_models import Found, formats_of, kv_format
from isoflop.errors import BadFile, IsoflopError
from isoflop.quantity.toml_file import read_toml
from isoflop.serving import Deployment, Formats, Placement, Runtime, Traffic
from isoflop.serving.memory import budget
from isoflop.serving.rates import pace_era
from isoflop.serving.work import work_of

if TYPE_CHECKING:
    from isoflop.accuracy.serving_rows import ServingSettings
    from isoflop.model.names import Description
    from isoflop.model.spec import ModelSpec
    from isoflop.serving import RuntimeName

FILE = Path(__file__).with_name("serving.toml")

Kind = Literal["stream", "prompt", "static", "closed", "steady", "largest", "tuned", "limited", "apart"]
"""How requests come: one after the other with an empty cache; prompts only; a batch that starts and ends together; a
fixed number at all times, with the mean or (steady) the median time a token; as many as fit, as they are or tuned;
under limits of latency; prompts and decoding measured apart."""


class RuntimeRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of `[[runtime]]`; meanings stand at the head of the file."""

    holds: tuple[str, ...]
    name: Literal["vllm", "sglang", "trtllm", "llama.cpp"]
    versioned: bool = False


class ScenarioRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of `[[scenario]]`."""

    holds: tuple[str, ...]
    kind: Kind
    input: float
    output: float
    wide: float
    task: str = ""


class Workload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of `[[workload]]`."""

    task: str
    model: str
    input: float
    output: float
    first_limit: float
    token_limit: float


class _Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    runtime: tuple[RuntimeRule, ...]
    scenario: tuple[ScenarioRule, ...]
    workload: tuple[Workload, ...]


@cache
def rules() -> _Rules:
    """The rules of `serving.toml`."""
    try:
        return msgspec.convert(read_toml(FILE), _Rules)
    except msgspec.ValidationError as error:
        raise BadFile(f"{FILE}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A row as a deployment; `wide` is a factor for what was assumed, `month` that of its software where unsaid.

    `limits`: seconds to the first and to each further token, where requests come under limits of latency.
    """

    deployment: Deployment
    traffic: Traffic
    kind: Kind
    month: str
    limits: tuple[float, float] = (2.0, 0.1)
    wide: float = 1.0
    assumed: tuple[str, ...] = field(default_factory=tuple)


def read_row(row: ServingSettings, library: dict[str, Description]) -> Reading:
    """The deployment and traffic of a row. Raises: MissingData or UnknownName where not even a guess is possible."""
    notes = Notes()
    scenario = _scenario(row)
    found = model_in(row, library, notes)
    chips = device_in(row, notes)
    runtime, month = _runtime(row, notes)
    formats = _formats(row, found, runtime, notes)
    workload = _workload(scenario, row)
    traffic = _traffic(row, scenario, workload, notes)
    placement = _placement(row, found.what.spec, runtime, scenario, notes, chips.boards)
    made = Deployment(
        model=found.what.spec,
        device=chips.device,
        placement=placement,
        formats=formats,
        runtime=runtime,
        beside=found.beside,
        memory=chips.memory,
    )
    made, traffic = _made_to_fit((row.n_gpus or 1) * chips.boards, made, traffic, scenario, notes)
    return Reading(
        deployment=made,
        traffic=traffic,
        kind=scenario.kind,
        month=month,
        limits=(workload.first_limit, workload.token_limit) if workload else (2.0, 0.1),
        wide=notes.wide,
        assumed=tuple(notes.said),
    )


def _scenario(row: ServingSettings) -> ScenarioRule:
    said = row.scenario.lower()
    chosen = next(one for one in rules().scenario if all(word in said for word in one.holds))
    if chosen.kind == "closed" and row.concurrency is None and row.batch is None:
        return msgspec.structs.replace(chosen, kind="largest")
    return chosen


_VERSION = re.compile(r"v?\d+(?:\.\d+)+|b\d{4,}")


def _runtime(row: ServingSettings, notes: Notes) -> tuple[Runtime, str]:
    """The runtime with its version, and the month that stands for it where none is said."""
    said = row.framework.lower()
    rule = next((one for one in rules().runtime if any(word in said for word in one.holds)), None)
    month = row.date[:7]
    if rule is None:
        name: RuntimeName = "llama.cpp" if row.weight_prec.lower().startswith(("q", "iq", "gguf")) else "vllm"
        instead = f" for '{row.framework[:40]}', which is not known" if row.framework else ""
        notes.add(f"the framework: {name}{instead}", 1.15)
        return Runtime(name=name), month
    version = row.framework_version or (_VERSION.search(said) or [""])[0]
    known = _VERSION.search(version)
    if not rule.versioned or known is None:
        return Runtime(name=rule.name), month
    return Runtime(name=rule.name, version=known[0].lstrip("vb")), month


def _formats(row: ServingSettings, found: Found, runtime: Runtime, notes: Notes) -> Formats:
    """Formats of weights and cache, and what goes with them where the row is silent."""
    said = row.weight_prec.lower().removeprefix("u") if row.weight_prec.lower().startswith("uint") else row.weight_prec
    if runtime.name == "llama.cpp" and said.lower() == "mxfp4":
        said = "mxfp4_moe"  # files of ggml keep attention and output in 8 bit
    try:
        kept = row.kv_prec
        Formats(kv=kv_format(kept))
    except IsoflopError:
        kept = ""
        notes.add(f"a cache as the weights ask for, for '{row.kv_prec[:20]}' is not known", 1.2)
    try:
        formats, assumed = formats_of(found, said, kept)
    except IsoflopError:
        formats, assumed = formats_of(found, "bf16", kept)
        notes.add(f"weights in bf16, for '{row.weight_prec[:20]}' is not known", 1.3)
    for text in assumed:
        notes.add(text)
    if not kept and formats.kv_bytes > 1 and _small_cache(row, found, runtime):
        notes.add("a cache in fp8, as checkpoints of that format ask for")
        return replace(formats, kv="fp8")
    return formats


def _small_cache(row: ServingSettings, found: Found, runtime: Runtime) -> bool:
    """Whether the cache goes in 8 bit with weights of 8: under TensorRT-LLM, and in dense checkpoints made for it."""
    low = row.weight_prec.lower().startswith(("fp8", "fp4", "nvfp4"))
    owner = row.model.partition("/")[0].lower() if "/" in row.model else ""
    made_for = owner in {"", "nvidia"} and not work_of(found.what.spec).experts and "steady" not in row.scenario.lower()
    return low and (runtime.name == "trtllm" or (runtime.name == "vllm" and made_for))


def _workload(scenario: ScenarioRule, row: ServingSettings) -> Workload | None:
    said = f"{row.model} {row.model_family}".lower()
    return next((one for one in rules().workload if one.task == scenario.task and one.model in said), None)


REPEATED, ROOM = 0.45, 2.6
"""Where runs of a sweep ask the same prompts, a prefix cache that is on by default finds more of them the more it holds
over what one run asks: nothing below `ROOM` times as much, then `REPEATED` of a prompt a factor e."""

MOST_REPEATED = 0.85


def _traffic(row: ServingSettings, scenario: ScenarioRule, workload: Workload | None, notes: Notes) -> Traffic:
    given = workload or scenario
    asked, written = row.isl, row.osl
    if asked is None or written is None:
        notes.add(f"lengths: {asked or given.input:g} in, {written or given.output:g} out", scenario.wide)
    asked = given.input if asked is None else asked
    written = given.output if written is None else written
    requests = row.concurrency or row.batch or 0.0
    if scenario.kind in {"stream", "prompt"}:
        requests = 1.0
    if scenario.kind in {"largest", "tuned", "limited"}:
        requests = 0.0
    return Traffic(
        concurrency=requests,
        input_tokens=asked,
        output_tokens=max(written, 1.0),
        depth=row.ctx_depth or 0.0,
    )


def _repeats(runtime: Runtime) -> bool:
    return bool(runtime.version) and pace_era(runtime).name == "vllm-0.12"


def _placement(
    row: ServingSettings, model: ModelSpec, runtime: Runtime, scenario: ScenarioRule, notes: Notes, boards: int
) -> Placement:
    """The columns tp, pp, ep and dp as one placement; what they leave open is usual of the runtime."""
    chips = (row.n_gpus or (row.tp or 1) * (row.pp or 1)) * boards
    if runtime.name == "llama.cpp":
        return Placement(pp=chips)
    pp, ep, dp = row.pp or 1, row.ep or 1, max(row.dp or 1, 1)
    tp = row.tp or 0
    stage = max(chips // pp, 1)
    work = work_of(model)
    if ep > 1 and tp <= 1 and dp <= 1:
        tp = stage
    if dp > 1 and (dp == ep or tp == dp == stage or not tp):
        tp = max(stage // dp, 1)
    apart = work.latent_layers > 0 and runtime.name in {"trtllm", "sglang"} and ep > 1 and tp == ep and dp == 1
    wide = bool(work.experts) and scenario.kind == "largest" and tp > work.kv_heads and dp == 1
    if apart or wide:
        notes.add(f"attention in {tp} groups of one chip", 1.1)
        tp, dp, ep = 1, tp, tp
    if not tp and scenario.kind not in {"tuned", "limited"}:
        tp = stage
    tp = max(tp, 1)
    replicas = max(chips // (tp * pp * dp), 1)
    return Placement(tp=tp, pp=pp, dp=dp, ep=min(max(ep, 1), tp * dp), replicas=replicas)


MOST_SPREAD = 32
"""Chips over which the experts of one instance are spread at most, where nobody says."""


def _made_to_fit(
    chips: int, made: Deployment, traffic: Traffic, scenario: ScenarioRule, notes: Notes
) -> tuple[Deployment, Traffic]:
    """The deployment on as many chips as its weights need, and as many instances as its requests need."""
    if made.runtime.name == "llama.cpp":
        return made, traffic
    if scenario.kind in {"tuned", "limited"}:
        made = _tuned(made, chips)
        notes.add(f"layout: {_words(made)}", 1.1)
    placement = asked = _single(made)
    while not _fits(made) and placement.tp < 64:
        placement = replace(placement, tp=placement.tp * 2, replicas=max(placement.replicas // 2, 1))
        made = made.at(placement)
    if placement.instance_chips > asked.instance_chips:
        notes.add(f"{placement.instance_chips} chips, for the weights do not fit {asked.instance_chips}", 1.3)
    if scenario.kind == "closed" and placement.replicas == 1:
        whole = float(np.max(budget(made).concurrency(length=traffic.longest))) * placement.dp
        if float(np.max(np.asarray(traffic.concurrency))) > CROWDED * max(whole, 1.0):
            more = int(np.ceil(float(np.max(np.asarray(traffic.concurrency))) / max(whole, 1.0)))
            notes.add(f"{more} instances, for one does not hold so many requests", 1.5)
            made = made.at(replace(placement, replicas=more))
        traffic = _repeated(made, traffic, whole, notes)
    return made, traffic


def _repeated(made: Deployment, traffic: Traffic, whole: float, notes: Notes) -> Traffic:
    """The traffic with what a prefix cache finds that is on by default; not seen in mixtures of experts."""
    if not _repeats(made.runtime) or work_of(made.model).experts:
        return traffic
    asked = float(np.asarray(traffic.concurrency)) * float(np.asarray(traffic.input_tokens))
    held = whole * float(np.asarray(traffic.longest))
    share = float(np.clip(REPEATED * np.log(max(held / max(asked, 1.0), 1.0) / ROOM), 0.0, MOST_REPEATED))
    if share > 0:
        notes.add(f"{share:.0%} of the prompts found in the prefix cache", 1.2)
    return replace(traffic, prefix_share=share)


CROWDED = 1.6
"""Requests over those that fit from which a concurrency is read as that of several instances."""


FULL = 0.98
"""Share of a chip that weights fill at most in a deployment that runs."""


def _single(made: Deployment) -> Placement:
    assert isinstance(made.placement, Placement)
    return made.placement


def _words(made: Deployment) -> str:
    return _single(made).words()


def _fits(made: Deployment) -> bool:
    found = budget(made)
    return float(np.max(found.weights / found.capacity)) < FULL


def _tuned(made: Deployment, chips: int) -> Deployment:
    """The smallest instance with room for a cache of a quarter of its weights; experts are spread more widely."""
    experts = work_of(made.model).experts > 0
    tp = 1
    while tp < chips:
        found = budget(made.at(Placement(tp=tp)))
        if float(np.max(found.pool)) > 0.25 * float(np.max(found.weights)):
            break
        tp *= 2
    if experts:
        dp = min(MOST_SPREAD, chips) if chips > 16 else tp
        return made.at(Placement(tp=1, dp=dp, ep=dp, replicas=max(chips // dp, 1)))
    return made.at(Placement(tp=tp, replicas=max(chips // tp, 1)))
