"""Shells complete commands, options and names: what is offered, and each shell itself where it is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.walk import contexts

from isoflop.cli import COMMANDS, isoflop, main
from isoflop.cli.complete import items, names
from isoflop.cli.kinds import ARGUMENTS, OF_COMMAND, TAKES, Word
from isoflop.cli.shells import Bash, script

SHELLS = ("bash", "zsh", "fish")


def offered(line: str) -> list[str]:
    """What bash is told for a line that ends where the cursor is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMP_LINE", f"isoflop {line}")
        shell: ShellComplete = Bash(isoflop, {}, "isoflop", "_ISOFLOP_COMPLETE")
        return [text.partition(",")[2] for text in shell.complete().splitlines()]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("pl", ["plan"]),
        ("laws pub", ["published"]),
        ("plan --bud", ["--budget"]),
        ("plan --format js", ["json"]),
        ("plan --on tpu-v5", ["tpu-v5e", "tpu-v5p"]),
        ("training llama-3.1-8b --on 64xh200-s", ["64xh200-sxm-141gb"]),
        ("model mixtral-8x7", ["mixtral-8x7b"]),
        ("plan --law besi", ["besiroglu2024", "besiroglu2024-exact"]),
        ("solve train_cos", ["train_cost"]),
        ("solve params train_cos", ["train_cost="]),
        ("solve params device=tpu-v4", ["device=tpu-v4"]),
        ("solve params tokens=1T law=kap", ["law=kaplan2020"]),
        ("quantities mf", ["mfu"]),
        ("grids us-ca", ["us-ca"]),
        ("nodes dgx-h100", ["dgx-h100"]),
        ("laws fit runs.csv --law chinchilla-t", ["chinchilla-tied"]),
        ("training 7B --engine fsdp-c", ["fsdp-compiled"]),
        ("serving 7B --runtime sg", ["sglang"]),
        ("compare h100-n", ["h100-nvl-94gb"]),
        ("prices list tpu-v6", ["tpu-v6e"]),
        ("completion fi", ["fish"]),
        ("plan --commitment s", ["spot"]),
        ("solve nonsense=", []),
        ("plan --budget $4", []),
    ],
)
def test_what_is_offered(line: str, found: list[str]) -> None:
    assert offered(line) == found


def test_a_provider_is_one_of_the_device_on_the_line() -> None:
    every, few = offered("plan --provider "), offered("plan --on tpu-v4 --provider ")
    assert set(few) < set(every)
    assert "Google Cloud" in few or any("Google" in one for one in few)


def test_commands_are_offered_without_loading_them() -> None:
    code = (
        "import os, sys\nos.environ.update(COMP_LINE='isoflop ', _ISOFLOP_COMPLETE='bash_complete')\n"
        "from isoflop.cli import main\ntry:\n    main([])\nexcept SystemExit:\n    pass\n"
        "print('numpy' in sys.modules, 'isoflop.cli.plan' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.split() == ["False", "False"]
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == list(COMMANDS)


def test_paths_are_left_to_the_shell() -> None:
    found = items("device", "./mi")
    assert [(one.value, one.type) for one in found] == [("./mi", "file")]
    assert [one.type for one in items("devices", "8x./mi")] == ["file"]


@given(st.text(max_size=30))
def test_nothing_that_is_typed_breaks_it(text: str) -> None:
    for kind in ("device", "devices", "known", "model", "provider", "thing", "length"):
        for one in items(kind, text):
            assert one.value


def test_the_tables_name_options_that_there_are() -> None:
    options = {name.lstrip("-") for ctx in contexts() for param in ctx.command.params for name in param.opts}
    assert set(TAKES) <= options, set(TAKES) - options
    arguments = {param.name for ctx in contexts() for param in ctx.command.params}
    assert set(ARGUMENTS) <= arguments
    paths = {" ".join(ctx.command_path.split()[1:]) for ctx in contexts()}
    assert {command for command, _ in OF_COMMAND} <= paths


def test_every_option_of_text_says_what_it_takes() -> None:
    plain = {
        f"{ctx.command_path} {param.opts[0]}"
        for ctx in contexts()
        for param in ctx.command.get_params(ctx)
        if type(param.type).__name__ == "StringParamType"
        and isinstance(param, click.Option)
        and not (param.metavar or param.is_flag)
        and param.param_type_name == "option"
        and not param.metavar
        and not getattr(param, "is_flag", False)
    }
    assert not plain, "give each a kind in cli/kinds.py, or a metavar"
    assert Word("torch device").name == "TORCH_DEVICE"


@pytest.mark.parametrize(
    "kind", ["device", "node", "grid", "model", "law", "form", "quantity", "formula", "run", "scheme"]
)
def test_every_kind_has_names(kind: str) -> None:
    assert len(names(kind)) > 5


# --- the shells themselves -------------------------------------------------------------------------------------------


@pytest.fixture
def shell_path(tmp_path: Path) -> dict[str, str]:
    """An environment in which `isoflop` is this package."""
    program = tmp_path / "bin" / "isoflop"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m isoflop "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}


def _run(words: list[str], env: dict[str, str]) -> str:
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not there")
    done = subprocess.run(words, capture_output=True, text=True, env=env, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_bash(shell_path: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "s").write_text(script("bash", isoflop), encoding="utf-8")
    ask = (
        f'source {tmp_path}/s; ask() {{ COMP_LINE="$1"; COMP_POINT=${{#1}}; COMPREPLY=(); _isoflop_completion isoflop; '
        'echo "${COMPREPLY[*]}"; }; ask "isoflop plan --on 8xh200-s"; ask "isoflop solve params device=tpu-v4"; '
        'ask "isoflop solve params train_cos"; ask "isoflop plan --on tpu-v4 --provider Goo"; complete -p isoflop'
    )
    lines = _run(["bash", "--norc", "-c", ask], shell_path).splitlines()
    assert lines[:3] == ["8xh200-sxm-141gb", "tpu-v4", "train_cost="]
    assert lines[3].startswith("Google")
    assert "_isoflop_completion" in lines[4]


def test_fish(shell_path: dict[str, str]) -> None:
    ask = (
        "isoflop completion fish | source; complete -C 'isoflop plan --on 8xh200-s'; "
        "complete -C 'isoflop solve train_cos'"
    )
    lines = _run(["fish", "--no-config", "-c", ask], shell_path).splitlines()
    assert lines[0] == "8xh200-sxm-141gb"
    assert lines[1].startswith("train_cost\t")


def test_zsh_reads_the_script(shell_path: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "s").write_text(script("zsh", isoflop), encoding="utf-8")
    ask = f"autoload -Uz compinit && compinit -D -u; source {tmp_path}/s; print $_comps[isoflop]"
    assert _run(["zsh", "-f", "-c", ask], shell_path).strip() == "_isoflop_completion"


@pytest.mark.parametrize("shell", SHELLS)
def test_install_writes_where_the_shell_looks(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(SystemExit) as left:
        main(("completion", shell, "--install"))
    said = capsys.readouterr()
    assert (left.value.code, said.out) == (0, "")
    path = Path(said.err.partition(" written.")[0])
    assert path.is_relative_to(tmp_path)
    assert "_ISOFLOP_COMPLETE" in path.read_text(encoding="utf-8")


def test_without_a_shell_it_is_the_one_in_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    with pytest.raises(SystemExit):
        main(("completion",))
    assert "complete --no-files --command isoflop" in capsys.readouterr().out
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    with pytest.raises(SystemExit) as left:
        main(("completion",))
    assert left.value.code == 2
    assert "bash, zsh, fish" in capsys.readouterr().err
