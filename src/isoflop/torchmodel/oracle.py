"""A second opinion on a reading: the real modules of transformers, built on torch's meta device, counted, compared.

Needs the extra `oracle` (torch, transformers). No weights, no network, no remote code: a family that transformers does
not hold itself gets no second opinion.
"""

from __future__ import annotations

import os
import re
import warnings
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.errors import MissingData, shorten
from isoflop.model import counts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from torch.nn import Module

    from isoflop.model import Description
    from isoflop.model.config import Reading

_ASIDE = re.compile(r"vision|audio|visual|image|speech|multi_?modal|projector|mm_")
"""Names in a module's path that belong to other modalities than text."""

_PARTS = (
    ("position embedding", r"wpe|position_embeddings|embed_positions"),
    ("token-type embedding", r"token_type_embeddings"),
    ("embedding norm", r"embeddings\.layernorm|word_embeddings_layernorm"),
    ("per-layer embedding", r"per_layer"),
    (
        "token embedding",
        r"embed_tokens|wte|word_embeddings|embed_in|tok_embeddings|(^|\.)shared\.weight|backbone\.embed",
    ),
    ("head", r"lm_head|embed_out|output_projection"),
    ("cross-attention", r"encdecattention|encoder_attn|cross_att"),
    ("router", r"router|\.gate\.weight|\.gate\.(e_score|wg)|gate\.linear"),
    ("shared expert", r"shared_expert|shared_mlp"),
    ("experts", r"experts|block_sparse_moe"),
    ("index", r"indexer"),
    ("recurrence", r"mamba|linear_attn|\.ssm|conv1d|mixer|kda"),
    ("attention", r"attn|attention"),
    ("mlp", r"mlp|feed_forward|ffn|fc1|fc2|densereludense"),
    ("norms", r"norm|ln_"),
    ("pooler", r"pooler"),
)
"""A part and what its tensors are called, the first that fits."""

_RECURRENT = re.compile(r"mamba|delta|recurren|convolution|linear attention|kda|rwkv|ssm")

_BUILT_AS = {"kimi_k2": "deepseek_v3"}
"""Families that are another one under a name of their own."""

_WRITERS = ("AutoModelForCausalLM", "AutoModelForImageTextToText", "AutoModelForSeq2SeqLM", "AutoModel")
_BOTH = ("AutoModelForSeq2SeqLM", "AutoModelForSpeechSeq2Seq", "AutoModelForImageTextToText", "AutoModel")
"""Makers of transformers, the first that knows the family: of decoders, and where an encoder stands beside one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What the real modules count: parameters, stored numbers, and both sides by part."""

    library: str
    params: int
    stored: int
    ours: int
    ours_stored: int
    parts: Mapping[str, tuple[int, int]]

    @property
    def same(self) -> bool:
        """Whether both count the same parameters."""
        return self.params == self.ours

    @property
    def differing(self) -> dict[str, tuple[int, int]]:
        """Parts in which the two differ: (ours, theirs)."""
        return {part: both for part, both in self.parts.items() if both[0] != both[1]}

    def lines(self) -> Iterator[str]:
        """The opinion in words."""
        if self.same:
            yield f"Oracle: {self.library} counts {self.params:,} parameters, the same."
            return
        gap = self.params - self.ours
        yield (
            f"Oracle: {self.library} counts {self.params:,} parameters, {abs(gap):,} {'more' if gap > 0 else 'fewer'} "
            "than here."
        )
        for part, (ours, theirs) in self.differing.items():
            yield f"  {part}: {ours:,} here, {theirs:,} there"


def opinion(described: Description) -> Opinion:
    """What transformers makes of the same config.

    Raises: MissingData where a library, the config or the family is missing.
    """
    if described.reading is None or not described.model_type:
        raise MissingData(
            f"no second opinion on {described.spec.name}: it was not read from a config that names a model_type; give "
            "the path of a config.json."
        )
    transformers, version = _library()
    real = _tensors(described.reading, transformers)
    mine = counts(described.spec)
    theirs: dict[str, int] = defaultdict(int)
    for name, size in real.items():
        if not name.startswith("buffer:"):
            theirs[_part(name)] += size
    ours: dict[str, int] = defaultdict(int)
    for part, size in mine.parts:
        ours["recurrence" if _RECURRENT.search(part) else part] += size
    beside = ("bias", "layer_scalar")
    kept = [size for name, size in real.items() if name.startswith("buffer:") and name.endswith(beside)]
    return Opinion(
        library=f"transformers {transformers.__version__} on the meta device of torch {version}",
        params=sum(theirs.values()),
        stored=sum(theirs.values()) + sum(kept),
        ours=mine.params,
        ours_stored=mine.stored_params,
        parts={part: (ours[part], theirs[part]) for part in dict.fromkeys((*ours, *theirs))},
    )


def _library() -> tuple[ModuleType, str]:
    """The module transformers, quiet and offline, and the version of torch."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingData(
            "--oracle needs torch and transformers, which are not both installed; install the extra with "
            "pip install 'isoflop[oracle]'."
        ) from error
    transformers.logging.set_verbosity_error()
    return transformers, str(torch.__version__)


def _tensors(reading: Reading, transformers: ModuleType) -> dict[str, int]:
    """Name -> numbers of every parameter of the text model; "buffer:" before what is stored and not trained."""
    left_out = {"model_type", "auto_map", "quantization_config", "compression_config"}
    fields = {name: value for name, value in reading.config.items() if name not in left_out}
    named = str(reading.config.get("model_type", reading.model_type))
    kind = _BUILT_AS.get(named, named)
    if kind not in transformers.models.auto.configuration_auto.CONFIG_MAPPING_NAMES:
        said = f"transformers {transformers.__version__} has no model_type '{shorten(kind)}'"
        raise MissingData(f"{said}, so there is no second opinion.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            makers = _WRITERS if reading.spec.encoder is None else _BOTH
            module = _built(transformers.AutoConfig.for_model(kind, **fields), transformers, makers)
        except Exception as error:  # whatever its classes dislike about the fields
            said = shorten(" ".join(str(error).split()), most=200)
            raise MissingData(f"transformers {transformers.__version__} cannot build this {kind}: {said}") from error
    stored = set(module.state_dict())
    found = {name: one.numel() for name, one in module.named_parameters()}
    found |= {f"buffer:{name}": one.numel() for name, one in module.named_buffers() if name in stored}
    return {name: size for name, size in found.items() if not _ASIDE.search(name)}


def _built(config: object, transformers: ModuleType, makers: tuple[str, ...]) -> Module:
    """The module of a config on the meta device, with its head where it has one."""
    from torch import device

    for maker in makers[:-1]:
        try:
            with device("meta"):
                return getattr(transformers, maker).from_config(config)
        except ValueError as error:
            if "Unrecognized configuration class" not in str(error):
                raise
    with device("meta"):
        return getattr(transformers, makers[-1]).from_config(config)


def _part(name: str) -> str:
    """The part that a tensor of this name belongs to."""
    lowered = name.lower()
    return next((part for part, pattern in _PARTS if re.search(pattern, lowered)), "other")
