"""`isoflop data [TEXT]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.cli.output import Output, output_options, print_table
from isoflop.cli.side_by_side import echo_wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isoflop.model.tokenizers import Tokenizer
    from isoflop.report import Cell, Column

SHOWN = ("en", "de", "fr", "es", "ru", "ar", "zh", "ja", "ko", "code")
"""Languages of the table for people; scripts and pages get all."""


@click.command("data", cls=Command)
@click.argument("text", required=False, metavar="[TEXT]")
@click.option("--language", help="Only this one: de, german, zh, code; English where a text is given.")
@click.option("--tokenizer", help="Only this one: llama-3, o200k, qwen.")
@click.option("--tokens", help="Tokens to train on: how often is the text seen? 15T.")
@output_options()
def command(
    text: str | None, *, language: str | None, tokenizer: str | None, tokens: str | None, output: Output
) -> None:
    """How many tokens a text is, by tokenizer and language: bytes for each token, as measured.

    Without TEXT the whole table. TEXT is its size in UTF-8, not compressed. Measured were two manuals that Debian has
    in every language, the same text in each of them, and Python's library for code.

    \b
    isoflop data
    isoflop data '2 TB' --language de
    isoflop data '2 TB' --language de --tokenizer llama-3 --tokens 1T
    """
    from isoflop.model.tokenizers import language_code, tokenizers
    from isoflop.model.tokenizers import tokenizer as find

    chosen = (find(tokenizer),) if tokenizer else tokenizers()
    code = language_code(language) if language else None
    if text is None:
        _table(chosen, code, output.form)
    else:
        _tokens(text, (chosen, code or "en"), tokens, output.form)


def _table(chosen: Sequence[Tokenizer], code: str | None, form: str) -> None:
    """Bytes for each token: a row a tokenizer, a column a language; turned where there is one language or tokenizer."""
    from isoflop.model.tokenizers import languages
    from isoflop.report import Column

    if form != "text" or code is not None or len(chosen) == 1:
        head: list[Column | str] = [
            "tokenizer", "language", *(Column(name=name, right=True) for name in ("bytes_per_token", "low", "high")),
            "documents", "models", Column(name="vocabulary", right=True, written=lambda value: f"{value:,.0f}"),
            "source",
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                one.name, key, *(round(value, 3) for value in (dense.bytes_per_token, dense.low, dense.high)),
                ", ".join(dense.documents), one.models, float(one.vocabulary), f"{one.source}, {one.date}",
            )
            for one in chosen for key, dense in one.densities.items() if code in {None, key}
        ]  # fmt: skip
        kept = range(len(head)) if form != "text" else (0, 1, 2, 3, 4, 5)
        print_table([head[place] for place in kept], [tuple(row[place] for place in kept) for row in rows], form)
        return
    columns = [Column(name="tokenizer"), *(Column(name=key, right=True) for key in SHOWN)]
    print_table(
        columns,
        [
            (one.name, *(f"{one.densities[key].bytes_per_token:.2f}" for key in SHOWN))
            for one in chosen
        ],
        form,
    )  # fmt: skip
    named = ", ".join(f"{key} {title}" for key, title in languages().items() if key not in SHOWN)
    echo_wrapped(f"\nBytes of UTF-8 text for each token. Measured too (--language, --json): {named}.")


def _tokens(text: str, of: tuple[Sequence[Tokenizer], str], tokens: str | None, form: str) -> None:
    """What a text comes to with each tokenizer."""
    from isoflop.book import running
    from isoflop.quantity import quantity, read
    from isoflop.report import Column
    from isoflop.training.account import token_bytes

    chosen, code = of
    size = read(text, quantity("text_bytes")).spread.median
    wanted = read(tokens, quantity("tokens")).spread.median if tokens else None
    head = [
        Column(name="tokenizer"), Column(name="bytes_per_token", title="bytes a token", right=True),
        Column(name="unique_tokens", title="tokens", quantity="unique_tokens"),
        Column(name="dataset_bytes", title="as numbers", quantity="dataset_bytes"),
        *((Column(name="epochs", quantity="epochs"),) if wanted else ()), Column(name="models"),
    ]  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for one in chosen:
        dense = one.density(code)
        there = float(running.tokens_of_text(size, dense.tokens_per_byte))
        stored = float(running.dataset_bytes(there, token_bytes(one.vocabulary)))
        again = (wanted / there,) if wanted else ()
        rows.append((one.name, round(dense.bytes_per_token, 3), there, stored, *again, one.models))
    print_table(head, rows, form)
    if form == "text":
        echo_wrapped(
            "\nas numbers: 2 bytes a token where the vocabulary is below 65,536, else 4. What is filtered out of a raw "
            "text, and what stands in it twice, is not known here."
        )
