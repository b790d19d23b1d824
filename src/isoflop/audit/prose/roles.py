"""Which quantity an amount is, by its unit and the words around it."""

from __future__ import annotations

import re

from isoflop.audit.prose.amounts import PERCENT, Amount
from isoflop.audit.prose.kinds import EITHER

TRAIN = re.compile(
    r"\b(?:(?:pre-?)?train(?:ed|ing|s)?|pre-?training|training run|train(?:ing)? (?:cost|compute|budget))\b",
    re.IGNORECASE,
)


TUNE = re.compile(r"\bfine-?tun\w*|\bLoRA\b|\bQLoRA\b|\badapters?\b|\bPEFT\b", re.IGNORECASE)


INFER = re.compile(
    r"\b(?:inference|infer|serv(?:e|es|ing|ed)|generat(?:e|es|ing|ion)|decod(?:e|es|ing)|"
    r"deploy\w*|load(?:ed|ing|s)?|host(?:ed|ing)?|prompt\w*|quer(?:y|ies)|chat\w*|"
    r"forward pass(?:es)?|per request|run(?:s|ning)? (?:locally|it|a|the|on))\b",
    re.IGNORECASE,
)


_NO_TOKENS = re.compile(
    r"\b(?:context|window|sequence length|prompt|output|generate[sd]?|generating|batch|"
    r"vocabulary|vocab|per (?:second|day|request|user|query|minute|month|step|batch)|"
    r"throughput|per million|million tokens?\b.*\$|\$.*per|input tokens|output tokens|served?|"
    r"serving|requests?|cache|KV|decod\w+|chunk|long)\b",
    re.IGNORECASE,
)


_SEEN = re.compile(
    r"\b(?:train\w*|pre-?train\w*|dataset|corpus|data|seen|saw|sees|ingest\w*|consum\w*|"
    r"optimal\w*|Chinchilla|budget|epochs?|read|corpora|D\s*=)\b",
    re.IGNORECASE,
)


_ACTIVE = re.compile(
    r"\b(?:activ\w+|per token|each token|per forward|routed|used for (?:each|every|any))\b", re.IGNORECASE
)


_TOTAL = re.compile(r"\b(?:total|overall|in all|altogether|full)\b", re.IGNORECASE)


_PART = re.compile(
    r"\b(?:non-?embedding|embedding|embeddings|per expert|each expert|expert|per layer|each "
    r"layer|adapters?|LoRA|trainable|head|draft|attention|additional|extra|vision|encoder|"
    r"shared|(?:fewer|smaller|larger|bigger|less|more) (?:than|param\w*)|difference|each of|"
    r"experts?)\b",
    re.IGNORECASE,
)


_UTILISED = re.compile(
    r"\b(?:MFU|HFU|utili[sz]ation|utili[sz]ed|of (?:the )?(?:theoretical )?peak|model FLOPs? "
    r"utili[sz]ation|hardware FLOPs? utili[sz]ation|of peak)\b",
    re.IGNORECASE,
)


_FORWARD = re.compile(
    r"\b(?:forward|inference|per (?:generated|output) token|to generate|generat\w+|decod\w+)\b", re.IGNORECASE
)


def purpose_of(text: str, amount: Amount | None = None) -> str:
    """What it is for: "train", "tune", "infer", "" where it is not said or all are."""
    train, tune, infer = TRAIN.search(text), TUNE.search(text), INFER.search(text)
    if tune:
        return "tune"
    if train and infer and amount is not None:
        # The nearer word decides.
        nearest = [
            min((abs(match.start() - amount.start) for match in pattern.finditer(text)), default=10**6)
            for pattern in (TRAIN, INFER)
        ]
        return "train" if nearest[0] < nearest[1] else "infer"
    return "train" if train else "infer" if infer else ""


_BY_KIND = {
    "J": "train_energy",
    "kgCO2e": "train_emissions",
    "$/s/chip": "price",
    "token/param": "tokens_per_param",
    "FLOP/s": "rate",
    "FLOP/s/chip": "rate",
    "byte": "memory",
    "byte/s": "bandwidth",
    "J/s": "power",
    "byte/param": "bytes_per_param",
    "kgCO2e/J": "grid_intensity",
    "token/s": "throughput",
    "token/s/chip": "throughput_per_chip",
}


_EACH_TRILLION = re.compile(r"\b(?:per|each|every)\s+(?:1\s?)?(?:T|trillion)\s*(?:training\s+)?tokens\b", re.IGNORECASE)
_BOX = re.compile(
    r"[\s-]+(?:[A-Z][\w-]*\s+)?(?:servers?|nodes?|machines?|box(?:es)?|systems?|instances?|" r"hosts?|pods?)\b"
)
_THEN_TOTAL = re.compile(
    r"\s+(?:each|apiece),?\s+(?:or|so|i\.e\.,?)\s+[0-9,]+\s+(?:\w+\s+)?(?:in all|in total|altogether)\b"
)
"""Chips of each machine, where what they are together is said next."""
_PER_TOKENS = re.compile(r"\s*(?:per|for each|for every)\s+[0-9.]{1,6}\s?\w{0,8}\s+tokens\b", re.IGNORECASE)


LEAST_COST = 20.0
"""Dollars below which an amount is a price of something, and no cost of a run."""


def role_of(text: str, amount: Amount) -> str:
    """The quantity that an amount is, by its unit and the words around it; "" where it is not clear."""
    around = text[max(0, amount.start - 60) : amount.end + 50]
    kind = amount.kind
    if kind in {"chip s", "s", "$", "J"} and (_EACH_TRILLION.search(text) or _PER_TOKENS.match(text, amount.end)):
        return ""  # a rate of cost, and no total
    if kind == "param":
        return _param_role(text, amount)
    if kind in {"token", "word"}:
        return _token_role(text, amount, around)
    if kind in {"FLOP", EITHER}:
        return _work_role(amount, around)
    if kind == "chip":
        part = _BOX.match(text, amount.end) or _THEN_TOTAL.match(text, amount.end)
        return "chips" if amount.low >= 1 and not part else ""
    if kind == "chip s":
        return "chip_time"
    if kind == "s":
        return _time_role(text, amount)
    if kind == PERCENT:
        if re.match(r"\s*of (?:our|the|its|their) (?:target|goal|plan|baseline|budget)", text[amount.end :]):
            return ""
        return "mfu" if _UTILISED.search(text[max(0, amount.start - 50) : amount.end + 40]) else ""
    if kind == "$":
        return _money_role(text, around) if amount.high >= LEAST_COST else ""
    return _bare_role(text, amount) if kind == "" else _BY_KIND.get(kind, "")


def _bare_role(text: str, amount: Amount) -> str:
    """A number without a unit in a sentence that says what it counts: "a few hundred million", "trained on 1.4T"."""
    if amount.low >= 1e15 and re.search(r"\b(?:C|compute|FLOPs?)\s*[=≈:]\s*$", text[: amount.start]):
        return "train_flops"
    if (
        amount.number.scaled >= 1e6
        and not amount.number.money
        and re.search(r"\bparam(?:eter)?s?\b", text, re.IGNORECASE)
        and not re.search(r"\btokens?\b|\bcost|\$", text, re.IGNORECASE)
    ):
        return _param_role(text, amount)
    if amount.number.letter == "T" and re.search(
        r"\b(?:trained|training) (?:on|with|for)\s+(?:\w+\s+)?$|\btokens?\b", text[: amount.start], re.IGNORECASE
    ):
        return "tokens"
    if amount.low >= 1e17 and re.search(r"\b(?:FLOPs?|FLOPS|compute|operations)\b", text):
        return "train_flops" if TRAIN.search(text) else ""
    return ""


def _param_role(text: str, amount: Amount) -> str:
    near = (
        text[max(0, amount.start - 32) : amount.start].rpartition(";")[2].rpartition(",")[2]
        + amount.text
        + re.split(r"[,;.(0-9]|\b(?:with|and|but)\b", text[amount.end : amount.end + 30])[0]
    )
    if re.search(r"\b(?:out of|of a total of|total of)\s*(?:about\s*)?$", text[: amount.start]):
        return "params"
    if _ACTIVE.search(amount.about) or _ACTIVE.search(near):
        return "active_params"
    if _PART.search(near) and not _TOTAL.search(amount.about):
        return ""
    return "params"


def _token_role(text: str, amount: Amount, around: str) -> str:
    near = text[max(0, amount.start - 40) : amount.end + 30]
    if re.search(r"\bvocab\w*", near, re.IGNORECASE):
        return "vocabulary"
    if amount.high < 1e7:
        return "context" if re.search(r"\bcontext|window|sequence", near, re.IGNORECASE) else ""
    if re.search(
        r"\bunique|epoch|deduplicat|filtered|raw|before|crawl\w*|available|contains?|synthetic|"
        r"annealing|code tokens|additional|extra|another|more tokens|fine-?tun|SFT|instruction",
        near,
        re.IGNORECASE,
    ):
        return "data_tokens" if amount.kind == "token" else "data_words"
    before = text[max(0, amount.start - 30) : amount.start]
    if re.search(r"\b(?:per|each|every)\s*$", before):
        return ""
    if re.search(r"\b(?:optim\w+|recommend\w*|would|ideal\w*|prescrib\w*)\b", before):
        return "data_tokens" if amount.kind == "token" else "data_words"
    if _NO_TOKENS.search(around) and not _SEEN.search(near):
        return ""
    if _SEEN.search(text) or amount.high >= 5e10:
        return "tokens" if amount.kind == "token" else "words"
    return ""


def _work_role(amount: Amount, around: str) -> str:
    if amount.kind == EITHER and amount.high < 1e19 and not re.search(r"\btotal\b", around):
        return "rate"
    if amount.high < 1e15:
        return "rate_as_work" if amount.high >= 1e12 else ""
    if _FORWARD.search(around) and not TRAIN.search(around):
        return "forward_flops"
    return "train_flops"


def _time_role(text: str, amount: Amount) -> str:
    before = text[max(0, amount.start - 40) : amount.start]
    if re.search(
        r"\b(?:reserv\w*|commitment|contract|year-old|per|every|each|ago|later|earlier|old|within "
        r"the|last|past|next|first|amorti[sz]\w*|lifetime|lifespan|deprecia\w*)\s*(?:a |the )?$",
        before,
        re.IGNORECASE,
    ):
        return ""
    if re.match(
        r"[\s-]*(?:commitment|contract|reserved|ago|old|later|earlier|lifetime|away|half-?life|"
        r"depreciation|payback|per)\b",
        text[amount.end :],
        re.IGNORECASE,
    ) or re.search(r"\b(?:a|per)\s+(?:day|week|year)\b", amount.text):
        return ""
    return "train_time" if amount.low >= 3600 * 0.5 else ""


def _money_role(text: str, around: str) -> str:
    if re.search(
        r"\b(?:per|/)\s*(?:million|M|1M|1k|thousand|token)|\braised|valuation|revenue|salary|"
        r"salaries|invest\w*|funding|per year|annual\w*|a year\b",
        around,
        re.IGNORECASE,
    ):
        return ""
    if re.search(
        r"\b(?:cost|costs|costing|spent|spend|price|priced|bill|budget|expens\w*|worth|pay|paid|"
        r"dollars?|compute|quote\w*|charge\w*|fees?|invoice\w*|rent\w*|wants?|asks?|per "
        r"GPU-hour)\b",
        text,
        re.IGNORECASE,
    ):
        return "train_cost"
    return ""
