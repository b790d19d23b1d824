"""What no file of the project may hold: paths of somebody's machine, hosts of registries, unfinished marks."""

from __future__ import annotations

import re
import tomllib

from tests.architecture.house import ROOT, tracked_files

# Pieced together, so that this file passes its own test.
MACHINE_PATHS = [rf"(?<![\w.])/{folder}/\w" for folder in ("work", "root", "home", "Users", "opt", "mnt")]
REGISTRY_HOSTS = [
    name + r"\." + end
    for name, end in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("download.pytorch", "org"),
        ("registry.npmjs", "org"),
        ("conda.anaconda", "org"),
    )
]
UNFINISHED = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]


def found(patterns: list[str]) -> list[str]:
    matcher = re.compile("|".join(patterns))
    hits = []
    for path in tracked_files():
        if path.name == "LICENSE":
            continue
        text = path.read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), start=1):
            if matcher.search(line):
                hits.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    return hits


def test_no_path_of_a_machine() -> None:
    assert not found(MACHINE_PATHS)


def test_no_host_of_a_registry() -> None:
    assert not found(REGISTRY_HOSTS)


def test_nothing_is_left_unfinished() -> None:
    assert not found([rf"\b{mark}\b" for mark in UNFINISHED])


def test_torch_is_pinned_in_one_place() -> None:
    pinned = [path.name for path in tracked_files() if re.search(r"\btorch==\d", path.read_text(encoding="utf-8"))]
    assert pinned == ["constraints.txt"]


def test_every_dependency_is_pinned_inside_its_range() -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(line for lines in project["optional-dependencies"].values() for line in lines),
    ]
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            pins[canonicalize_name(name)] = version
    for text in wanted:
        requirement = Requirement(text)
        version = pins.get(canonicalize_name(requirement.name))
        assert version, f"constraints.txt does not pin {requirement.name}"
        assert requirement.specifier.contains(version), f"{text} does not take the pinned {version}"
