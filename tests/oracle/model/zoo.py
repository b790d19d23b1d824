"""Real modules as judges of config readings: built by transformers on torch's meta device, counted, compared.

`python -m tests.oracle.model.zoo TYPE ...` prints what a sweep over a family's fields finds; `--dump` lists its
tensors, `--flops` holds matmul FLOP against torch's counter; `name=value` after a type changes a field. No weights and
no network.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from isoflop.errors import BadInput
from isoflop.model import counts, forward_flops
from isoflop.model.config import Reading, reading_of
from isoflop.model.inert import is_inert
from isoflop.model.parts import MOST

SMALL = {
    kind: entry
    for path in sorted((Path(__file__).parent / "families").glob("*.toml"))
    for kind, entry in tomllib.loads(path.read_text(encoding="utf-8")).items()
}
"""model_type -> `small`: fields that make it quick to build; `variants`: further sets of fields to try.

`text`: the text part is of a type that is swept by itself, so that its fields need not be changed once more. `aside`:
further words in the names of what belongs to other modalities. `unbuilt`: why it cannot be built here. `maker`: the
class of transformers to build with, where not the first that writes text ("AutoModel" for encoders). `cache` "whole":
the cache of transformers keeps all tokens though windows do not see them.
"""

ASIDE = (
    "vision",
    "audio",
    "visual",
    "image",
    "speech",
    "multi_modal",
    "multimodal",
    "projector",
    "mm_",
    "embed_vision",
    "aligner",
    "code2wav",
    "connector",
    "language_projection",
    "perceiver",
    "qformer",
    "query_tokens",
    "resampler",
    "talker",
    "token2wav",
    "tokenizer",
    "video_tower",
    "view_sep",
    "vqmodel",
    "generation_",
)
"""Names in a module's path that belong to other modalities than text."""


def library() -> Any:  # noqa: ANN401 - a module of another project
    """transformers, quiet and offline."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.filterwarnings("ignore")
    import transformers

    transformers.logging.set_verbosity_error()
    return transformers


def make_config(kind: str, **changes: Any) -> Any:  # noqa: ANN401
    """The config class of transformers with the defaults of its type and `changes`."""
    return library().AutoConfig.for_model(kind, **changes)


def build(config: Any) -> Any:  # noqa: ANN401
    """The model of a config with no memory behind its tensors, with its language head where it has one."""
    import torch

    transformers = library()
    makers = ("CausalLM", "ImageTextToText", "Seq2SeqLM", "MultimodalLM", "SpeechSeq2Seq")
    said = []
    chosen = SMALL.get(config.model_type, {}).get("maker")
    for maker in (chosen,) if chosen else (*(f"AutoModelFor{name}" for name in makers), "AutoModel"):
        try:
            with torch.device("meta"), unfilled():
                return getattr(transformers, maker).from_config(config)
        except ValueError as error:  # this maker does not know the type
            said.append(str(error)[:200])
            if "Unrecognized configuration class" not in str(error):
                raise
    raise ValueError("; ".join(said))


@contextmanager
def unfilled() -> Iterator[None]:
    """No random numbers for new layers: without memory there is nothing to fill, and most of the time goes there."""
    from torch.nn import init

    names = ("kaiming_uniform_", "uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "zeros_", "ones_")
    kept = {name: getattr(init, name) for name in names}
    for name in names:
        setattr(init, name, lambda tensor, *_, **__: tensor)
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(init, name, function)


def tensors(module: Any, *, text_only: bool = True) -> dict[str, tuple[int, ...]]:  # noqa: ANN401
    """Name -> shape of every parameter once; "buffer:" before the names of what is stored and not trained.

    Corrections of a router that are parameters without a gradient count as stored. LongCat's fused tensor of experts
    has rows for choices that compute nothing; they hold no weights and are left out.
    """
    stored = set(module.state_dict())
    listed = [
        (f"buffer:{name}" if name.endswith("bias") and not one.requires_grad else name, tuple(one.shape))
        for name, one in module.named_parameters()
    ]
    rows = {name.removesuffix("down_proj"): shape[0] for name, shape in listed if name.endswith("experts.down_proj")}
    listed = [
        (
            name,
            (rows[name.removesuffix("gate_up_proj")], *shape[1:]) if name.endswith("experts.gate_up_proj") else shape,
        )
        for name, shape in listed
    ]
    listed += [(f"buffer:{name}", tuple(one.shape)) for name, one in module.named_buffers() if name in stored]
    return {name: shape for name, shape in listed if not (text_only and any(word in name for word in ASIDE))}


def size(found: dict[str, tuple[int, ...]], *, stored: bool = False) -> int:
    """Parameters; with `stored` the corrections of routers and scales of layers that are buffers too."""
    total = 0
    for name, shape in found.items():
        numbers = 1
        for side in shape:
            numbers *= side
        if not name.startswith("buffer:") or (stored and name.endswith(("bias", "biases", "layer_scalar"))):
            total += numbers
    return total


def read(config: Any) -> Reading:  # noqa: ANN401
    """Our reading of what the config would be saved as."""
    return reading_of(json.loads(config.to_json_string(use_diff=False)), "config.json", "sample")


class Case(NamedTuple):
    """One set of fields: what the real modules count (total, and with stored buffers), and our reading or its error."""

    label: str
    real: int
    stored: int
    reading: Reading | None
    error: str = ""

    @property
    def ours(self) -> int:
        return counts(self.reading.spec).params if self.reading else 0

    @property
    def right(self) -> bool:
        return self.reading is not None and (self.ours, counts(self.reading.spec).stored_params) == (
            self.real,
            self.stored,
        )

    @property
    def silently_wrong(self) -> bool:
        return self.reading is not None and self.reading.verified and not self.right


def judge(kind: str, label: str, changes: dict[str, Any]) -> Case | None:
    """The case of these fields, None where transformers itself refuses them."""
    try:
        config = make_config(kind, **changes)
        aside = SMALL.get(kind, {}).get("aside", ())
        listed = tensors(build(config))
        found = {name: shape for name, shape in listed.items() if not any(word in name for word in aside)}
    except Exception:  # noqa: BLE001 - whatever it dislikes about a field
        return None
    real, stored = size(found), size(found, stored=True)
    try:
        return Case(label, real, stored, read(config))
    except BadInput as error:
        return Case(label, real, stored, None, str(error))


def changed(value: object) -> tuple[object, ...]:
    """Other values a field could have, to be tried until transformers takes one."""
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return (value * 2, value // 2) if value > 1 else (value * 2 or 1,)
    return (2, True) if value is None else ()


SKIPPED = re.compile(
    r"token_id|_id$|^vision|^audio|quant|dtype|id2label|label2id|^_|max_position_embeddings$|num_labels"
    r"|output_attentions|output_hidden_states|return_dict|chunk_size_feed_forward|problem_type"
)
"""Fields that are not changed: what numbers mean, and what every config class inherits."""


def sweep(kind: str) -> Iterator[Case]:
    """The family as it is by default (small), its listed variants, and every field changed by itself."""
    entry = SMALL.get(kind, {})
    small = entry.get("small", {})
    base = judge(kind, "default", small)
    if base is None:
        raise ValueError(f"transformers cannot build {kind} with {small}")
    yield base
    for variant in entry.get("variants", []):
        case = judge(kind, str(variant), {**small, **variant})
        if case is None:
            raise ValueError(f"transformers cannot build {kind} with {small} and {variant}")
        yield case
    if "text" in entry:
        return
    config = make_config(kind, **small)
    inner = getattr(config, "text_config", None)
    inside = inner is not None and not kind.endswith("_text")
    for name, value in (inner if inside else config).to_dict().items():
        label = f"text_config.{name}" if inside else name
        if SKIPPED.search(f"{label}="):
            continue
        for other in changed(value):
            change = {"text_config": {**small.get("text_config", {}), name: other}} if inside else {name: other}
            case = judge(kind, f"{label}={other}", {**small, **change})
            if case is not None:
                yield case
                break


def silent(kind: str) -> Iterator[tuple[str, Reading, Reading]]:
    """(field, our reading of the family's small config without it, our reading of what the config class makes of that).

    Left out are fields whose lack one of the two refuses.
    """
    whole = json.loads(make_config(kind, **SMALL.get(kind, {}).get("small", {})).to_json_string(use_diff=False))
    inside = "text_config" if isinstance(whole.get("text_config"), dict) else ""
    for name in whole["text_config"] if inside else whole:
        if name in {"model_type", "per_layer_config"} or is_inert(name):
            continue
        less = json.loads(json.dumps(whole))
        del (less[inside] if inside else less)[name]
        try:
            yield name, reading_of(less, "config.json", "sample"), read(library().CONFIG_MAPPING[kind].from_dict(less))
        except Exception:  # noqa: BLE001, S112 - whatever either dislikes about the lack
            continue


def real_windows(config: Any) -> list[int | None]:  # noqa: ANN401
    """Window of each layer that keeps keys and values, in the cache that transformers makes for the config."""
    text = config.get_text_config(decoder=True)
    with suppress(ModuleNotFoundError):  # its modules may have caches of their own
        import_module(type(text).__module__.replace("configuration_", "modeling_"))
    layers = library().DynamicCache(config=text).layers
    reading_earlier = getattr(text, "num_kv_shared_layers", 0)
    return [getattr(layer, "sliding_window", None) for layer in layers[: len(layers) - reading_earlier]]


def our_windows(reading: Reading) -> list[int | None]:
    """The same of our reading: tokens that a layer keeps at most, None where that is all."""
    return [
        None if (reach := mixer.reach).window is None and reach.chunk is None else int(reach.most(MOST))  # type: ignore[attr-defined]
        for times, layer in reading.spec.stack.groups
        for _ in range(times)
        for mixer in layer.mixers
        if mixer.kv_elements
    ]


def dump(kind: str, changes: dict[str, Any]) -> None:
    """Print the fields and the distinct tensors, layers folded."""
    config = make_config(kind, **changes)
    print({name: value for name, value in config.to_dict().items() if not SKIPPED.search(name)})
    found = tensors(build(config), text_only=False)
    folded = Counter((re.sub(r"\.\d+(?=\.|$)", ".*", name), shape) for name, shape in found.items())
    for (name, shape), times in folded.items():
        print(f"{times:5d} x {name} {shape}")
    print(f"{size(found):,} parameters")


def real_flops(config: Any, sequence: int) -> float:  # noqa: ANN401
    """Matmul FLOP of a forward pass over `sequence` tokens (an encoder reads as many), as torch counts them.

    Every query meets every key. Experts run through the batched implementation: torch does not see the grouped one.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    transformers = library()
    transformers.masking_utils.find_packed_sequence_indices = lambda *_: None  # it looks at values; meta has none
    module = build(config).eval()
    if hasattr(module, "set_experts_implementation"):
        module.set_experts_implementation("batched_mm")
    tokens = torch.zeros(1, sequence, dtype=torch.long, device="meta")
    inputs = {"input_ids": tokens}
    if getattr(config, "is_encoder_decoder", False):
        inputs["decoder_input_ids"] = tokens
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(**inputs, use_cache=False) if "use_cache" in config.to_dict() else module(**inputs)
    return float(counter.get_total_flops())


def our_flops(reading: Reading, sequence: int) -> float:
    """Ours under the convention that torch's counter follows, head on every token."""
    spec = reading.spec
    per_token = forward_flops(spec, sequence, convention="full-attention").total
    return per_token * sequence * (2 if spec.encoder else 1)


def report_flops(kind: str, changes: dict[str, Any]) -> None:
    """Print both counts at 64 tokens, and ours by part."""
    config = make_config(kind, **(changes or SMALL.get(kind, {}).get("small", {})))
    reading = read(config)
    ours = our_flops(reading, 64)
    try:
        real = real_flops(config, 64)
    except Exception as error:  # noqa: BLE001 - many modules do not run on meta
        print(f"{kind}: torch cannot count it: {type(error).__name__}: {str(error)[:200]}")
    else:
        print(f"{kind}: real {real:,.0f} ours {ours:,.0f} ratio {ours / real:.6f}")
    for term in forward_flops(reading.spec, 64, convention="full-attention").terms:
        print(f"    {term.name}: {term.value * 64:,.0f}")


def report(kind: str) -> None:
    """Print what a sweep finds."""
    cases = list(sweep(kind))
    tally = Counter(
        "SILENTLY WRONG"
        if case.silently_wrong
        else "right"
        if case.right and case.reading and case.reading.verified
        else "right, unverified"
        if case.right
        else "refused"
        if case.reading is None
        else "wrong, unverified"
        for case in cases
    )
    print(kind, dict(tally))
    for case in cases:
        sure = case.reading is not None and case.reading.verified and case.right
        if not sure:
            why = case.error or (case.reading and (*case.reading.not_understood, *case.reading.doubts))
            word = "SILENTLY WRONG" if case.silently_wrong else "ok" if case.right else "wrong"
            print(f"   {case.label}: {word} real {case.real:,} ({case.stored:,} stored) ours {case.ours:,} {why or ''}")
    for name, ours, real in silent(kind):
        if ours.spec != real.spec:
            print(f"   without {name}: {'SILENTLY WRONG' if ours.verified else 'unverified'}")
    for entry in ({}, *SMALL.get(kind, {}).get("variants", [])):
        config = make_config(kind, **{**SMALL.get(kind, {}).get("small", {}), **entry})
        if not read(config).spec.causal or read(config).spec.encoder is not None:
            continue
        windows = our_windows(read(config)), real_windows(config)
        if windows[0] != windows[1] and SMALL.get(kind, {}).get("cache") != "whole":
            print(f"   windows with {entry}: ours {windows[0]} real {windows[1]}")


if __name__ == "__main__":
    words = sys.argv[1:]
    given: dict[str, Any] = {}
    for word in words:
        if "=" in word:
            key, _, text = word.partition("=")
            given[key] = json.loads(text)
    kinds = [word for word in words if "=" not in word and not word.startswith("--")]
    for one in kinds:
        if "--dump" in words:
            dump(one, given)
        elif "--flops" in words:
            report_flops(one, given)
        else:
            report(one)
