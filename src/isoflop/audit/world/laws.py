"""Scaling laws: tokens per parameter, compute-optimal runs, FLOP per parameter and token, and how loss falls."""

from __future__ import annotations

import re
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING

from isoflop.audit.world.found import by, finding, middle, near, shown
from isoflop.audit.world.known import Variant, of_name
from isoflop.book import work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.audit.document import Finding
    from isoflop.audit.prose.amounts import Amount
    from isoflop.audit.prose.facts import Subject, Told

OPTIMAL = (13.5, 42.0)
"""Tokens per parameter that a published law calls optimal somewhere between 1e18 and 1e26 FLOP."""
ABOUT_20 = (14.0, 42.0)

_OPTIMAL = re.compile(
    r"\b(?:compute|Chinchilla)[- ]?optimal(?:ly)?\b|\bChinchilla\b|\boptimal(?:ly)?\b|"
    r"\bideal\b|\bcompute[- ]efficient\b",
    re.IGNORECASE,
)
_WAS_OPTIMAL = re.compile(
    r"\b(?:trained|was|is|been|training|run|model|trained in a|in a)\b[^.;]{0,"
    r"40}?\b(?:(?:compute|Chinchilla)[- ]optimal(?:ly)?(?: way| fashion| manner)?|optimally "
    r"(?:for|with respect to) (?:its |the )?compute|"
    r"(?:exactly |right )?at (?:the )?(?:Chinchilla|compute)[- ]optim\w+)\b|\bcompute[- "
    r"]optimal(?:ly)? (?:trained|training run|way|size|model)\b|\bfollow\w* (?:the "
    r")?Chinchilla\b",
    re.IGNORECASE,
)
_AWAY = re.compile(
    r"\b(?:not|\w+n't|beyond|past|over|exceed\w*|well above|far (?:more|above|from|beyond|below|"
    r"short)|short of|below|instead of|rather than|more than|less than|fewer|deviat\w*|unlike|"
    r"overtrain\w*|over-train\w*|undertrain\w*|"
    r"under-train\w*|would (?:have|be|need|require|call)|should|ignore\w*|contrast|compared|"
    r"versus|vs|times the|close to|near\w*|roughly|almost|than|smaller|larger|if|only|"
    r"inference|outperform\w*|non|earlier|before|Kaplan)\b",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"(?<![0-9.])(?P<k>[0-9]{1,3}(?:\.[0-9]{1,3})?)\s*(?:×|x|\*|⋅)?\s*(?:N\s*(?:×|x|\*|⋅)?\s*D|ND|P\s*(?:×|x|"
    r"\*)?\s*D|PD|N\s*(?:×|x|\*)\s*T|params?\s*(?:×|x|\*)\s*tokens|parameters\s*(?:×|x|\*|"
    r"times)\s*tokens)(?![\w])"
)
_COUNTED_N = re.compile(
    r"(?<![0-9.])(?P<k>[0-9]{1,2})\s?(?:×|x|\*)?\s?[NP]\s+(?:FLOPs?|FLOPS|floating[- ]point "
    r"operations|operations|ops)\s+"
    r"(?:(?:are|is)\s+\w+\s+)?(?:per|for each|for every|/)\s*(?:\w+\s+){0,2}token"
)
_PER = re.compile(r"FLOP/(?:param/token|token/param)")


def law_figures(text: tuple[Told, ...]) -> Iterator[Finding]:
    """What is said of scaling laws that they do not say."""
    for told in text:
        yield from _ratios(told)
        yield from _pairs(told)
        yield from _named(told)
        yield from _constants(told)
        yield from _ratio_of_run(told)
        yield from _words_and_tokens(told)


def _ratios(told: Told) -> Iterator[Finding]:
    """As in "Chinchilla: N tokens per parameter", "the data should be N times the parameters"."""
    text = told.sentence.text
    if not _OPTIMAL.search(text):
        return
    for amount in told.read.amounts:
        per_param = amount.kind == "token/param"
        times = (
            amount.kind == "#times"
            and re.search(
                r"\b(?:number of |as many |the |more )?(?:param\w*|tokens)\b", text[amount.end : amount.end + 45]
            )
            and re.search(r"\b(?:tokens?|data\w*)\b", text)
        )
        if (
            not (per_param or times)
            or _AWAY.search(text[max(0, amount.start - 45) : amount.start].replace("more than", ""))
            or _AWAY.search(text[amount.end : amount.end + 40].replace("larger than the number", ""))
        ):
            continue
        if re.search(
            r"\b(?:Llama|LLaMA|Gemma|Qwen|Phi|Mistral|trained (?:on|with|for|at))\b", text[: amount.start]
        ) and not re.search(
            r"\b(?:rule|optimal|says?|suggest\w*|recommend\w*|ratio|law)\b[^.]{0,30}$", text[: amount.start]
        ):
            continue
        if not any(OPTIMAL[0] <= amount.off(value) * value <= OPTIMAL[1] for value in (20.0,)):
            yield finding(
                told.sentence,
                amount,
                "constant",
                "published laws call about 20 tokens for each parameter optimal",
                says=middle(amount),
                recomputed=20.0,
            )


def _pairs(told: Told) -> Iterator[Finding]:
    """As in "a 70B model is compute-optimal with 140B tokens"."""
    text = told.sentence.text
    if not re.search(r"\b(?:optimal(?:ly)?|ideal\w*|Chinchilla)\b", text) or re.search(
        r"\b(?:not|\w+n't|beyond|past|over-?train\w*|under-?train\w*|far|well|than|instead|despite|"
        r"but|although|while|ignor\w*|would|exceed\w*|times the)\b",
        text,
    ):
        return
    sizes = [fact for fact in told.facts if fact.role == "params" and fact.subject.key != "?"]
    data = [fact for fact in told.facts if fact.role in {"tokens", "data_tokens"} and fact.subject.key != "?"]
    if (
        len(sizes) != 1
        or len(data) != 1
        or data[0].amount.number.bound
        or sizes[0].amount.number.bound
        or sizes[0].subject.key not in {"", "chinchilla"}
    ):
        return
    ratio = middle(data[0].amount) / middle(sizes[0].amount)
    if ABOUT_20[0] * 0.85 <= ratio <= ABOUT_20[1]:
        return
    due = 20.0 * middle(sizes[0].amount)
    yield finding(
        told.sentence,
        data[0].amount,
        "library_relation",
        f"that is {ratio:.3g} tokens for each parameter; about 20 are optimal: {shown(due, 'tokens')}",
        says=middle(data[0].amount),
        recomputed=due,
    )


def _named(told: Told) -> Iterator[Finding]:
    """As in "BloombergGPT was trained compute-optimally": tokens per parameter of the run as published."""
    text = told.sentence.text
    match = _WAS_OPTIMAL.search(text)
    if match is None or _AWAY.search(text[max(0, match.start() - 30) : match.end() + 3]):
        return
    subject = told.subject
    models = [name for name in told.read.names if name.kind == "model"]
    if (
        subject.name is None
        or len(models) > 1
        or re.search(r"\b(?:should|would|could|if|instead)\b", text[: match.end()])
    ):
        return
    known = [one for one in of_name(subject.name) if one.tokens and one.params and not one.rumoured]
    said = next((fact.amount.value for fact in told.facts if fact.role == "params"), None)
    near_size = [one for one in known if said and one.params and abs(log(one.params / said)) < 0.15] or known
    ratios = [(one, one.tokens / (one.active_params or one.params or 1.0)) for one in near_size if one.tokens]
    if not ratios or any(OPTIMAL[0] <= ratio <= OPTIMAL[1] for _, ratio in ratios):
        return
    one, ratio = min(ratios, key=lambda pair: abs(log(pair[1] / 20)))
    assert one.tokens is not None
    size = one.active_params or one.params or 1.0
    yield finding(
        told.sentence,
        None,
        "library_relation",
        f"{one.name} saw {shown(one.tokens, 'tokens')}, {ratio:.3g} for each parameter, where "
        f"about 20 are optimal ({shown(20 * size, 'tokens')})",
        says=one.tokens,
        recomputed=20.0 * size,
    )


def _constants(told: Told) -> Iterator[Finding]:
    """As in "training takes 2 N D": FLOP for each parameter and token."""
    text = told.sentence.text
    training, forward = _phase(text)
    found: list[tuple[float, Amount | None]] = [(float(match["k"]), None) for match in _COUNTED.finditer(text)]
    found += [(float(match["k"]), None) for match in _COUNTED_N.finditer(text)]
    found += [
        (amount.low, amount)
        for amount in told.read.amounts
        if (_PER.fullmatch(amount.kind) or amount.kind == "FLOP/param") and amount.low == amount.high
    ]
    for value, amount in found:
        if training and not forward and value in {1.0, 2.0, 3.0, 4.0, 12.0}:
            if value in {3.0, 4.0} and re.search(r"\b(?:backward|MAC|encoder|multiply)\b", text):
                continue
            due = by(work.train_flops, 1.0, 1.0)
            yield finding(
                told.sentence,
                amount,
                "forward_for_training" if value == 2.0 else "constant",
                "training takes 6 FLOP for each parameter and token: 2 forward, 4 backward",
                says=value,
                recomputed=due,
            )
        if forward and not training and value in {6.0, 4.0, 8.0, 1.0}:
            if re.search(r"\bbackward|MAC\b", text):
                continue
            yield finding(
                told.sentence,
                amount,
                "forward_for_training" if value == 6.0 else "constant",
                "a forward pass takes 2 FLOP for each parameter and token",
                says=value,
                recomputed=2.0,
            )


TOKENS_PER_WORD = (1.0, 3.0)
"""Tokens of a word: from tokenizers of whole words to those of other languages and code."""


def _words_and_tokens(told: Told) -> Iterator[Finding]:
    """As in "2 trillion tokens, or about 1.5 trillion words": a word is a token and a third."""
    for one, other in pairwise(told.read.amounts):
        kinds = {one.kind, other.kind}
        joined = re.fullmatch(
            r"\s*(?:\(|,?\s*or\b|,?\s*i\.e\.,?|=|≈|are|is|,\s*which is|,\s*about)\s*(?:roughly|about|"
            r"around|some|~|≈|=|are|is|only|just)?\s*"
            r"(?:roughly|about|around)?\s*",
            told.sentence.text[one.end : other.start],
        )
        if kinds != {"token", "word"} or joined is None or min(one.low, other.low) < 1e3:
            continue
        tokens, words = (one, other) if one.kind == "token" else (other, one)
        low = tokens.low * (1 - tokens.slack) / (words.high * (1 + words.slack))
        high = tokens.high * (1 + tokens.slack) / (words.low * (1 - words.slack))
        if high < TOKENS_PER_WORD[0] or low > TOKENS_PER_WORD[1]:
            due = by(work.tokens_of_words, 1.0)
            said, counted = middle(words), middle(tokens)
            reason = (
                f"a word is about {due:.3g} tokens, so {shown(counted, 'tokens')} are {shown(counted / due, 'words')}"
            )
            says, right = (said, counted / due) if other is words else (counted, said * due)
            yield finding(told.sentence, other, "words_for_tokens", reason, says=says, recomputed=right)


def _phase(text: str) -> tuple[bool, bool]:
    training = bool(re.search(r"\b(?:train\w*|pre-?train\w*|backward)\b", text, re.IGNORECASE))
    forward = bool(re.search(r"\b(?:forward|inference|infer|generat\w*|decod\w*|serving|serve)\b", text, re.IGNORECASE))
    return training, forward


def _ratio_of_run(told: Told) -> Iterator[Finding]:
    """As in "70B on 1.4T tokens, 40 tokens per parameter": a ratio against its own numbers."""
    ratios = [amount for amount in told.read.amounts if amount.kind == "token/param"]
    sizes = [fact for fact in told.facts if fact.role in {"params", "active_params"}]
    data = [fact for fact in told.facts if fact.role == "tokens"]
    if (
        len(ratios) != 1
        or len(sizes) != 1
        or len(data) != 1
        or re.search(r"\b(?:Chinchilla|optimal|rule|instead|versus|vs|compared|than|law)\b", told.sentence.text)
    ):
        return
    due = middle(data[0].amount) / middle(sizes[0].amount)
    if abs(log(ratios[0].off(due))) < 0.15:
        return
    yield finding(
        told.sentence,
        ratios[0],
        "arithmetic",
        f"{shown(middle(data[0].amount), 'tokens')} over {shown(middle(sizes[0].amount), 'params')} "
        f"are {due:.3g} for each",
        says=middle(ratios[0]),
        recomputed=due,
        level="arithmetic",
    )


def ratio_of(one: Variant) -> float | None:
    """Tokens that a run saw for each of its active parameters."""
    size = one.active_params or one.params
    return one.tokens / size if one.tokens and size else None


def about(subject: Subject) -> str:
    """The subject's name."""
    return subject.name.text if subject.name else ""


_ = near
