"""Text as it is written, taken apart: Markdown off, LaTeX and HTML pieces into plain signs, blocks and sentences.

Everything keeps the line it stands on. Nothing here knows a unit.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from typing import TYPE_CHECKING, Literal

from isoflop.errors import BadFile

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_LINES = 20_000
MOST_CHARACTERS = 500_000
LONGEST_LINE = 20_000
LONGEST_SENTENCE = 2_000
"""Characters of a sentence that are read; the rest of it counts as a sentence of its own."""

BlockKind = Literal["heading", "text", "item", "row", "code"]

_CODE = re.compile(r"`[^`\n]{0,200}`")
_COMMAND_LIKE = re.compile(r"--?[A-Za-z]|\w=\S|[|{}<>;]|\w\(|^\s*\$ ")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_HEADING = re.compile(r"\s*#{1,6}\s+")
_MARKER = re.compile(r"\s*(?:>\s*)*(?P<mark>[-*+•‣–]|\(?\d{1,4}[.)])(?:\s+|$)")
_QUOTE = re.compile(r"^\s*(?:>\s?)+")
_RULE = re.compile(r"\s*(?:-{3,}|\*{3,}|_{3,}|={3,})\s*")
_ROW = re.compile(r"\s*\|.*\|\s*")
_IMAGE = re.compile(r"!\[[^\]]{0,300}\]\([^)\s]{0,500}\)")
_LINK = re.compile(r"\[([^\[\]]{0,300})\]\([^)\s]{0,500}\)")
_LINK_BACKWARDS = re.compile(r"\(([^()]{0,300})\)\[[^\]\s]{3,500}\]?\S*")
_ADDRESS = re.compile(r"https?://[^\s)\]>]+")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_MATH = re.compile(r"(?<![\\\w$])\$([^$\n]{1,120})\$(?!\d)")
_MATHY = re.compile(r"[\\^_{}]|^[^.]*[A-Za-z]\s*[=≈]|^[A-Za-z]$|^\d*[A-Z]{1,3}$")
_PROSE = re.compile(r"(?:(?<!\\)\b[a-z]{3,}\b[^\\]*){3}")
_BRACED = re.compile(r"\\(?:text|mathrm|mathbf|textbf|textit|operatorname|mathit)\s*\{([^{}]{0,100})\}")
_FRACTION = re.compile(r"\\[td]?frac\s*\{([^{}]{1,60})\}\s*\{([^{}]{1,60})\}")
_POWER = re.compile(r"\^\s*\{\s*([+-]?\d{1,4})\s*\}")
_COMMANDS = {
    "times": "×",
    "cdot": "×",
    "div": "÷",
    "approx": "≈",
    "sim": "~",
    "simeq": "≈",
    "pm": "±",
    "leq": "≤",
    "geq": "≥",
    "le": "≤",
    "ge": "≥",
    "to": "→",
    "rightarrow": "→",
    "quad": " ",
    "qquad": " ",
    "left": "",
    "right": "",
    "pi": "π",
}
_COMMAND = re.compile(r"\\([A-Za-z]{1,12})(?![A-Za-z])")
_ESCAPED = re.compile(r"\\([\\\[\](){}#*_$%&!.,;: >|~-])")
_OPENING = re.compile(r"(?<![\w)\]*])\*{1,3}(?=[^\s*\d])|(?<![\w)\]*])\*{2,3}(?=\S)")
_CLOSING = re.compile(r"(?<=[^\s*])\*{1,3}(?![\w*(\[])")
_UNDERSCORES = re.compile(r"(?<!\w)_{1,2}(?=\S)|(?<=\S)_{1,2}(?!\w)")
_PLAIN = str.maketrans(
    {
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
        "\u2007": " ",
        "\u200a": " ",
        "\u200b": "",
        "\ufeff": "",
        "\u2060": "",
        "\u2212": "-",
        "\u2010": "-",
        "\u2011": "-",
        "\u2012": "-",
        "\u2013": "–",
        "\u2014": "—",
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "`": "",
        "\u223c": "~",
        "\u2248": "≈",
        "\u2243": "≈",
        "\u22c5": "×",
        "\u00b7": "×",
        "\u2217": "*",
        "\u2715": "×",
        "\u2a2f": "×",
        "\u2044": "/",
        "\u2215": "/",
        "\t": " ",
        "µ": "u",
    }
)
_SPACES = re.compile(r" {2,}")
_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|approx|ca|vs|al|fig|eq|sec|tab|no|resp|incl|est|cf|dr|mr|ms|st|inc|"
    r"ltd|max|min|avg)|\b[A-Z])\.$",
    re.IGNORECASE,
)
_END = re.compile(r"[.!?][\"')\]]*\s+(?=[A-Z0-9\"'(\[$~≈«@#])")
_GOES_ON = re.compile(
    r"(?:,|\b(?:a|an|the|of|and|or|with|on|in|to|for|by|at|from|than|that|about|around|approximately|roughly|over|"
    r"nearly|almost|is|are|was|were|NVIDIA|per|using|used|their|its|our|as|only|just|some)|[-–×=+(/~≈])$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence without markup, and where it comes from.

    `starts` and `lines` map places in `text` to 1-based lines. `block` counts paragraphs, lists and headings; `section`
    the headings before it; `depth` is the indentation of a list item, `mark` its number or sign.
    """

    text: str
    starts: tuple[int, ...]
    lines: tuple[int, ...]
    block: int
    section: int
    kind: BlockKind
    depth: int = 0
    mark: str = ""
    place: int = 0

    @property
    def line(self) -> int:
        """The line it begins on."""
        return self.lines[0]

    def line_of(self, place: int) -> int:
        """The line that a place of its text stands on."""
        return self.lines[max(0, bisect_right(self.starts, place) - 1)]


def clean(line: str) -> str:
    r"""A line without markup: emphasis, links, images, addresses, tags, LaTeX and entities become plain signs.

    >>> clean("4T tokens *(7)* &times; **50k** \\[words\\] $\\approx 2N$")
    '4T tokens (7) × 50k [words] ≈ 2N'
    """
    text = _CODE.sub(_span, line) if "`" in line else line
    text = unescape(text).translate(_PLAIN)
    text = _IMAGE.sub(" ", text)
    text = _LINK.sub(r"\1", text)
    text = _LINK_BACKWARDS.sub(r"\1 ", text)
    text = _ADDRESS.sub(" ", text)
    text = _TAG.sub(" ", text)
    if "$" in text:
        text = _MATH.sub(_math, text.replace("$$", " "))
    if "\\" in text or "{" in text:
        text = _latex(text)
    if "*" in text:
        text = _CLOSING.sub("", _OPENING.sub("", text))
    if "_" in text:
        text = _UNDERSCORES.sub("", text)
    return _SPACES.sub(" ", _CONTROL.sub(" ", text)).strip()


def _span(match: re.Match[str]) -> str:
    """Code in a line: commands and assignments are no prose, a name or a formula is."""
    inside = match.group()[1:-1]
    return " … " if _COMMAND_LIKE.search(inside) else f" {inside} "


def _math(match: re.Match[str]) -> str:
    inside = match[1]
    if inside[0].isdigit() and not re.search(r"[\\^]", inside):
        return match[0]  # "$100m / 26T = 3.85e-6 $": money, not mathematics
    return f" {inside} " if _MATHY.search(inside) and not _PROSE.search(inside) else match[0]


def _latex(text: str) -> str:
    text = _BRACED.sub(r"\1", text)
    text = _FRACTION.sub(r"(\1)/(\2)", text)
    text = text.replace("{,}", ",").replace("\\,", "").replace("\\;", " ").replace("\\!", "")
    text = _POWER.sub(r"^\1", text)
    text = _COMMAND.sub(lambda match: _COMMANDS.get(match[1], f" {match[1]}"), text)
    return _ESCAPED.sub(r"\1", text)


@lru_cache(maxsize=8)
def sentences(lines: tuple[str, ...]) -> tuple[Sentence, ...]:
    """The sentences of a text, in order; the last texts read are remembered. Raises: BadFile beyond the caps."""
    _check_size(lines)
    found: list[Sentence] = []
    for block in _blocks(lines):
        found.extend(_split(block, len(found)))
    return tuple(found)


def _check_size(lines: tuple[str, ...]) -> None:
    if len(lines) > MOST_LINES:
        raise BadFile(f"the text has {len(lines):,} lines; {MOST_LINES:,} are read. Audit it in parts.")
    total, longest = sum(map(len, lines)), max(map(len, lines), default=0)
    if total > MOST_CHARACTERS:
        raise BadFile(f"the text has {total:,} characters; {MOST_CHARACTERS:,} are read. Audit it in parts.")
    if longest > LONGEST_LINE:
        raise BadFile(f"a line of {longest:,} characters is no prose; lines of up to {LONGEST_LINE:,} are read.")


@dataclass(slots=True)
class _Block:
    """Lines that belong together: cleaned, each with its number."""

    kind: BlockKind
    section: int
    number: int
    parts: list[tuple[int, str]]
    depth: int = 0
    mark: str = ""


def _blocks(lines: tuple[str, ...]) -> Iterator[_Block]:
    section, number, open_block, fenced, carried = 0, 0, None, False, ""
    for place, written in enumerate(lines[_front_matter(lines) :], start=_front_matter(lines) + 1):
        is_fence = _FENCE.match(written) is not None
        fenced ^= is_fence
        line = "" if is_fence else written
        if not line.strip() or _RULE.fullmatch(line):
            if open_block:
                yield open_block
            open_block, number, carried = None, number + 1, ""
            continue
        kind, depth, mark, text = _taken(line, fenced=fenced)
        carried = mark or (carried if line.lstrip().startswith(">") else "")
        section += kind == "heading"
        if kind == "text" and open_block and open_block.kind in {"text", "item"} and _continues(open_block, text, line):
            open_block.parts.append((place, text))
            continue
        if open_block:
            yield open_block
            number += open_block.kind != kind
        open_block = _Block(kind, section, number, [(place, text)], depth, carried)
    if open_block:
        yield open_block


def _taken(line: str, *, fenced: bool) -> tuple[BlockKind, int, str, str]:
    """What a line is, how far it is set in, its number or sign, and its text."""
    bare = _QUOTE.sub("", line)
    depth = len(bare) - len(bare.lstrip())
    if fenced:
        return "code", depth, "", clean(bare)
    if _HEADING.match(bare):
        return "heading", 0, "", clean(_HEADING.sub("", bare))
    if _ROW.fullmatch(bare):
        return "row", 0, "", clean(bare)
    marker = _MARKER.match(bare)
    if marker:
        return "item", depth, marker["mark"].strip("().") or marker["mark"], clean(bare[marker.end() :])
    return "text", depth, "", clean(bare)


def _continues(block: _Block, text: str, line: str) -> bool:
    """Whether a line goes on with the sentence before it, or begins one of its own."""
    before = block.parts[-1][1]
    if not before:
        return True
    if not text or text[0].islower() or text[0] in "×÷=≈+)(&%":
        return True
    return bool(_GOES_ON.search(before)) or (len(before) > 60 and before[-1] not in ".!?:;" and line[:1].isalnum())


def _front_matter(lines: tuple[str, ...]) -> int:
    """Lines of the header between two rules at the very start, as blog engines take it."""
    if not lines or lines[0].strip() != "---":
        return 0
    for place, line in enumerate(lines[1:60], start=1):
        if line.strip() == "---":
            return place + 1
        if line.strip() and ":" not in line and not line.lstrip().startswith("-"):
            return 0
    return 0


def _split(block: _Block, first: int) -> Iterator[Sentence]:
    text, starts, lines = "", [], []
    for line, part in block.parts:
        text += " " if text else ""
        starts.append(len(text))
        lines.append(line)
        text += part
    begin = 0
    for end in (*_ends(text), len(text)):
        while end - begin > LONGEST_SENTENCE:
            yield _sentence(block, text[begin : begin + LONGEST_SENTENCE], begin, (starts, lines), first)
            first, begin = first + 1, begin + LONGEST_SENTENCE
        if text[begin:end].strip():
            yield _sentence(block, text[begin:end].rstrip(), begin, (starts, lines), first)
            first += 1
        begin = end


def _ends(text: str) -> Iterator[int]:
    for match in _END.finditer(text):
        if not _ABBREVIATED.search(text[max(0, match.start() - 8) : match.start() + 1]):
            yield match.end()


def _sentence(block: _Block, text: str, begin: int, where: tuple[list[int], list[int]], place: int) -> Sentence:
    starts, lines = where
    at = max(0, bisect_right(starts, begin) - 1)
    kept = [(max(0, start - begin), line) for start, line in zip(starts[at:], lines[at:], strict=True)]
    kept = [pair for pair in kept if pair[0] <= len(text)]
    return Sentence(
        text=text,
        starts=tuple(start for start, _ in kept),
        lines=tuple(line for _, line in kept),
        block=block.number,
        section=block.section,
        kind=block.kind,
        depth=block.depth,
        mark=block.mark,
        place=place,
    )
