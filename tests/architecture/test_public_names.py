"""`isoflop.__all__` is what can be imported, in order, and no more."""

from __future__ import annotations

import sys

import pytest

import isoflop


def test_all_is_sorted_and_without_doubles() -> None:
    assert isoflop.__all__ == sorted(set(isoflop.__all__))


@pytest.mark.parametrize("name", isoflop.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(isoflop, name) is not None


def test_the_lazy_table_holds_the_public_names_and_no_others() -> None:
    lazy = [name for names in isoflop._HOMES.values() for name in names] + sorted(isoflop._ROOMS)
    assert sorted([*lazy, "__version__"]) == isoflop.__all__


def test_dir_shows_the_public_names() -> None:
    assert dir(isoflop) == sorted(isoflop.__all__)


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'sovle'; the public names are: .*\bsolve\b"):
        isoflop.sovle  # noqa: B018 - looking it up is the test


def test_every_purposeful_error_is_public() -> None:
    from isoflop import errors

    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert kinds <= set(isoflop.__all__)


@pytest.mark.parametrize(
    "room", ["quantity", "relation", "book", "model", "hardware", "laws", "ask", "audit", "report"]
)
def test_the_names_of_a_room_can_be_imported(room: str) -> None:
    from importlib import import_module

    module = import_module(f"isoflop.{room}")
    names = list(module.__all__)
    assert len(names) == len(set(names))
    for name in names:
        assert hasattr(module, name), f"isoflop.{room}.__all__ lists {name}, which is not there"


@pytest.mark.parametrize("name", [name for name in isoflop.__all__ if name != "__version__"])
def test_help_of_a_public_name_shows_how(name: str) -> None:
    """`help(isoflop.plan)`: what it is, and an example that runs; errors share their tree's."""
    import inspect

    from isoflop.errors import IsoflopError

    value = getattr(isoflop, name)
    text = inspect.getdoc(value) or ""
    assert text, f"isoflop.{name} says nothing of itself"
    if not (isinstance(value, type) and issubclass(value, IsoflopError)):
        home = inspect.getdoc(sys.modules[value.__name__]) if inspect.ismodule(value) else text
        assert ">>> " in (home or ""), f"isoflop.{name} shows no example"
