"""Every formula stands on words the glossary has and on sources that exist."""

from __future__ import annotations

import doctest
import tomllib
from typing import TYPE_CHECKING

import pytest
from tests.architecture.house import PACKAGE

from isoflop.book import BOOK
from isoflop.quantity import quantities

if TYPE_CHECKING:
    from isoflop.relation import Relation


def test_every_source_of_a_formula_exists() -> None:
    keys = set(tomllib.loads((PACKAGE / "book" / "sources.toml").read_text(encoding="utf-8")))
    for relation in BOOK:
        assert relation.sources, f"{relation.name} names no source"
        unknown = {source.split()[0] for source in relation.sources} - keys
        assert not unknown, f"{relation.name} cites {unknown}, which sources.toml lacks"


def test_every_formula_gives_a_word_of_the_glossary() -> None:
    assert not {relation.gives for relation in BOOK} - set(quantities())


def test_every_formula_says_what_it_is() -> None:
    assert not [relation.name for relation in BOOK if not relation.doc.strip()]


@pytest.mark.parametrize("relation", list(BOOK), ids=lambda relation: relation.name)
def test_the_example_of_a_formula_holds(relation: Relation[...]) -> None:
    """doctest itself does not look inside relations: they are objects, not functions."""
    test = doctest.DocTestParser().get_doctest(relation.doc, dict(relation.body.__globals__), relation.name, None, None)
    assert test.examples, f"{relation.name} has no example"
    failures: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=failures.append)
    assert not failures, "".join(failures)
