"""How a model and its run are divided: heads, layers to stages, batches, parallel ranks, adapters.

Whole numbers that multiply exactly: "64 heads of dimension 128 make a hidden size of 8,192", "tp 8, pp 4 and dp 16 use
512 GPUs". A result is checked where the text concludes to it and every factor of it is said once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

from isoflop.audit.prose.amounts import PERCENT
from isoflop.audit.world.conclusions import conclusion
from isoflop.audit.world.found import finding, middle, slip_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from isoflop.audit.document import Finding
    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Told

EXACT = 0.015
"""How far in logs a product of whole numbers may be rounded, beside the digits that are written."""

_IS = r"\s*(?:of|=|is|:|to|at|size(?: of)?|degree(?: of)?)?\s*(?:about\s+|~)?$"


def _named(words: str) -> re.Pattern[str]:
    """What stands before a number that is called so."""
    return re.compile(rf"(?<![\w-])(?:{words}){_IS}", re.IGNORECASE)


def _counted(words: str) -> re.Pattern[str]:
    """What stands after a number of these."""
    return re.compile(rf"[\s-]*(?:{words})(?![\w-])", re.IGNORECASE)


_BEFORE: dict[str, re.Pattern[str]] = {
    "tp": _named(r"tp|tensor[- ]parallel(?:ism)?"),
    "pp": _named(r"pp|pipeline(?:[- ]parallel(?:ism)?)?"),
    "dp": _named(r"dp|data[- ]parallel(?:ism)?"),
    "cp": _named(r"cp|context[- ]parallel(?:ism)?"),
    "micro_batch": _named(r"micro[- ]?batch(?:es)?"),
    "accumulation": _named(r"(?:gradient[- ])?accumulation(?: steps)?(?: over)?"),
    "batch": _named(r"(?:global|total|effective)?[- ]?batch"),
    "sequence": _named(r"sequence length|seq(?:uence)?[ _]?len(?:gth)?|sequences|context length"),
    "head_dim": _named(r"head[ _]dim(?:ension)?|heads of (?:dimension|size|width)|dimension|heads"),
    "width": _named(r"hidden (?:size|dimension|dim|width)|d_model|model (?:dimension|width)|width"),
    "step_tokens": _named(r"tokens (?:per|a|each) (?:step|batch|update|iteration)"),
    "factor": _named(r"(?:by )?a factor"),
    "vocabulary": _named(r"vocab(?:ulary)?(?:[ _]size)?"),
}
_AFTER: dict[str, re.Pattern[str]] = {
    "tp": _counted(r"(?:way|-way)[- ]tensor[- ]parallel(?:ism)?"),
    "pp": _counted(r"(?:pipeline )?stages|(?:way|-way)[- ]pipeline(?:[- ]parallel(?:ism)?)?"),
    "dp": _counted(r"(?:data[- ]parallel )?replicas|(?:way|-way)[- ]data[- ]parallel(?:ism)?"),
    "accumulation": _counted(r"(?:gradient[- ])?accumulation steps|micro[- ]?batches"),
    "vocabulary": _counted(r"(?:rows|entries)"),
    "width": _counted(r"(?:values|dimensions|columns|numbers|entries each)"),
    "kv_heads": _counted(r"(?:KV|key[-/ ]value) heads"),
    "heads": _counted(r"(?:query |attention |Q )?heads"),
    "examples": _counted(r"(?:training )?(?:examples|samples|documents|conversations|prompts|pairs)"),
    "epochs": _counted(r"epochs?"),
    "steps": _counted(r"(?:optimizer |training |gradient )?(?:steps|iterations|updates)"),
    "layers": _counted(r"(?:transformer )?(?:layers|blocks)"),
    "chips": _counted(r"(?:\w+ )?(?:GPUs?|chips|accelerators|cards|ranks)|[AHBV]\d{2,3}s?"),
    "factor": _counted(r"(?:x|×|times) (?:smaller|less|fewer)"),
}
_EACH = re.compile(r"\b(?:each|every|per) (?:pipeline )?stage\b|\ba stage\b", re.IGNORECASE)
_TOKENS_A_STEP = re.compile(
    r"\s*(?:per|a|each|in every|every)\s+(?:global )?(?:batch|step|update|iteration)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A result, the factors it needs, those it takes where they are said, and the product."""

    result: str
    needs: tuple[str, ...]
    takes: tuple[str, ...] = ()
    of: Callable[[dict[str, float]], float]
    words: str


def _times(found: dict[str, float]) -> float:
    value = 1.0
    for one in found.values():
        value *= one
    return value


_RULES = (
    _Rule(result="chips", needs=("tp", "pp"), takes=("dp", "cp"), of=_times, words="the ranks multiply to"),
    _Rule(result="chips", needs=("tp", "dp"), takes=("pp", "cp"), of=_times, words="the ranks multiply to"),
    _Rule(result="width", needs=("heads", "head_dim"), of=_times, words="heads times their width are"),
    _Rule(result="batch", needs=("micro_batch", "accumulation", "dp"), of=_times, words="the sequences of a step are"),
    _Rule(
        result="batch", needs=("micro_batch", "accumulation", "chips"), of=_times, words="the sequences of a step are"
    ),
    _Rule(result="step_tokens", needs=("batch", "sequence"), of=_times, words="sequences times their length are"),
    _Rule(result="table", needs=("vocabulary", "width"), of=_times, words="entries times their width are"),
    _Rule(
        result="bubble",
        needs=("pp", "accumulation"),
        of=lambda found: (found["pp"] - 1) / (found["accumulation"] + found["pp"] - 1),
        words="stages less one over micro-batches and stages less one is",
    ),
    _Rule(
        result="steps",
        needs=("examples", "batch"),
        takes=("epochs",),
        of=lambda found: found.get("epochs", 1.0) * found["examples"] / found["batch"],
        words="examples over the batch, by epoch, are",
    ),
    _Rule(
        result="stage_layers",
        needs=("layers", "pp"),
        of=lambda found: found["layers"] / found["pp"],
        words="layers over stages are",
    ),
    _Rule(
        result="factor",
        needs=("heads", "kv_heads"),
        of=lambda found: found["heads"] / found["kv_heads"],
        words="query heads over KV heads are",
    ),
)


def divided(text: tuple[Told, ...]) -> Iterator[Finding]:
    """Products of whole numbers that do not come out."""
    items: dict[str, list[Amount]] = {}
    scope = -1
    for told in text:
        own = _names(told)
        if told.sentence.kind != "item" or told.scope != scope:
            items, scope = {}, told.scope
        named = {name: [*items.get(name, ()), *own.get(name, ())] for name in (*items, *own)}
        for rule in _RULES:
            said = own.get(rule.result, [])
            if rule.result in (*rule.needs, *rule.takes) or len(said) != 1 or _has_parts_twice(named, rule):
                continue
            found = {name: middle(named[name][0]) for name in (*rule.needs, *rule.takes) if named.get(name)}
            last = all(named[name][0].start < said[0].start for name in found if name in own)
            if not found.keys() >= set(rule.needs) or not last or not _is_concluded(told, said[0], rule.result):
                continue
            found_one = _checked(told, said[0], rule, found)
            if found_one:
                yield found_one
                break
        items = named if told.sentence.kind == "item" else {}
        yield from _adapter(told)


def _has_parts_twice(named: dict[str, list[Amount]], rule: _Rule) -> bool:
    return any(len(named.get(name, ())) > 1 for name in (*rule.needs, *rule.takes))


def _is_concluded(told: Told, said: Amount, result: str) -> bool:
    """Concluded to before its own name: "gives a global batch of 512" is, "with a global batch of 512" is not."""
    text = told.sentence.text
    pattern = _BEFORE.get(result)
    match = pattern.search(text[: said.start]) if pattern else None
    start = match.start() if match else said.start
    lead = re.sub(r"\s(?:an?|the|by|down)\s*$", " ", text[:start] + " ")
    if result == "bubble":
        return True
    if result == "factor":
        return bool(re.search(r"\b(?:cache|shrink\w*|smaller|reduc\w+|cut\w*)\b", text, re.IGNORECASE))
    return result == "table" or bool(_draws(lead)) or bool(conclusion(text, said))


def _draws(lead: str) -> bool:
    return bool(
        re.search(
            r"(?:\b(?:makes?|giv(?:es|ing)|for|is|equals?|yields?|means?|so|uses?|needs?)|=|→)\s*$", lead, re.IGNORECASE
        )
    )


def _checked(told: Told, said: Amount, rule: _Rule, found: dict[str, float]) -> Finding | None:
    due = rule.of(found)
    others = ((found["pp"] - 1) / found["accumulation"],) if rule.result == "bubble" else ()
    if due <= 0 or any(abs(log(said.off(one))) <= 0.08 for one in others):
        return None  # the share of the ideal time is as usual
    ratio = said.off(due)
    padded = 0.1 if rule.result == "table" else 0.0  # vocabularies are filled up to a round number
    if abs(log(ratio)) <= EXACT + said.slack + padded or said.number.bound:
        return None
    slip = slip_of(ratio)
    kind, words = slip or ("arithmetic", "")
    reason = f"{rule.words} {due:,.6g}{f'; {words}' if words else ''}"
    return finding(told.sentence, said, kind, reason, says=middle(said), recomputed=due, level="arithmetic")


_MATRIX = re.compile(r"(?P<rows>[0-9][0-9,]*)\s*(?:[x×*]|by)\s*(?P<columns>[0-9][0-9,]*)", re.IGNORECASE)
_RANK = re.compile(
    r"\b(?:rank|r)[\s-]*(?:of|=|is)?\s*(?P<rank>[0-9]{1,4})\b|\brank[- ](?P<other>[0-9]{1,4})\b", re.IGNORECASE
)


def _adapter(told: Told) -> Iterator[Finding]:
    """As in "LoRA of rank 16 on a 4096 x 4096 matrix adds 131k parameters": rank times rows and columns."""
    text = told.sentence.text
    ranks, matrices = list(_RANK.finditer(text)), list(_MATRIX.finditer(text))
    sizes = [one for one in told.read.amounts if one.kind == "param"]
    many = re.search(r"\b(?:layers|matrices|modules|blocks|per cent|model)\b|%", text, re.IGNORECASE)
    if not len(ranks) == len(matrices) == len(sizes) == 1 or many or not re.search(r"\bLoRA|\badapters?\b", text):
        return
    rows, columns = (float(matrices[0][side].replace(",", "")) for side in ("rows", "columns"))
    due = float(ranks[0]["rank"] or ranks[0]["other"]) * (rows + columns)
    slip = slip_of(sizes[0].off(due)) or ("arithmetic", "")
    if abs(log(sizes[0].off(due))) > EXACT + sizes[0].slack + 0.05:
        reason = f"rank times rows and columns are {due:,.6g}{f'; {slip[1]}' if slip[1] else ''}"
        yield finding(told.sentence, sizes[0], slip[0], reason, says=middle(sizes[0]), recomputed=due)


_BUBBLE = re.compile(r"\bbubbles?\b", re.IGNORECASE)
_NO_GPIPE = re.compile(
    r"\b(?:interleav\w*|virtual|zero[- ]bubble|chunks|overhead|reduc\w+|relative)\b|/\s*m\b", re.IGNORECASE
)


def _names(told: Told) -> dict[str, list[Amount]]:
    """Amounts by what they are called, each once."""
    text = told.sentence.text
    found: dict[str, list[Amount]] = {}
    for amount in told.read.amounts:
        name = _name_of(text, amount)
        if name:
            found.setdefault(name, []).append(amount)
    return found


def _name_of(text: str, amount: Amount) -> str:
    before, after = text[: amount.start], text[amount.number.end :]
    if amount.kind == PERCENT and _BUBBLE.search(text) and not _NO_GPIPE.search(text):
        return "bubble"
    if amount.kind == "token" and _TOKENS_A_STEP.match(text[amount.end :]):
        return "step_tokens"
    if amount.kind == "param" and re.search(r"\bembeddings?\b[^.;]*$", before, re.IGNORECASE):
        return "table"
    counted = next((name for name, pattern in _AFTER.items() if pattern.match(after)), "")
    if counted == "layers" and _EACH.search(before[-40:] + after[:40]):
        return "stage_layers"
    if counted or amount.kind not in {"", "#times", "sequence", "token"}:
        return counted
    of_heads = re.match(r"\s+of\s+(?:the\s+)?[0-9]+ (?:query |attention )?heads\b", after)
    if of_heads:
        return "kv_heads"
    return next((name for name, pattern in _BEFORE.items() if pattern.search(before)), "")
