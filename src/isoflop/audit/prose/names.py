"""Names in running text: models, devices and number formats, as the catalogues know them and as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from isoflop import hardware
from isoflop.audit.prose.families import COMMON, VARIANTS, family_names, parts_of, plain, size_of

NameKind = Literal["model", "device", "dtype"]


_INVENTED = re.compile(
    r"(?<![\w-])(?:[A-Z][A-Za-z]*(?:LM|GPT|Net|BERT|Former|LLM|Llama|Coder|MoE)(?:[- "
    r"]?v?[0-9]+(?:\.[0-9]+)?)?(?:[- ][0-9]+(?:\.[0-9]+)?[BMT](?![\w]))?"
    r"|[A-Z][A-Za-z]+(?:[- ]?[0-9.]+)?[- ][0-9]+(?:\.[0-9]+)?[BMT](?![\w]))"
)
_NOT_INVENTED = re.compile(
    r"^(?:The|A|An|Our|Their|This|Training|Train|For|With|Model|Models|Using|Fine|Over|Nearly|"
    r"About|Around|Only|Total|In|To|Of|On|At|By|"
    r"From|Has|Is|Was|And|Or|But|When|While|If|Each|Every|Running|Serving|Loading|Roughly|"
    r"Approximately|Its|It|Dense|Active|Up|Params|"
    r"Parameters|Tokens|LLM|LLMs|GPU|MLLM|Some|Say|So|Then|Take|Takes|Both|Consider|Assume|"
    r"Suppose|Size|Any|Another|Modern|Most|Meta|Google|OpenAI|"
    r"Microsoft|Nvidia|NVIDIA|Big|Small|Quantized|Quantizing|Inference|Finetuning|Pretraining|"
    r"Deploying|Budget|USD|US|Original|Full|Same|Data|Dataset|Corpus)\b",
)
_TAIL = re.compile(
    r"(?P<sizes>(?:[-\s_/]{0,2}(?:[0-9]+x[0-9]+(?:\.[0-9]+)?B|A?[0-9]+(?:\.[0-9]+)?\s?[BMT](?![A-Za-z0-9])))*)"
    r"(?P<words>(?:[-\s](?:" + "|".join(sorted(VARIANTS, key=len, reverse=True)) + r")(?![\w]))*)"
    r"(?P<more>(?:[-\s_/]{0,2}(?:[0-9]+x[0-9]+(?:\.[0-9]+)?B|A?[0-9]+(?:\.[0-9]+)?\s?[BMT](?![A-Za-z0-9])))*)"
    r"(?P<paren>\s\(\s?[0-9]+(?:\.[0-9]+)?\s?[BM](?:[- ](?:param\w*|model|dense))?\s?\))?",
    re.IGNORECASE,
)
_SPEECH = re.compile(
    r"(?:'s)?[- ](?:optimal|scaling|law|paper|ratio|rule|style|recommend|prediction|point|compute|"
    r"frontier|heuristic|recipe|loss|team|authors|result|finding|guideline|suggest|budget|"
    r"regime|curve|fit|target|number|threshold|approach|optim\w+|sense|wants?|says?|predicts?|implies|calls? "
    r"for|asks?|prescribes?|tells|found|finds|shows?|showed|would)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name in a text: what kind of thing, the key its catalogue is asked with, and where it stands.

    `size` is a model's size in the name ("65B"), in parameters; `words` are its variant words ("base"), or what narrows
    a device down ("80gb", "pcie").
    """

    kind: NameKind
    key: str
    text: str
    start: int
    end: int
    size: float | None = None
    words: tuple[str, ...] = ()


@cache
def _model_pattern() -> re.Pattern[str]:
    options = [r"[-\s]?".join(re.escape(word) for word in family.split(" ")) for family in family_names()]
    return re.compile(rf"(?<![\w-])(?:{'|'.join(options)})(?![A-Za-z])(?!\.?[0-9])(?!\.[a-z])", re.IGNORECASE)


_SERIES = (
    "tpu v2",
    "tpu v3",
    "tpu v4",
    "tpu v5e",
    "tpu v5p",
    "tpu v6e",
    "tpu v7",
    "tpu v5",
    "trillium",
    "ironwood",
    "gaudi 2",
    "gaudi 3",
    "trainium 2",
    "trainium 1",
    "trainium",
    "trn1",
    "trn2",
    "inferentia 2",
    "dgx spark",
)
_UNNAMED = ("cpu", "arc", "ascend", "jetson", "tpu", "gaudi", "trainium", "m1", "m2", "m3", "m4")


def _device_stems() -> set[str]:
    """What names of catalogued devices begin with: "a100", "rtx 4090", and "4090" too."""
    stems = set()
    for name in hardware.device_names():
        first, *rest = name.split("-")
        if first in {"rtx", "gtx"}:
            kept = [word for word in rest if not word.endswith("gb") and word not in {"laptop", "pro"}]
            stems.add(" ".join([first, *kept]))
            if len(kept) == 1 and re.fullmatch("[0-9]{4}", kept[0]):
                stems.add(kept[0])
        elif not first.startswith(_UNNAMED):
            stems.add(first)
    return stems


@cache
def _device_pattern() -> re.Pattern[str]:
    """Devices by the stems of their names, with what narrows a board down behind them."""
    stems = sorted({*_SERIES, *_device_stems()}, key=len, reverse=True)
    options = [r"[-\s]?".join(re.escape(word) for word in stem.split(" ")) for stem in stems]
    tail = (
        r"(?:[-\s]?(?:SXM[2-6]?|PCIe|NVL|HBM[23]e?)(?![\w])|[-\s](?:16|24|32|40|48|64|80|94|96|"
        r"128|141|180|188|192)\s?Gi?B?(?![\w]))*"
    )
    return re.compile(
        rf"(?:(?<![\w.])|(?<=[0-9][xX]))(?:(?:NVIDIA|AMD|Google|Tesla|GeForce|Instinct|Cloud|Intel|"
        rf"AWS)\s)*(?P<stem>{'|'.join(options)})(?=(?-i:s)?(?![\w]))(?P<tail>{tail})(?:'?(?-i:s)(?![\w]))?",
        re.IGNORECASE,
    )


_DTYPE = re.compile(
    r"(?<![\w])(?:(?P<fp>(?:FP|float|fp-)\s?(?:64|32|16|8|6|4))(?!\w|\.[0-9])|"
    r"(?P<bf>bf(?:loat)?-?16)(?![\w])|(?P<tf>tf-?32)(?![\w])"
    r"|(?P<int>U?INT-?(?:8|4|3|2))(?![\w])|(?P<e>E4M3|E5M2|E2M1|E3M2)(?![\w])|"
    r"(?P<nf>NF4)(?![\w])|(?P<w>W(?:8|4)A(?:8|16))(?![\w])"
    r"|(?P<bits>(?:64|32|16|8|4|3|2)[- ]bit)(?![\w])(?!\s+(?:wide|per|for|sign))|"
    r"(?P<prec>(?:half|single|double|full)[- ]precision)(?![\w]))",
    re.IGNORECASE,
)
_PRECISIONS = {"half": "fp16", "single": "fp32", "double": "fp64", "full": "fp32"}


def names(text: str) -> list[Name]:
    """Models, devices and number formats of a text, in order, none inside another."""
    if not any(char.isascii() and char.isalnum() for char in text):
        return []
    found = [*_devices(text), *_models(text), *_dtypes(text)]
    found.sort(key=lambda name: (name.start, -name.end))
    kept: list[Name] = []
    for name in found:
        if not kept or name.start >= kept[-1].end:
            kept.append(name)
    return kept


def _devices(text: str) -> list[Name]:
    found = []
    for match in _device_pattern().finditer(text):
        stem = re.sub(r"[\s-]+", "", match["stem"].lower())
        if stem in {"l4", "t4", "a10", "a30", "a40", "h20", "l20", "l40"} and not match["stem"][0].isupper():
            continue
        if stem.isdigit() and not re.search(
            r"(?:^|[×x]\s?|\b(?:an?|the|one|two|four|eight|single|RTX|GPUs?|or|and)\s)$", text[: match.start()][-14:]
        ):
            continue
        words = tuple(word for word in re.split(r"[\s-]+", re.sub(r"\s(?=Gi?B)", "", match["tail"].lower())) if word)
        found.append(
            Name(kind="device", key=stem, text=match.group(), start=match.start(), end=match.end(), words=words)
        )
    return found


def _models(text: str) -> list[Name]:
    found = []
    for match in _model_pattern().finditer(text):
        written = match.group()
        key = plain(written)
        if key in COMMON and not written[0].isupper():
            continue
        if key in {"opt", "mpt", "ul2", "o1", "o3", "yi", "t5"} and not (
            written.isupper() or key in {"yi", "o1", "o3"}
        ):
            continue
        if key in {"chinchilla", "gopher"} and _SPEECH.match(text, match.end()):
            continue
        tail = _TAIL.match(text, match.end())
        assert tail is not None
        found.append(_model(text, match, tail, key))
    taken = [(name.start, name.end) for name in found]
    for match in _INVENTED.finditer(text):
        if not _NOT_INVENTED.match(match.group()) and not any(
            start < match.end() and match.start() < end for start, end in taken
        ):
            family, size, words = parts_of(match.group())
            found.append(
                Name(
                    kind="model",
                    key=family,
                    text=match.group(),
                    start=match.start(),
                    end=match.end(),
                    size=size,
                    words=words,
                )
            )
    return found


def _model(text: str, match: re.Match[str], tail: re.Match[str], key: str) -> Name:
    """A model's name with its tail: sizes and variant words that belong to it ("Llama 2 70B", "BERT-base")."""
    end = tail.end()
    size_text = f"{tail['sizes']} {tail['more']} {tail['paren'] or ''}"
    # "GPT-3 175 billion": a size in words is an amount of its own; "Llama 2 70B tokens" is not a size.
    if re.match(r"[-\s](?:training\s)?tokens?\b|[-\s]?(?:FLOPs?)\b", text[end : end + 18]):
        return Name(kind="model", key=key, text=match.group(), start=match.start(), end=match.end())
    sizes = [
        size
        for word in re.findall(r"[0-9]+x[0-9.]+B|A?[0-9]+(?:\.[0-9]+)?\s?[BMT]", size_text, re.IGNORECASE)
        if (size := size_of(word))
    ]
    words = tuple(word.lower() for word in re.split(r"[-\s]+", tail["words"]) if word)
    return Name(
        kind="model",
        key=key,
        text=text[match.start() : end],
        start=match.start(),
        end=end,
        size=sizes[0] if sizes else None,
        words=words,
    )


def _dtypes(text: str) -> list[Name]:
    found = []
    for match in _DTYPE.finditer(text):
        key = dtype_key(match.group())
        found.append(Name(kind="dtype", key=key, text=match.group(), start=match.start(), end=match.end()))
    return found


@lru_cache(maxsize=256)
def dtype_key(text: str) -> str:
    """The name of a number format: "BFLOAT16" is bf16, "8-bit" is 8bit, "half precision" is fp16."""
    bare = re.sub(r"[\s-]+", "", text.lower())
    if bare.endswith("precision"):
        return _PRECISIONS[bare.removesuffix("precision")]
    if bare.startswith("bfloat"):
        return "bf16"
    if bare.startswith("float"):
        return f"fp{bare.removeprefix('float')}"
    return {
        "e4m3": "fp8e4m3",
        "e5m2": "fp8e5m2",
        "e2m1": "fp4",
        "w8a8": "int8",
        "w4a16": "int4",
        "w8a16": "int8",
        "w4a8": "int4",
    }.get(bare, bare.removeprefix("u"))
