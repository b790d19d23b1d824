"""Imports point down, and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.architecture.house import LEVELS, PACKAGE, Module, level_of, modules, room_of

# (importing module, imported room) -> why. An entry that is no longer needed fails.
EXCEPTIONS: dict[tuple[str, str], str] = {}

# What is the package's own and no room.
ROOT = ("__version__",)


def rising(module: Module) -> set[str]:
    """Rooms that `module` imports though they lie on its level or above."""
    own = level_of(module.room)
    rooms = {room_of(name) for name in module.imports()} - {module.room, *ROOT}
    return {room for room in rooms if level_of(room) >= own}


def test_imports_point_down() -> None:
    wrong = {(module.name, room) for module in modules() for room in rising(module)} - set(EXCEPTIONS)
    listed = ", ".join(f"{name} imports {room}" for name, room in sorted(wrong))
    assert not wrong, f"imports that rise or cross: {listed}; allowed order: {LEVELS}"


def test_every_exception_is_still_needed() -> None:
    used = {(module.name, room) for module in modules() for room in rising(module)}
    assert not set(EXCEPTIONS) - used


def test_every_folder_is_a_room() -> None:
    for path in PACKAGE.iterdir():
        if path.is_dir() and any(path.rglob("*.py")):
            assert (path / "__init__.py").exists(), f"{path.name} has no __init__.py"
            level_of(path.name)


def loaded_by(code: str) -> set[str]:
    """The modules in memory after `code` ran in a Python of its own, with whatever it prints thrown away."""
    script = (
        "import contextlib, io, json, sys\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        f"    try:\n        exec({code!r})\n"
        "    except SystemExit as end:\n        code = end.code\n"
        "    else:\n        code = 0\n"
        "print(json.dumps([code, sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    code_out, names = json.loads(done.stdout)
    assert code_out in {0, None}, f"{code!r} ended with {code_out}"
    return set(names)


def run_command(*words: str) -> set[str]:
    return loaded_by(f"import sys; sys.argv = ['isoflop', *{list(words)!r}]\nfrom isoflop.cli import main\nmain()")


HEAVY = {"scipy", "pandas", "torch", "altair", "rich", "transformers", "numba", "pint", "matplotlib", "hypothesis"}


def test_import_isoflop_loads_nothing() -> None:
    loaded = loaded_by("import isoflop")
    assert not loaded & (HEAVY | {"numpy", "click", "msgspec"})
    assert {name for name in loaded if name.startswith("isoflop")} == {"isoflop"}


def test_using_the_library_loads_no_optional_package() -> None:
    loaded = loaded_by("import isoflop; [getattr(isoflop, name) for name in isoflop.__all__]")
    assert not loaded & HEAVY


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("plan", "--help"), ("solve", "--help")])
def test_help_loads_neither_numpy_nor_rich(words: tuple[str, ...]) -> None:
    assert not run_command(*words) & (HEAVY | {"numpy"})


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--budget", "$4k", "--on", "tpu-v4", "--commitment", "3y"),
        ("solve", "train_flops", "params=7B", "tokens=2T"),
    ],
)
def test_plan_and_solve_load_only_what_they_need(words: tuple[str, ...]) -> None:
    assert not run_command(*words) & HEAVY
