"""Where a text draws a conclusion: "so it takes 12 days", "that is $480k", "640 GPUs in total"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from isoflop.audit.prose.amounts import Amount

ABOUT = (
    r"\s*(?:about|roughly|around|approximately|some|nearly|almost|a total of|~|≈|only|just|at least|at most|up to|over|"
    r"under|at|to|you)?\s*(?:an?\s+)?(?:sustained|average of|average|total of|mere|whopping|further|extra)?\s*$"
)
"""What may stand between the words that conclude and the amount."""

_SO = re.compile(
    r"(?:\b(?:that|this|it)(?:['’]s| is| was| makes| comes to| would be)|\bthe total (?:is|was|comes to)|"
    r"\bso|\btotal(?:s|ing| of)?|\bi\.e\.,?|\bcomes? to|\bmakes|"
    r"\bset aside|\b(?:amount|total|balance) due:?|"
    r"\bgiv(?:es?|ing)|\bhence|\bthus|\btherefore|\bworks out|\bwhich is|=|→|≈)" + ABOUT,
    re.IGNORECASE,
)
_IS = re.compile(
    r"\b(?:(?:trains?|runs?|works?|decodes?|serves?) at|is|are|was|were|"
    r"takes?|took|taking|trains?|serves?|decodes?|works?|goes|needs?|needed|requires?|has|have|"
    r"costs?|costing|emits?|emitted|emitting|"
    r"uses?|used|using|consum\w+|burn\w*|draws?|drew|fills?|becomes?|means?|equals?|amounts?|yields?|spends?|spent|paid|"
    r"pays?|lasts?|produc\w+|runs?|adds? up|sets? (?:you|us|them|one) back|comes? in|corresponds?|results? in|occup\w+|"
    r"covers?|spans?|adds?|moves?|writes?|reads?|fails?|every|buys?|generates?|process(?:es)?|holds?|sustains?|delivers?|reach(?:es)?)\b"
    + ABOUT,
    re.IGNORECASE,
)
_LEADS = re.compile(
    r"(?:(?:^|[,;:(–—]\s*)(?:so|hence|i\.e\.,?|meaning|which means)|\b(?:thus|therefore|accordingly))\b[^,;:]*$",
    re.IGNORECASE,
)
_IN_ALL = re.compile(r"\s*(?:in total|in all|altogether|overall|all told|combined)\b", re.IGNORECASE)
_OR = re.compile(r",\s*or\s+(?:about\s+|roughly\s+|some\s+|around\s+|a total of\s+|~)?$", re.IGNORECASE)
_AT = re.compile(
    r"(?:^|[.:;?]\s+)(?:at|with|for)\s[^,;:?]{3,60}(?:,\d[^,;:?]{0,40})?,\s+(?:about\s+|roughly\s+|~|≈)?$",
    re.IGNORECASE,
)
_END = re.compile(r"\s*(?:\w+\s*){0,2}[.!]?\s*$")
_BESIDE = re.compile(
    r"[,(]\s*(?:or|i\.e\.,?|about|roughly|around|~|≈|nearly|almost)\s*(?:about|roughly|~)?\s*$", re.IGNORECASE
)


def conclusion(text: str, amount: Amount) -> Literal["so", "is", ""]:
    """How an amount is concluded to: in as many words ("so"), by a verb alone ("is"), or not at all ("")."""
    before = text[: amount.start]
    if _SO.search(before):
        return "so"
    if _IS.search(before):
        return "so" if _LEADS.search(before) else "is"
    if before.endswith(": ") or _IN_ALL.match(text, amount.end) or ("/" in amount.kind and _BESIDE.search(before)):
        return "is"
    if _OR.search(before):
        return "is"
    if _AT.search(before) and _END.match(text, amount.end):
        return "so"
    return ""


_EVERY = re.compile(r"\b(?:every|once (?:in|every)|one (?:in|every))" + ABOUT, re.IGNORECASE)


def is_each(text: str, amount: Amount) -> bool:
    """Whether it is the time from one to the next: "one every 3 hours"."""
    return bool(_EVERY.search(text[: amount.start]))
