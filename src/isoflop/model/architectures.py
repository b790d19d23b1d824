"""What a config.json says of the class that runs it: whether that belongs to its family, and has a language head.

A file may name a known `model_type` and run code of its own, or a class with another head. Shapes are read from the
fields, so that either makes a reading uncertain.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from isoflop.errors import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEADED = re.compile(
    r"(CausalLM|LMHeadModel|WithLMHead|ForConditionalGeneration|ForMaskedLM|ForPreTraining|MTModel|ForBlockDiffusion"
    r"|For\w+2Text|ForSpeechToText|ForTextToText|ChatModel|OmniModel|^ChatGLMModel|^MiniCPM[VO]\w*|^Ovis\w*|Reasoning_V\d+"
    r"|^\w+TextDecoder|^TrOCR\w+|^BertGenerationDecoder)$"
)
"""Names of classes with a language head."""

_ALSO: Mapping[str, tuple[str, ...]] = {
    "RefinedWeb": ("rw",),
    "RefinedWebModel": ("rw",),
    "deepseek_vl_v2": ("deepseekocr",),
    "ernie4_5_moe": ("ernie45",),
    "glmga": ("glm46v",),
    "gpt-sw3": ("gpt2",),
    "hunyuan_v1_dense": ("hunyuandensev1",),
    "hunyuan_v1_moe": ("hunyuanmoev1", "hunyuanmodel"),
    "inkling_mm_model": ("inkling",),
    "internlm3": ("llama",),
    "iquestcoder": ("llama",),
    "kimi_k2": ("deepseekv3",),
    "minimax_m3_vl": ("minimaxm3",),
    "nemo_speechlm": ("nemotron35",),
    "nemotron-nas": ("decilm",),
    "phi-msft": ("phi",),
    "pp_chart2table": ("gotocr2",),
    "shieldgemma2": ("gemma3",),
    "speech_to_text": ("speech2text",),
}
"""model_type -> how names of its classes begin where that is not the type itself."""


def class_doubts(config: Mapping[str, object], kind: str, *, headed: bool) -> tuple[str, ...]:
    """Doubts about the class that a file of the known type `kind` names; `headed`: a language head was counted."""
    begins = (_plain(re.sub(r"_text(_model)?$", "", kind)), *_ALSO.get(kind, ()))
    found = [
        f"it is run by {shorten(name)}, which is no class of model_type '{kind}'"
        for name in _classes(config)
        if not _plain(name).startswith(begins)
    ]
    first = _first(config)
    if headed and first and not found and not _HEADED.search(first):
        found.append(f"architectures names {shorten(first)}; counted is the model with a language head")
    if config.get("is_causal") is False:
        found.append("is_causal is false: tokens see what comes after them, and nothing is cached")
    return tuple(found)


def _classes(config: Mapping[str, object]) -> Iterator[str]:
    """The class that the file names, and those of its own code that give a model."""
    first = _first(config)
    if first:
        yield first
    own = config.get("auto_map")
    for key, value in own.items() if isinstance(own, dict) else ():
        if isinstance(value, str) and key.startswith("AutoModel"):
            name = value.rpartition(".")[2]
            if name != first:
                yield name


def _first(config: Mapping[str, object]) -> str:
    listed = config.get("architectures")
    return listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], str) else ""


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
