"""A corpus on disk: tokens in memory-mapped shards, blocks held out, batches in a fixed order, epochs counted.

What batch a step reads follows from its number alone, so the position in the data is part of every checkpoint without
being stored. Two runs with one seed read the same text in the same order whatever their size.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import msgspec
import numpy as np

from isoflop.errors import BadFile, BadInput, Infeasible, shorten
from isoflop.lab.dataset_text import dataset_documents
from isoflop.lab.files import write_atomically
from isoflop.lab.text import documents, files_of
from isoflop.lab.tokens import Bytes, Pairs, train_pairs
from isoflop.quantity.json_file import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from isoflop.lab.tokens import Tokenizer

SHARD = 1 << 26
"""Tokens a shard holds."""

BLOCK = 1 << 14
"""Tokens that are held out, or not, together: long against a sequence, short against a corpus."""

FEWEST_BLOCKS = 6

MOST_EPOCHS = 1000

ORDERS = 16
"""Orders of a pass over the text that are kept: drawing one takes longer than many a step."""

MOST_UNKNOWN = 0.01
"""Share of tokens that a tokenizer may have no name for; above, it was made for other text."""

Reader = Literal["files", "datasets"]
READERS: tuple[Reader, ...] = get_args(Reader)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSpec:
    """Where text comes from and what is made of it.

    `include`: patterns of file names. `field`: the text's name in JSON lines and Parquet. `tokenizer`: "bytes", "bpe"
    (trained on this text, `vocabulary` tokens) or the path of a tokenizer.json. `held_out`: share of blocks that no
    run trains on. `epochs`: how often text may be read; more than once is to be asked for. `reader`: "datasets" for
    what that library saved on this machine or can build from files, and `split` which part of it.
    """

    source: str
    include: tuple[str, ...] = ("*.txt", "*.md", "*.rst", "*.jsonl", "*.parquet")
    field: str = "text"
    tokenizer: str = "bytes"
    vocabulary: int | None = None
    held_out: float = 0.05
    epochs: float = 1.0
    reader: Reader = "files"
    split: str = "train"

    def __post_init__(self) -> None:
        if self.reader not in READERS:
            raise BadInput(f"data.reader = '{shorten(self.reader)}': give one of: {', '.join(READERS)}")
        if not 0.001 <= self.held_out <= 0.5:
            raise BadInput(f"data.held_out = {self.held_out}: give a share from 0.001 to 0.5")
        if not 0 < self.epochs <= MOST_EPOCHS:
            raise BadInput(f"data.epochs = {self.epochs}: give how often text may be read, 1 for never twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """What corpus.json says; `data` is the specification that it was made of, as far as it was kept."""

    documents: int
    bytes: int
    tokens: int
    vocabulary: int
    held_out_blocks: list[int]
    fingerprint: str
    data: DataSpec | None = None


def _about(path: Path) -> _About:
    again = "make the study again in another folder; runs of the same text and settings are the same runs."
    if not path.is_file():
        raise BadFile(f"{path} is not there: the study has lost its text; {again}")
    try:
        return msgspec.convert(read_json(path), _About)
    except (msgspec.ValidationError, BadFile) as error:
        raise BadFile(f"{path}: not what was written ({shorten(str(error), most=200)}); {again}") from error


class Corpus:
    """Tokens of a folder that `build_corpus` wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        about = _about(folder / "corpus.json")
        self.vocabulary, self.tokens, self.bytes = about.vocabulary, about.tokens, about.bytes
        self.documents, self.fingerprint, self.made_of = about.documents, about.fingerprint, about.data
        self._held = frozenset(about.held_out_blocks)
        self._type = np.dtype(np.uint16 if self.vocabulary <= 1 << 16 else np.uint32)
        shards = sorted(folder.glob("tokens-*.bin"))
        sizes = sum(path.stat().st_size for path in shards)
        if sizes != self.tokens * self._type.itemsize:
            raise BadFile(
                f"{folder}: the shards hold {sizes:,} bytes, corpus.json says {self.tokens:,} tokens; delete the folder"
                " and build the corpus again."
            )
        self._orders: dict[tuple[int, int, int], npt.NDArray[np.int64]] = {}
        self._shards = [np.memmap(path, dtype=self._type, mode="r") for path in shards]

    @property
    def bytes_per_token(self) -> float:
        """Of the whole text; bits per byte follow from nats per token with it."""
        return self.bytes / self.tokens

    @property
    def blocks(self) -> int:
        """Whole blocks; what is left at the end is not used."""
        return self.tokens // BLOCK

    @cached_property
    def train_blocks(self) -> npt.NDArray[np.int64]:
        """Blocks that runs train on."""
        return np.array([one for one in range(self.blocks) if one not in self._held], dtype=np.int64)

    @cached_property
    def held_out_blocks(self) -> npt.NDArray[np.int64]:
        """Blocks kept for validation."""
        return np.array(sorted(self._held), dtype=np.int64)

    def sequences(self, length: int) -> int:
        """Training sequences of this length, each read once."""
        return len(self.train_blocks) * self._in_a_block(length)

    def train_tokens(self, length: int) -> int:
        """Tokens predicted in one pass over the training text in sequences of this length."""
        return self.sequences(length) * length

    def batch(self, step: int, *, sequences: int, length: int, seed: int) -> npt.NDArray[np.int64]:
        """What step number `step` (from 0) reads: (sequences, length + 1) tokens, the last to be predicted only.

        Every pass over the text has an order of its own, drawn from the seed and the number of the pass.
        """
        total = self.sequences(length)
        epochs, places = np.divmod(np.arange(step * sequences, (step + 1) * sequences), total)
        numbers = np.array(
            [self._order(int(epoch), length, seed)[at] for epoch, at in zip(epochs, places, strict=True)]
        )
        blocks, within = np.divmod(numbers, self._in_a_block(length))
        starts = self.train_blocks[blocks] * BLOCK + within * length
        if len(self._shards) == 1:
            found: npt.NDArray[np.int64] = self._shards[0][starts[:, None] + np.arange(length + 1)].astype(np.int64)
            return found
        return np.stack([self._read(int(start), length + 1) for start in starts])

    def validation(self, *, sequences: int, length: int) -> npt.NDArray[np.int64]:
        """The same held-out sequences for every run, spread evenly over the held-out blocks."""
        each = self._in_a_block(length)
        total = len(self.held_out_blocks) * each
        chosen = np.unique(np.linspace(0, total - 1, min(sequences, total)).round().astype(np.int64))
        starts = self.held_out_blocks[chosen // each] * BLOCK + chosen % each * length
        return np.stack([self._read(int(start), length + 1) for start in starts])

    def check(self, tokens: float, *, length: int, epochs: float, vocabulary: int) -> None:
        """Refuse a run that would read text more often than was allowed, or whose vocabulary is another."""
        if vocabulary != self.vocabulary:
            raise BadInput(
                f"the model has {vocabulary:,} tokens and the tokenizer of {self.folder} {self.vocabulary:,}; they must"
                " be the same: build the corpus again, or leave `vocabulary` out."
            )
        self._in_a_block(length)
        there = self.train_tokens(length)
        if tokens > there * epochs * (1 + 1e-9):
            raise Infeasible(
                f"a run of {tokens:,.0f} tokens would read the {there:,} tokens of this corpus"
                f" {tokens / there:.2f} times, and data.epochs = {epochs:g} allows {epochs:g}. Give more text,"
                f" smaller budgets or larger models, or say epochs = {np.ceil(tokens / there):.0f}: repeated text is"
                " worth less."
            )

    def _in_a_block(self, length: int) -> int:
        if not 1 <= length < BLOCK:
            raise BadInput(f"sequence = {length}: give from 1 to {BLOCK - 1:,} tokens")
        return (BLOCK - 1) // length

    def _order(self, epoch: int, length: int, seed: int) -> npt.NDArray[np.int64]:
        """The order of one pass; those of the last few seeds are kept, for runs of several seeds side by side."""
        key = (epoch, length, seed)
        if key not in self._orders:
            if len(self._orders) >= ORDERS:
                self._orders.pop(next(iter(self._orders)))
            rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch, 11])))
            self._orders[key] = rng.permutation(self.sequences(length))
        return self._orders[key]

    def _read(self, start: int, count: int) -> npt.NDArray[np.int64]:
        shard, within = divmod(start, SHARD)
        first = self._shards[shard][within : within + count].astype(np.int64)
        if len(first) == count:
            return first
        return np.concatenate([first, self._read(start + len(first), count - len(first))])


def build_corpus(spec: DataSpec, folder: Path, *, base: Path | None = None) -> Corpus:
    """Read the text, make tokens of it, hold blocks out, and write all that into `folder`.

    Raises: BadInput for too little text, a single document, or a tokenizer whose size is not the one asked for or that
    was made for other text.
    """
    source = Path(spec.source) if base is None else base / Path(spec.source).expanduser()
    texts = _reader(spec, source, folder / "cache")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        tokenizer = _tokenizer(spec, texts, folder, base)
        writer = _Writer(folder, tokenizer.vocabulary)
        many = length = unknown = 0
        for text in texts():
            tokens = tokenizer.encode(text)
            writer.add(tokens)
            many, length = many + 1, length + len(text.encode("utf-8", errors="replace"))
            unknown += 0 if tokenizer.unknown is None else int((tokens == tokenizer.unknown).sum())
        writer.end()
    finally:
        shutil.rmtree(folder / "cache", ignore_errors=True)
    _check_known(unknown / max(writer.tokens, 1), spec.tokenizer)
    _check_amount(many, writer.tokens, source)
    about = {
        "source": spec.source,
        "documents": many,
        "bytes": length,
        "tokens": writer.tokens,
        "tokenizer": spec.tokenizer,
        "vocabulary": tokenizer.vocabulary,
        "held_out_blocks": _hold_out(writer.tokens // BLOCK, spec.held_out),
        "fingerprint": writer.digest.hexdigest(),
        "data": asdict(spec),
    }
    write_atomically(folder / "corpus.json", json.dumps(about, indent=1).encode())
    return Corpus(folder)


def _reader(spec: DataSpec, source: Path, cache: Path) -> Callable[[], Iterator[str]]:
    """What gives the documents of the source, from the first on, each time it is called."""
    if spec.reader == "datasets":
        return lambda: dataset_documents(source, spec.field, spec.split, cache)
    files = files_of(source, spec.include)
    return lambda: documents(files, spec.field)


class _Writer:
    """Tokens into shards."""

    def __init__(self, folder: Path, vocabulary: int) -> None:
        for old in folder.glob("tokens-*.bin"):
            old.unlink()
        self.folder, self.tokens = folder, 0
        self.digest = hashlib.sha256()
        self._type = np.dtype(np.uint16 if vocabulary <= 1 << 16 else np.uint32)
        self._parts: list[npt.NDArray[np.uint32]] = []
        self._waiting = self._shard = 0

    def add(self, tokens: npt.NDArray[np.uint32]) -> None:
        self._parts.append(tokens)
        self._waiting += len(tokens)
        if self._waiting >= SHARD:
            self._write(whole=True)

    def end(self) -> None:
        while self._waiting:
            self._write(whole=self._waiting >= SHARD)

    def _write(self, *, whole: bool) -> None:
        joined = np.concatenate(self._parts)
        cut = SHARD if whole else len(joined)
        data = joined[:cut].astype(self._type).tobytes()
        self.digest.update(data)
        write_atomically(self.folder / f"tokens-{self._shard:04d}.bin", data)
        self.tokens += cut
        self._parts, self._waiting = [joined[cut:]], len(joined) - cut
        self._shard += 1


def _tokenizer(spec: DataSpec, texts: Callable[[], Iterator[str]], folder: Path, base: Path | None) -> Tokenizer:
    if spec.tokenizer == "bytes":
        if spec.vocabulary not in {None, 256}:
            raise BadInput(f"data.vocabulary = {spec.vocabulary}: bytes are 256 tokens; leave it out, or say bpe")
        return Bytes()
    place = folder / "tokenizer.json"
    if spec.tokenizer == "bpe":
        train_pairs(texts(), spec.vocabulary or 4096, place)
        return Pairs(place)
    given = (base or Path()) / Path(spec.tokenizer).expanduser()
    if not given.is_file():
        raise BadInput(
            f"data.tokenizer = '{shorten(spec.tokenizer)}': give bytes, bpe, or the path of a tokenizer.json"
        )
    found = Pairs(given)
    if spec.vocabulary not in {None, found.vocabulary}:
        raise BadInput(
            f"data.vocabulary = {spec.vocabulary:,}, and {shorten(spec.tokenizer)} has {found.vocabulary:,} tokens:"
            " they do not match; leave `vocabulary` out, or give the tokenizer that belongs to it."
        )
    write_atomically(place, given.read_bytes())
    return found


def _check_known(unknown: float, tokenizer: str) -> None:
    if unknown > MOST_UNKNOWN:
        raise BadInput(
            f"{unknown:.1%} of the text is unknown to the tokenizer {shorten(tokenizer)}: it was made for other text."
            " Give another one, or bpe to train one on this text."
        )


def _check_amount(many: int, tokens: int, source: Path) -> None:
    said = shorten(str(source), most=200)
    if not many:
        raise BadInput(f"no text in '{said}': every file is empty; give files with text.")
    if many == 1:
        raise BadInput(
            f"'{said}' is one document: what is held out would continue what is trained on. Give a folder of files, or"
            " JSON lines with one document a line."
        )
    if tokens < FEWEST_BLOCKS * BLOCK:
        raise BadInput(
            f"'{said}' holds {tokens:,} tokens in {many:,} documents; a study takes at least"
            f" {FEWEST_BLOCKS * BLOCK:,} to train on and hold out. Give more text."
        )


def _hold_out(blocks: int, share: float) -> list[int]:
    """Blocks to hold out, drawn once and for all: the same for every study of one corpus."""
    rng = np.random.Generator(np.random.PCG64(7))
    return sorted(int(one) for one in rng.permutation(blocks)[: max(1, round(blocks * share))])
