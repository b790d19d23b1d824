"""Families of models as text names them, and the parts of a name: family, size, variant."""

from __future__ import annotations

import re
from functools import cache

from isoflop import model

_SIZE = re.compile(r"a?[0-9]+(?:\.[0-9]+)?[bmt]|[0-9]+x[0-9]+(?:\.[0-9]+)?b|e[0-9]+b", re.IGNORECASE)


VARIANTS = frozenset(
    {
        "small",
        "medium",
        "base",
        "large",
        "xl",
        "xxl",
        "mini",
        "nano",
        "micro",
        "tiny",
        "jumbo",
        "ultra",
        "pro",
        "instruct",
        "chat",
        "moe",
        "scout",
        "maverick",
        "lite",
        "air",
        "turbo",
        "opus",
        "sonnet",
        "haiku",
        "flash",
        "xs",
    }
)


_SIZED = frozenset(
    {"small", "medium", "base", "large", "xl", "xxl", "mini", "moe", "scout", "maverick", "lite", "air", "tiny"}
)


_NO_NAMES = frozenset(
    {"switch", "arctic", "code", "command", "internlm", "nanochat", "glm", "opt", "granite", "turing"}
)


COMMON = frozenset(
    {
        "opt",
        "bloom",
        "falcon",
        "phi",
        "gemma",
        "yi",
        "chinchilla",
        "gopher",
        "palm",
        "meena",
        "jamba",
        "bert",
        "pythia",
        "galactica",
        "mistral",
        "mixtral",
        "gemini",
        "claude",
        "grok",
        "whisper",
        "nemotron",
        "qwen",
        "kimi",
    }
)


_OTHERS = (
    "code llama",
    "gpt 4o mini",
    "gpt 4o",
    "gpt 4.5",
    "gpt 4 turbo",
    "gpt 4",
    "gpt 5",
    "gpt 3.5",
    "claude 3.5",
    "claude 3",
    "claude 2",
    "claude",
    "gemini 1.5",
    "gemini 2.0",
    "gemini 2.5",
    "gemini 1.0",
    "gemini",
    "grok 2",
    "grok 3",
    "grok 4",
    "grok",
    "o1",
    "o3",
    "mistral large",
    "mistral small",
    "mistral nemo",
    "palm 2",
    "palm",
    "inflection 2",
    "ernie 3.0",
    "wu dao 2.0",
    "stable lm",
    "bloomberg gpt",
    "gpt 2",
    "gpt 3",
    "gpt j",
    "gpt neo",
    "gpt neox",
    "llama",
    "llama 1",
    "llama 2",
    "llama 3",
    "llama 3.1",
    "llama 3.2",
    "llama 3.3",
    "llama 4",
    "bert",
    "roberta",
    "t5",
    "flan t5",
    "deepseek v2",
    "deepseek v3",
    "deepseek r1",
    "deepseek",
    "qwen",
    "qwen 1.5",
    "qwen 2",
    "qwen 2.5",
    "qwen 3",
    "phi 3",
    "phi 4",
    "phi 2",
    "phi 1.5",
    "gemma",
    "gemma 2",
    "gemma 3",
    "megatron turing nlg",
    "mt nlg",
    "megatron lm",
    "turing nlg",
    "lamda",
    "glam",
    "olmo",
    "olmo 2",
    "olmoe",
    "chinchilla",
    "gopher",
    "falcon",
    "mpt",
    "pythia",
    "mixtral",
    "mistral",
    "kimi k2",
    "dbrx",
    "opt",
    "bloom",
    "galactica",
    "starcoder",
    "starcoder 2",
    "nemotron 4",
    "nemotron 3",
    "minitron",
    "command r",
    "gpt oss",
    "exaone",
    "yi",
    "glm 130b",
    "jurassic 1",
    "switch transformer",
    "gshard",
    "ul2",
    "alexatm",
    "electra",
    "codex",
    "dolly",
    "vicuna",
    "alpaca",
    "stablelm",
)
"""Families that text names whether or not a run or preset of them is catalogued: they are subjects all the same."""


def plain(name: str) -> str:
    """A name as keys are compared: lower case, without spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "", name.lower())


def parts_of(name: str) -> tuple[str, float | None, tuple[str, ...]]:
    """Family key, size and variant words of a catalogued name: "Llama 3.1-405B" is llama3.1, 4.05e11, ()."""
    bare = re.sub(r"\(.*?\)", " ", name.lower())
    words = [word for word in re.split(r"[\s_-]+", bare) if word]
    sizes = [size_of(word) for word in words[1:] if _SIZE.fullmatch(word)]
    kept = [word for word in words[:1] + words[1:] if not (_SIZE.fullmatch(word) and word != words[0])]
    variants = tuple(word for word in kept[1:] if word in _SIZED)
    family = "".join(word for word in kept if word not in variants and word not in {"instruct", "chat"})
    return family, next((size for size in sizes if size), None), variants


def size_of(text: str) -> float | None:
    """Parameters that a size in a name stands for: "65B", "1.3b", "8x7B" (the product), None for an active size."""
    found = re.fullmatch(r"(?:([0-9]+)x)?([0-9]+(?:\.[0-9]+)?)\s?([bmt])", text.strip().lower())
    if found is None:
        return None
    return int(found[1] or 1) * float(found[2]) * {"m": 1e6, "b": 1e9, "t": 1e12}[found[3]]


@cache
def family_names() -> tuple[str, ...]:
    """Every family as spaced words, longest first."""
    found = set(_OTHERS)
    for name in (*(run.model for run in model.runs()), *model.model_names()):
        bare = re.sub(r"\(.*?\)", " ", name.lower())
        words = [word for word in re.split(r"[\s_-]+", bare) if word]
        kept = [word for word in words[:1] + [w for w in words[1:] if not _SIZE.fullmatch(w)] if word not in VARIANTS]
        spaced = re.sub(r"(?<=[a-z])(?=[0-9])", " ", " ".join(kept)) if kept[0] not in {"t5", "ul2"} else " ".join(kept)
        if kept and kept[0] not in _NO_NAMES and len(spaced) > 2 and len(kept) < 4:
            found.add(spaced)
    return tuple(sorted(found, key=len, reverse=True))
