"""Tokenizers of the laboratory: bytes, or byte-pair encoding [sennrich2016] trained on the data or read from a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from isoflop.errors import BadFile, BadInput, MissingData, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    import numpy.typing as npt

END = "<|end|>"
"""The token between two documents; among bytes it is byte 0, which text does not hold."""

TRAINING_TEXT = 50_000_000
"""Characters that a tokenizer is trained on at most: more changes few merges and takes minutes."""


LARGEST = 256 << 20
"""Bytes of a tokenizer.json; the largest in use take some 35 million."""


class Tokenizer(Protocol):
    """Turns a document into numbers below `vocabulary`, with one at its end that parts it from the next."""

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        ...

    @property
    def unknown(self) -> int | None:
        """The token that stands for what has none; None where everything has one."""
        ...

    def encode(self, text: str) -> npt.NDArray[np.uint32]:
        """The tokens of a document."""
        ...


@dataclass(frozen=True, slots=True)
class Bytes:
    """Every byte of UTF-8 is a token."""

    @property
    def vocabulary(self) -> int:
        """All values of a byte."""
        return 256

    @property
    def unknown(self) -> int | None:
        """No byte is unknown."""
        return None

    def encode(self, text: str) -> npt.NDArray[np.uint32]:
        """The bytes of a document, and a zero."""
        return np.frombuffer(text.encode("utf-8", errors="replace") + b"\0", dtype=np.uint8).astype(np.uint32)


class Pairs:
    """Byte-pair encoding as the library `tokenizers` holds it."""

    def __init__(self, path: Path) -> None:
        library = _library()
        if path.stat().st_size > LARGEST:
            raise BadFile(f"{shorten(str(path), most=200)}: larger than {LARGEST:,} bytes; give a tokenizer.json.")
        try:
            self._inner = library.Tokenizer.from_file(str(path))
        except Exception as error:  # whatever its Rust side dislikes about the file: it has no class of its own
            raise BadFile(f"{shorten(str(path), most=200)}: no tokenizer.json ({shorten(str(error))}).") from error
        end = self._inner.token_to_id(END)
        if end is None:
            end = next((self._inner.token_to_id(one) for one in ("<|endoftext|>", "</s>") if self._has(one)), None)
        if end is None:
            raise BadInput(
                f"{shorten(str(path), most=200)}: no token ends a document (looked for {END}, <|endoftext|>, </s>);"
                " give a tokenizer that has one."
            )
        self._end = int(end)
        unknown = getattr(self._inner.model, "unk_token", None)
        self._unknown = None if unknown is None else self._inner.token_to_id(unknown)

    def _has(self, token: str) -> bool:
        return self._inner.token_to_id(token) is not None

    @property
    def vocabulary(self) -> int:
        """Tokens, added ones too; numbers that a tokenizer leaves out are counted, as a model has rows for them."""
        return int(max(self._inner.get_vocab(with_added_tokens=True).values())) + 1

    @property
    def unknown(self) -> int | None:
        """The token that stands for what has none."""
        return self._unknown

    def encode(self, text: str) -> npt.NDArray[np.uint32]:
        """The tokens of a document, and the one that ends it."""
        return np.array([*self._inner.encode(text, add_special_tokens=False).ids, self._end], dtype=np.uint32)


def train_pairs(texts: Iterator[str], vocabulary: int, path: Path) -> None:
    """Train byte-pair encoding of this size and write it as a tokenizer.json.

    Raises: BadInput for a vocabulary that bytes alone would fill, MissingData without the library.
    """
    if not 300 <= vocabulary <= 200_000:
        raise BadInput(f"vocabulary = {vocabulary}: byte pairs take from 300 to 200,000 tokens; fewer are plain bytes.")
    library = _library()
    inner = library.Tokenizer(library.models.BPE())
    inner.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(_first(texts, TRAINING_TEXT), trainer)
    inner.save(str(path))


def _first(texts: Iterator[str], most: int) -> Iterator[str]:
    for text in texts:
        yield text[:most]
        most -= len(text)
        if most <= 0:
            return


def _library() -> ModuleType:
    try:
        import tokenizers
    except ImportError as error:
        raise MissingData("byte-pair encoding needs tokenizers: pip install 'isoflop[lab]'.") from error
    return tokenizers
