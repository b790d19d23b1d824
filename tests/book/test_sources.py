"""The bibliography: complete entries, pointed errors."""

from __future__ import annotations

import re

import pytest

from isoflop.book import source, sources
from isoflop.book.sources import parse_sources
from isoflop.errors import BadFile, UnknownName

REFERRED = [
    "besiroglu2024",
    "brown2020",
    "chowdhery2022",
    "deepseek2024",
    "epoch-costs",
    "hoffmann2022",
    "kaplan2020",
    "korthikanti2022",
    "kwon2023",
    "luccioni2022",
    "micikevicius2017",
    "muennighoff2023",
    "narayanan2021",
    "patterson2021",
    "pope2022",
    "published-runs",
    "rajbhandari2020",
    "stepfun2025",
    "touvron2023",
]


@pytest.mark.parametrize("key", REFERRED)
def test_keys_that_other_rooms_cite_exist(key: str) -> None:
    assert source(key).title


@pytest.mark.parametrize("key", list(sources()))
def test_every_source_can_be_found(key: str) -> None:
    entry = source(key)
    assert re.fullmatch(r"[a-z][a-z0-9-]*", key)
    assert entry.title
    assert entry.authors
    assert entry.url.startswith("https://") or entry.note, "neither a place nor a note"
    years = re.findall(r"20\d\d|19\d\d", key)
    assert not years or entry.year is not None


def test_arxiv_numbers_fit_the_year() -> None:
    for key, entry in sources().items():
        number = re.fullmatch(r"https://arxiv\.org/abs/(\d\d)(\d\d)\.\d{4,5}", entry.url)
        if number and entry.year is not None:
            posted = 2000 + int(number[1])
            assert posted == entry.year or str(posted) in entry.note, key


def test_no_source_twice() -> None:
    urls = [entry.url for entry in sources().values() if entry.url]
    assert len(urls) == len(set(urls))


def test_a_place_after_the_key_is_ignored() -> None:
    assert source("hoffmann2022 §3.3") is source("hoffmann2022")


def test_an_unknown_key_gets_its_neighbours() -> None:
    with pytest.raises(UnknownName) as caught:
        source("hofmann2022")
    assert str(caught.value).startswith("no source 'hofmann2022'. Did you mean 'hoffmann2022'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\ntitle = 'x'\n", "f.toml: 'a' lacks authors."),
        ("[a]\nyear = 2020\n", "f.toml: 'a' lacks title and authors."),
        ("a = 3\n", "f.toml: 'a' must be a table with title and authors."),
        ("[a]\ntitle = 3\n", "f.toml: 'a.title' must be text."),
        ("[a]\nyear = true\n", "f.toml: 'a.year' must be a whole number."),
        (
            "[a]\nhref = 'x'\n",
            "f.toml: 'a.href' is not known; a source has: title, authors, year, url, note.",
        ),
    ],
)
def test_a_broken_entry_is_named(text: str, message: str) -> None:
    with pytest.raises(BadFile) as caught:
        parse_sources(text, "f.toml")
    assert str(caught.value) == message
