"""What the architecture tests share: the rooms, their levels, and the source read once as syntax trees."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "isoflop"

# From the ground up. A room may import from every level below its own; rooms of one level do not know each other.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("quantity",),
    ("relation",),
    ("book",),
    ("hardware", "laws", "model"),
    ("kernel",),
    ("serving", "training"),
    ("ask", "torchmodel"),
    ("accuracy", "audit", "lab", "measure", "quantize"),
    ("report",),
    ("flags",),
    ("web",),
    ("cli",),
    ("__init__", "__main__"),  # the door: it may name every room
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file of the package."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return room_of(self.name)

    def imports(self) -> Iterator[str]:
        """Every isoflop module this one names in an import, wherever the import stands."""
        package = self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "isoflop")
            elif isinstance(node, ast.ImportFrom):
                yield from _imported_from(node, package)


def _imported_from(node: ast.ImportFrom, package: str) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*above, base] if base else above)
    if base == "isoflop":
        yield from (f"isoflop.{alias.name}" for alias in node.names)
    elif base.startswith("isoflop."):
        yield base


def room_of(name: str) -> str:
    """`isoflop.laws.form` -> `laws`; the package itself is `__init__`."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def level_of(room: str) -> int:
    """How high a room lies; a KeyError-like failure names a room that is not in the table."""
    for level, rooms in enumerate(LEVELS):
        if room in rooms:
            return level
    message = f"room '{room}' is not in LEVELS (tests/architecture/house.py): say how high it lies"
    raise AssertionError(message)


@cache
def modules() -> tuple[Module, ...]:
    """Every Python file of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE.parent).with_suffix("")
        parts = relative.parts[:-1] if relative.name == "__init__" else relative.parts
        text = path.read_text(encoding="utf-8")
        found.append(Module(name=".".join(parts), path=path, text=text, tree=ast.parse(text, filename=str(path))))
    return tuple(found)


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(module: Module) -> Iterator[tuple[str, Function]]:
    """Every function of a module with its dotted name, methods and inner functions too."""

    def inside(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield f"{prefix}.{child.name}", child
            named = isinstance(child, Function | ast.ClassDef)
            yield from inside(child, f"{prefix}.{child.name}" if named else prefix)

    yield from inside(module.tree, module.name)


def tracked_files() -> Iterator[Path]:
    """Every text file that belongs to the project, found without git so that an unpacked archive passes too."""
    folders = ("src", "tests", "docs", "benchmarks", "examples", ".ci")
    for path in sorted(ROOT.iterdir()):
        if path.is_file() and path.suffix != ".stamp":
            yield path
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix != ".png" and not {"__pycache__", ".git"} & set(path.parts):
                yield path
