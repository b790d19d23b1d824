"""Doctests of a module whose extra is not there are skipped; any other module that does not import fails here."""

from __future__ import annotations

import tomllib
from importlib import import_module

import pytest
from packaging.requirements import Requirement
from tests.architecture.house import PACKAGE, ROOT

IMPORTED_AS = {"vl-convert-python": "vl_convert", "python-multipart": "multipart", "PyYAML": "yaml"}

MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if path.name != "__main__.py"
)


def optional() -> set[str]:
    """What the extras of the project bring, by the names they are imported as; scipy is asked for where it is used."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {Requirement(line).name for lines in project["optional-dependencies"].values() for line in lines}
    return {IMPORTED_AS.get(name, name) for name in names}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_or_lacks_an_extra(module: str) -> None:
    """The doctest runner passes over every ImportError, so a broken module would lose its doctests without a word."""
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        lacking = (error.name or "").partition(".")[0]
        if lacking not in optional():
            raise
        pytest.skip(f"needs {lacking}")
